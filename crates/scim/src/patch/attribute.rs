//! Operations on attributes that the schema defines: whole, by sub-attribute, or by selected elements.

use serde_json::{Map, Value};

use super::parse::{Op, Reader};
use super::{Edit, PatchStep};
use crate::canonical::{Elements, read_elements, read_object, read_value};
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
                let values = read_elements(attribute, values, Elements::Whole, self.quirks)?;
                Some(PatchStep::RemoveElements(attribute, path, values))
            }
            (Op::Remove, _) => Some(PatchStep::Unset(path)),
            (_, None) => unset(attribute, path),
            (Op::Add, Some(values)) if attribute.multi => {
                let values = read_elements(attribute, values, Elements::Partial, self.quirks)?;
                (!values.is_empty()).then_some(PatchStep::Append(attribute, path, values))
            }
            (Op::Replace, Some(values)) if attribute.multi => {
                let values = read_elements(attribute, values, Elements::Partial, self.quirks)?;
                Some(if values.is_empty() {
                    PatchStep::Unset(path)
                } else {
                    PatchStep::Set(path, Value::Array(values))
                })
            }
            (_, Some(Value::Object(members))) if merges => return self.merge_complex(op, attribute, &path, members),
            (_, Some(value)) => match read_value(attribute, attribute.name, value, self.quirks)? {
                Some(value) => Some(PatchStep::Set(path, value)),
                None if op == Op::Replace => unset(attribute, path),
                None => None,
            },
        });
        Ok(())
    }

    /// `name {…}`: each sub-attribute on its own.
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
        // For another manager the sub-attributes of the former one are dropped.
        let (path, read) = if is_reference_like(attribute) && sub.name == "value" {
            let whole = read.map(|value| Value::Object(Map::from_iter([("value".to_owned(), value)])));
            (AttrPath { sub: None, kind: attribute.kind, ..path }, whole)
        } else {
            (path, read)
        };
        self.changes.extend(match read {
            Some(value) => Some(PatchStep::Set(path, value)),
            None => (op != Op::Add).then_some(PatchStep::Unset(path)),
        });
        Ok(())
    }

    /// `emails[type eq "work"]` with or without a sub-attribute.
    pub(super) fn at_elements(
        &mut self,
        op: Op,
        attribute: &'static Attribute,
        resolved: Resolved,
        filter: Filter,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        let Resolved { path, sub, .. } = resolved;
        let given = value.filter(|value| op != Op::Remove && !value.is_null());
        let read = match (given, sub) {
            (None, _) => None,
            (Some(value), None) => self.one_element(attribute, value)?,
            (Some(value), Some(sub)) => read_value(sub, &path.to_string(), value, self.quirks)?
                .map(|value| Map::from_iter([(sub.name.to_owned(), value)])),
        };
        let edit = match (read, sub) {
            (Some(members), _) if members.is_empty() => return Ok(()),
            (Some(members), _) => Edit::Merge(members),
            (None, _) if op == Op::Add => return Ok(()),
            (None, Some(sub)) => Edit::Unset(sub.name.to_owned()),
            (None, None) => Edit::Remove,
        };
        let path = AttrPath { sub: None, ..path };
        self.changes.push(PatchStep::Elements { path, filter, edit });
        Ok(())
    }

    /// The value for a selected element: an object, a bare value, or a list of one.
    fn one_element(
        &mut self,
        attribute: &'static Attribute,
        value: Value,
    ) -> Result<Option<Map<String, Value>>, ScimError> {
        let value = match value {
            Value::Array(mut list) if list.len() == 1 => list.remove(0),
            Value::Array(_) => {
                let detail = format!("{}: a selected element takes one value", attribute.name);
                return Err(ScimError::invalid_value(detail));
            }
            single => single,
        };
        read_object(attribute, attribute.name, value, self.quirks)
    }
}

/// The effect of null. It leaves `active` unchanged.
fn unset(attribute: &Attribute, path: AttrPath) -> Option<PatchStep> {
    (attribute.name != "active").then_some(PatchStep::Unset(path))
}

/// Accepted and not stored: the password, and `schemas`, which are derived.
fn is_dropped(attribute: &Attribute) -> bool {
    attribute.mutability == Mutability::WriteOnly || attribute.name == "schemas"
}

/// True if an attribute refers to another resource and is therefore replaced as a whole.
fn is_reference_like(attribute: &Attribute) -> bool {
    !attribute.multi && attribute.sub.iter().any(|sub| sub.name == "$ref")
}
