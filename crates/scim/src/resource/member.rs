//! Group members as clients name them: objects, bare ids, one or many.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::json::check_string;
use crate::scalars::unwrapped;
use crate::schema::get_ignore_case;

/// Kind of a group member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberKind {
    User,
    Group,
    /// Not given by the client.
    Unknown,
}

/// One member of a group, in a request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRef {
    /// The id of the user or group.
    pub value: String,
    pub kind: MemberKind,
    pub display: Option<String>,
}

impl MemberRef {
    /// A member with its id alone.
    #[must_use]
    pub fn of_id(value: impl Into<String>) -> Self {
        Self { value: value.into(), kind: MemberKind::Unknown, display: None }
    }
}

/// Reads a list of members, or a single one; each id is kept once, in order.
pub(crate) fn read_members(value: Value, limit: usize, quirks: &mut Quirks) -> Result<Vec<MemberRef>, ScimError> {
    let sent = match value {
        Value::Array(sent) => sent,
        single => {
            quirks.note(Quirk::ReplaceObjectForList);
            vec![single]
        }
    };
    if sent.len() > limit {
        return Err(too_many_members(limit));
    }
    let mut members = Vec::with_capacity(sent.len());
    for member in sent {
        match member {
            Value::Null => quirks.note(Quirk::NullValue),
            member => members.push(read_member(member, quirks)?),
        }
    }
    keep_each_once(&mut members);
    Ok(members)
}

/// Drops repeated members.
pub(crate) fn keep_each_once(members: &mut Vec<MemberRef>) {
    let mut seen = HashSet::with_capacity(members.len());
    let first: Vec<bool> = members.iter().map(|member| seen.insert(member.value.as_str())).collect();
    let mut first = first.into_iter();
    members.retain(|_| first.next().unwrap_or(true));
}

pub(crate) fn too_many_members(limit: usize) -> ScimError {
    ScimError::too_large(format!("at most {limit} members may be named in one request; send the rest in another"))
}

fn read_member(member: Value, quirks: &mut Quirks) -> Result<MemberRef, ScimError> {
    match member {
        Value::String(value) => {
            quirks.note(Quirk::BareMember);
            Ok(MemberRef::of_id(checked_id(value)?))
        }
        Value::Object(member) => {
            let value = get_ignore_case(&member, "value").and_then(|value| unwrapped(value.clone(), quirks));
            let value = match value {
                Some(Value::String(value)) => checked_id(value)?,
                _ => {
                    return Err(ScimError::invalid_value(
                        "members: each member needs a value, the id of a user or group",
                    ));
                }
            };
            let display = text(&member, "display", quirks)?;
            Ok(MemberRef { value, kind: member_kind(&member, quirks)?, display })
        }
        _ => Err(ScimError::invalid_value("members must be a list of objects with a value")),
    }
}

fn checked_id(value: String) -> Result<String, ScimError> {
    check_string("members.value", &value)?;
    if value.is_empty() {
        return Err(ScimError::invalid_value("members: a value must not be empty"));
    }
    Ok(value)
}

/// By `type`, else by the collection in `$ref`.
fn member_kind(member: &Map<String, Value>, quirks: &mut Quirks) -> Result<MemberKind, ScimError> {
    let by_type = match text(member, "type", quirks)?.map(|name| name.to_ascii_lowercase()).as_deref() {
        Some("user") => MemberKind::User,
        Some("group") => MemberKind::Group,
        _ => MemberKind::Unknown,
    };
    let reference = text(member, "$ref", quirks)?.unwrap_or_default();
    let refers_to =
        |collection: &str| reference.rsplit('/').nth(1).is_some_and(|part| part.eq_ignore_ascii_case(collection));
    Ok(match by_type {
        MemberKind::Unknown if refers_to("Users") => MemberKind::User,
        MemberKind::Unknown if refers_to("Groups") => MemberKind::Group,
        known => known,
    })
}

fn text(member: &Map<String, Value>, name: &str, quirks: &mut Quirks) -> Result<Option<String>, ScimError> {
    match get_ignore_case(member, name) {
        Some(Value::String(text)) => {
            check_string(name, text)?;
            Ok(Some(text.clone()))
        }
        Some(Value::Null) => {
            quirks.note(Quirk::NullValue);
            Ok(None)
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Vec<MemberRef>, ScimError> {
        read_members(value, 3, &mut Quirks::new())
    }

    #[test]
    fn members_come_in_many_forms() {
        let members =
            read(json!([{ "$ref": null, "value": "a" }, "b", { "VALUE": "c", "type": "group", "display": "C" }]))
                .expect("members");
        let group = MemberRef { value: "c".into(), kind: MemberKind::Group, display: Some("C".into()) };
        assert_eq!(members, [MemberRef::of_id("a"), MemberRef::of_id("b"), group]);
        assert_eq!(read(json!({ "value": "a" })), Ok(vec![MemberRef::of_id("a")]));
        assert_eq!(read(json!("a")), Ok(vec![MemberRef::of_id("a")]));
        let by_reference = read(json!([{ "value": "a", "$ref": "https://x/scim/Users/a" }])).expect("members");
        assert_eq!(by_reference[0].kind, MemberKind::User);
    }

    #[test]
    fn each_is_kept_once() {
        assert_eq!(read(json!(["a", { "value": "a" }, "b"])), Ok(vec![MemberRef::of_id("a"), MemberRef::of_id("b")]));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [json!([{}]), json!([1]), json!([""]), json!([{ "value": 5 }]), json!(["a\0"]), json!(7)] {
            assert_eq!(read(bad.clone()).expect_err("nonsense").status, 400, "{bad}");
        }
        assert_eq!(read(json!(["a", "b", "c", "d"])).expect_err("too many").status, 413);
    }
}
