//! Operations on attributes of extensions that this server does not define, by the rules of RFC 7644 §3.5.2 for any attribute:
//! lists grow and lose single values, objects are merged. The target of the path is resolved once the resource is at hand
//! ([`crate::custom`]).

use serde_json::{Map, Value};

use super::apply::Applying;
use super::parse::{Op, Reader};
use super::target::CustomPath;
use super::{Edit, PatchStep, elements};
use crate::bounds::{check_keys, json_bytes};
use crate::custom::{Named, extensions_of, interpret, is_attribute};
use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::path::quoted;
use crate::schema::spelling;
use crate::untyped::read_any;

/// One operation, its value checked.
#[derive(Debug, Clone)]
pub(super) struct CustomChange {
    path: CustomPath,
    op: Op,
    value: Option<Value>,
}

impl Reader<'_> {
    pub(super) fn at_custom(&mut self, op: Op, path: CustomPath, value: Option<Value>) -> Result<(), ScimError> {
        if let Some(value) = &value {
            read_any(value.clone(), path.last_name(), self.quirks)?;
        }
        let may_be_extension = path.filter.is_none()
            && (op == Op::Remove || value.as_ref().is_some_and(|value| value.is_object() || value.is_null()));
        if !may_be_extension && !is_attribute(path.last_name()) {
            return Err(ScimError::invalid_path(format!("{} is not an attribute path", quoted(&path.text))));
        }
        self.changes.push(PatchStep::Custom(CustomChange { path, op, value }));
        Ok(())
    }
}

