//! CSV files with a head line: one of people, with the groups of each in the column `groups`, divided by semicolons, and perhaps one of
//! groups with their ids and names. Without the second a group's name is its id.

use super::{Directory, Person, ReadGroup, Unreadable};
use crate::config::Attributes;
use std::collections::{BTreeMap, HashMap};

/// Rows by the names of their columns, in lower case, with the number of their line.
type Row = (usize, HashMap<String, String>);

pub(super) fn read(people: &str, groups: Option<&str>, attributes: &Attributes) -> Result<Directory, Unreadable> {
    let mut directory = Directory::default();
    let mut by_name: BTreeMap<String, String> = BTreeMap::new();
    for (line, row) in rows(groups.unwrap_or_default())? {
        let id = required(&row, &attributes.id, line)?;
        let name = first(&row, &attributes.group_name).unwrap_or_else(|| id.clone());
        by_name.insert(name.to_lowercase(), id.clone());
        let group = ReadGroup { name, aliases: vec![id.clone()], ..ReadGroup::default() };
        if directory.groups.insert(id.clone(), group).is_some() {
            return Err(Unreadable::Line { line, why: format!("the group {id} is there twice") });
        }
    }
    let listed = groups.is_some();
    for (line, row) in rows(people)? {
        let id = required(&row, &attributes.id, line)?;
        for name in row.get("groups").into_iter().flat_map(|names| names.split(';')).map(str::trim) {
            if name.is_empty() {
                continue;
            }
            let known = directory.groups.contains_key(name).then(|| name.to_owned());
            let group = known.or_else(|| by_name.get(&name.to_lowercase()).cloned());
            let group = match group {
                Some(group) => group,
                None if listed => {
                    return Err(Unreadable::Line {
                        line,
                        why: format!("the group {name:?} is not in the file of groups"),
                    });
                }
                None => {
                    by_name.insert(name.to_lowercase(), name.to_owned());
                    let named = ReadGroup { name: name.to_owned(), ..ReadGroup::default() };
                    directory.groups.insert(name.to_owned(), named);
                    name.to_owned()
                }
            };
            directory.groups.entry(group).or_default().people.insert(id.clone());
        }
        if directory.people.insert(id.clone(), person_of(&row, attributes, line)?).is_some() {
            return Err(Unreadable::Line { line, why: format!("the person {id} is there twice") });
        }
    }
    Ok(directory)
}

fn rows(text: &str) -> Result<Vec<Row>, Unreadable> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let wrong = |error: csv::Error| {
        let line = error.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(0));
        Unreadable::Line { line, why: "it has another number of columns than the first line, or is no CSV".to_owned() }
    };
    let head: Vec<String> = reader.headers().map_err(wrong)?.iter().map(str::to_lowercase).collect();
    let row = |record: csv::StringRecord| {
        let line = record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
        (line, head.iter().cloned().zip(record.iter().map(str::to_owned)).collect())
    };
    reader.records().map(|record| record.map(row).map_err(wrong)).collect()
}

fn first(row: &HashMap<String, String>, names: &[String]) -> Option<String> {
    let values = names.iter().filter_map(|name| row.get(&name.to_lowercase()));
    values.map(|value| value.trim()).find(|value| !value.is_empty()).map(str::to_owned)
}

fn required(row: &HashMap<String, String>, names: &[String], line: usize) -> Result<String, Unreadable> {
    let why = || format!("it has no id; the column is one of {}", names.join(", "));
    first(row, names).ok_or_else(|| Unreadable::Line { line, why: why() })
}

fn person_of(row: &HashMap<String, String>, attributes: &Attributes, line: usize) -> Result<Person, Unreadable> {
    let active = match row.get("active").map(|active| active.to_lowercase()).as_deref() {
        None | Some("" | "true" | "yes" | "1" | "active") => true,
        Some("false" | "no" | "0" | "inactive" | "disabled") => false,
        Some(other) => {
            let why = format!("active is {other:?}; it takes true or false");
            return Err(Unreadable::Line { line, why });
        }
    };
    Ok(Person {
        user_name: first(row, &attributes.user_name),
        email: first(row, &attributes.email),
        given_name: first(row, &attributes.given_name),
        family_name: first(row, &attributes.family_name),
        display_name: first(row, &attributes.display_name),
        active,
    })
}
