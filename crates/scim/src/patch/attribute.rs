//! Operations on attributes that the schema defines: whole, by sub-attribute, or by selected elements.

use serde_json::{Map, Value};

use super::parse::{Op, Reader};
use super::{Change, Edit};
use crate::canonical::{read_any, read_elements, read_object, read_value};
use crate::dialect::Quirk;
use crate::error::ScimError;
use crate::filter::Filter;
use crate::path::{AttrPath, Resolved};
use crate::schema::{Attribute, Kind, Mutability};

impl Reader<'_> {
    /// A whole attribute.
    pub(super) fn at_attribute(
        &mut self,
        op: Op,
        attribute: &'static Attribute,
        path: AttrPath,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        if is_dropped(attribute) {
            return value.map_or(Ok(()), |value| read_value(attribute, attribute.name, value, self.quirks).map(drop));
        }
        let given = value.filter(|value| !value.is_null() || op != Op::Remove);
        let merges = attribute.kind == Kind::Complex && !attribute.multi && !is_reference_like(attribute);
        self.changes.extend(match (op, given) {
            (Op::Remove, Some(values)) if attribute.multi => {
                self.quirks.note(Quirk::RemoveValueList);
                let values = read_elements(attribute, values, self.quirks)?;
                Some(Change::RemoveElements(attribute, path, values))
            }
            (Op::Remove, _) => Some(Change::Unset(path)),
            (_, None) => unset(attribute, path),
            (Op::Add, Some(values)) if attribute.multi => {
                let values = read_elements(attribute, values, self.quirks)?;
                (!values.is_empty()).then_some(Change::Append(attribute, path, values))
            }
            (_, Some(Value::Object(members))) if merges => return self.merge_complex(op, attribute, &path, members),
            (_, Some(value)) => match read_value(attribute, attribute.name, value, self.quirks)? {
                Some(value) => Some(Change::Set(path, value)),
                None if op == Op::Replace => unset(attribute, path),
                None => None,
            },
        });
        Ok(())
    }

    /// `name {…}`: each sub-attribute for itself.
    fn merge_complex(
        &mut self,
        op: Op,
        attribute: &'static Attribute,
        path: &AttrPath,
        members: Map<String, Value>,
    ) -> Result<(), ScimError> {
        for (name, value) in members {
            let Some(sub) = attribute.sub(&name) else {
                self.quirks.note(Quirk::UnknownAttribute);
                continue;
            };
            let path = AttrPath { sub: Some(sub.name.into()), kind: sub.kind, ..path.clone() };
            self.at_sub_attribute(op, attribute, sub, path, Some(value))?;
        }
        Ok(())
    }

    /// `name.givenName`, `manager.value`, `emails.value`.
    pub(super) fn at_sub_attribute(
        &mut self,
        op: Op,
        attribute: &'static Attribute,
        sub: &'static Attribute,
        path: AttrPath,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        if sub.mutability == Mutability::ReadOnly {
            self.quirks.note(Quirk::ReadOnlyIgnored);
            return Ok(());
        }
        let read = match value {
            Some(value) if op != Op::Remove => read_value(sub, &path.to_string(), value, self.quirks)?,
            _ => None,
        };
        // Another manager: what was said of the former does not hold for the new one.
        let (path, read) = if is_reference_like(attribute) && sub.name == "value" {
            let whole = read.map(|value| Value::Object(Map::from_iter([("value".to_owned(), value)])));
            (AttrPath { sub: None, kind: attribute.kind, ..path }, whole)
        } else {
            (path, read)
        };
        self.changes.extend(match read {
            Some(value) => Some(Change::Set(path, value)),
            None => (op != Op::Add).then_some(Change::Unset(path)),
        });
        Ok(())
    }

    /// `emails[type eq "work"]` with or without a sub-attribute.
    pub(super) fn at_elements(
        &mut self,
        op: Op,
        resolved: Resolved,
        filter: Filter,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        let Resolved { path, attribute, sub } = resolved;
        let given = value.filter(|value| op != Op::Remove && !value.is_null());
        let read = match (given, &path.sub) {
            (None, _) => None,
            (Some(value), None) => self.one_element(attribute, &path, value)?,
            (Some(value), Some(name)) => match sub {
                Some(sub) => read_value(sub, &path.to_string(), value, self.quirks)?,
                None => read_any(value, name, self.quirks)?,
            }
            .map(|value| Map::from_iter([(name.to_string(), value)])),
        };
        let edit = match (read, &path.sub) {
            (Some(members), _) if members.is_empty() => return Ok(()),
            (Some(members), _) => Edit::Merge(members),
            (None, _) if op == Op::Add => return Ok(()),
            (None, Some(sub)) => Edit::Unset(sub.to_string()),
            (None, None) => Edit::Remove,
        };
        let path = AttrPath { sub: None, ..path };
        self.changes.push(Change::Elements { path, filter, edit });
        Ok(())
    }

    /// The value for a selected element: an object, a bare value, or a list of one.
    fn one_element(
        &mut self,
        attribute: Option<&'static Attribute>,
        path: &AttrPath,
        value: Value,
    ) -> Result<Option<Map<String, Value>>, ScimError> {
        let value = match value {
            Value::Array(mut list) if list.len() == 1 => list.remove(0),
            Value::Array(_) => {
                return Err(ScimError::invalid_value(format!("{path}: a selected element takes one value")));
            }
            single => single,
        };
        match attribute {
            Some(attribute) => read_object(attribute, attribute.name, value, self.quirks),
            None => match read_any(value, &path.attribute, self.quirks)? {
                Some(Value::Object(members)) => Ok(Some(members)),
                Some(_) => Err(ScimError::invalid_value(format!("{path}: the value must be an object"))),
                None => Ok(None),
            },
        }
    }
}

/// What null does. Of `active` it is no word: it stays as it is.
fn unset(attribute: &Attribute, path: AttrPath) -> Option<Change> {
    (attribute.name != "active").then_some(Change::Unset(path))
}

/// Accepted and not kept: the password, and `schemas`, which follow from what is there.
fn is_dropped(attribute: &Attribute) -> bool {
    attribute.mutability == Mutability::WriteOnly || attribute.name == "schemas"
}

/// Whether an attribute points to another resource and is therefore replaced as a whole.
fn is_reference_like(attribute: &Attribute) -> bool {
    !attribute.multi && attribute.sub.iter().any(|sub| sub.name == "$ref")
}