impl Applying<'_> {
    pub(super) fn custom(
        &mut self,
        attributes: &mut Map<String, Value>,
        change: &CustomChange,
    ) -> Result<(), ScimError> {
        self.work.take(1 + attributes.len())?;
        let CustomChange { path, op, value } = change;
        match self.settled(attributes, change) {
            Some(Named::Extension(urn)) => self.custom_extension(attributes, &urn, *op, value.as_ref()),
            Some(Named::Attribute { urn, name, sub }) => {
                let sub = path.sub.as_deref().or(sub.as_deref());
                self.in_extension(attributes, &urn, |it, extension| match &path.filter {
                    Some(filter) => it.selected(extension, &name, sub, filter, *op, value.as_ref()),
                    None => it.custom_attribute(extension, &name, sub, *op, value.as_ref()),
                })
            }
            // Only something to remove gets here: it is not there.
            None => Ok(()),
        }
    }

    /// Settles the meaning of the path by the extensions of the resource and those that `schemas` announces.
    fn settled(&self, attributes: &Map<String, Value>, change: &CustomChange) -> Option<Named> {
        let CustomChange { path, value, .. } = change;
        let is_object = path.filter.is_none() && value.as_ref().is_some_and(Value::is_object);
        let announced = self.patch.announced.iter().map(String::as_str);
        let known = extensions_of(attributes).chain(announced);
        let read = interpret(self.patch.kind, &path.text, is_object, known.clone())?;
        match read.named {
            // An extension has no elements to select.
            Named::Extension(urn) if path.filter.is_some() => {
                let others = known.filter(|known| !known.eq_ignore_ascii_case(&urn));
                interpret(self.patch.kind, &path.text, false, others).map(|read| read.named)
            }
            named => Some(named),
        }
    }

    /// An extension as a whole: its object is merged.
    fn custom_extension(
        &mut self,
        attributes: &mut Map<String, Value>,
        urn: &str,
        op: Op,
        value: Option<&Value>,
    ) -> Result<(), ScimError> {
        match (op, value) {
            (Op::Remove, _) | (Op::Replace, None | Some(Value::Null)) => {
                attributes.remove(&spelling(attributes, urn));
                Ok(())
            }
            (Op::Add, None | Some(Value::Null)) => Ok(()),
            (_, Some(Value::Object(members))) => self.in_extension(attributes, urn, |it, extension| {
                members.iter().try_for_each(|(name, value)| it.custom_attribute(extension, name, None, op, Some(value)))
            }),
            (_, Some(_)) => Err(ScimError::invalid_value(format!("{urn} must be an object"))),
        }
    }

    /// An attribute, or a sub-attribute of it: of a list, of each of its elements.
    fn custom_attribute(
        &mut self,
        extension: &mut Map<String, Value>,
        name: &str,
        sub: Option<&str>,
        op: Op,
        value: Option<&Value>,
    ) -> Result<(), ScimError> {
        self.leaves_untidy();
        self.work.take(1 + extension.len())?;
        let name = spelling(extension, name);
        let Some(sub) = sub else { return self.slot(extension, &name, op, value) };
        match extension.get_mut(&name) {
            Some(Value::Object(members)) => {
                self.work.take(members.len())?;
                let before = members.len();
                self.slot(members, &spelling(members, sub), op, value)?;
                if members.len() > before { check_keys(&name, members.len()) } else { Ok(()) }
            }
            Some(Value::Array(list)) => {
                self.work.take(list.len() * (1 + value.map_or(0, json_bytes)))?;
                let mut elements = list.iter_mut().filter_map(Value::as_object_mut);
                elements.try_for_each(|element| self.slot(element, &spelling(element, sub), op, value))
            }
            _ if op == Op::Remove => Ok(()),
            _ => {
                let mut members = Map::new();
                self.slot(&mut members, sub, op, value)?;
                if !members.is_empty() {
                    extension.insert(name, Value::Object(members));
                }
                Ok(())
            }
        }
    }

    /// One value of an object, whatever it is: a list grows, an object is merged, anything else is replaced.
    fn slot(
        &mut self,
        holder: &mut Map<String, Value>,
        name: &str,
        op: Op,
        value: Option<&Value>,
    ) -> Result<(), ScimError> {
        let value = value.filter(|value| !value.is_null());
        self.work.take(value.map_or(0, json_bytes))?;
        match (op, holder.get_mut(name), value) {
            (Op::Add, _, None) => {}
            (Op::Add, Some(Value::Array(list)), Some(value)) => {
                let before = list.len();
                elements::append(None, list, &values_of(value), self)?;
                self.check_grown(name, before, list.len())?;
            }
            (Op::Add | Op::Replace, Some(Value::Object(members)), Some(Value::Object(more))) => {
                let before = members.len();
                for (key, value) in more {
                    if !members.contains_key(key) {
                        self.work.take(members.len())?;
                    }
                    let key = spelling(members, key);
                    match canonical(value) {
                        Some(value) => {
                            members.insert(key, value);
                        }
                        None if op == Op::Replace => {
                            members.remove(&key);
                        }
                        None => {}
                    }
                }
                if members.len() > before {
                    check_keys(name, members.len())?;
                }
            }
            (Op::Remove, Some(Value::Array(list)), Some(value)) => {
                elements::remove(None, list, &values_of(value), &mut self.work)?;
            }
            (Op::Remove, _, _) | (Op::Replace, _, None) => {
                holder.remove(name);
            }
            (Op::Add | Op::Replace, _, Some(value)) => match canonical(value) {
                Some(value) => {
                    holder.insert(name.to_owned(), value);
                }
                None if op == Op::Replace => {
                    holder.remove(name);
                }
                None => {}
            },
        }
        Ok(())
    }

    /// The elements of a list that fulfil a filter.
    fn selected(
        &mut self,
        extension: &mut Map<String, Value>,
        name: &str,
        sub: Option<&str>,
        filter: &crate::filter::Filter,
        op: Op,
        value: Option<&Value>,
    ) -> Result<(), ScimError> {
        let given = value.filter(|_| op != Op::Remove).and_then(canonical);
        let given = match given {
            Some(Value::Array(mut list)) if sub.is_none() && list.len() == 1 => list.pop(),
            Some(Value::Array(_)) if sub.is_none() => {
                return Err(ScimError::invalid_value(format!("{name}: a selected element takes one value")));
            }
            given => given,
        };
        let edit = match (given, sub) {
            (Some(value), Some(sub)) => Edit::Merge(Map::from_iter([(sub.to_owned(), value)])),
            (Some(Value::Object(members)), None) => Edit::Merge(members),
            (Some(value), None) => Edit::Value(value),
            (None, _) if op == Op::Add => return Ok(()),
            (None, Some(sub)) => Edit::Unset(sub.to_owned()),
            (None, None) => Edit::Remove,
        };
        self.edit_list_in(extension, name, |it, list| elements::edit_selected(name, list, filter, &edit, it))
    }
}

/// A value without nulls and empties; it was checked and counted when it was read.
fn canonical(value: &Value) -> Option<Value> {
    read_any(value.clone(), "", &mut Quirks::new()).ok().flatten()
}

fn values_of(value: &Value) -> Vec<Value> {
    let given = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    given.iter().filter_map(canonical).collect()
}
