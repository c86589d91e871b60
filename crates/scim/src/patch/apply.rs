//! Changes applied to canonical attributes, one after the other. The outcome is brought into canonical form once, at the end:
//! an element that an operation begins may be completed by a later one.

use serde_json::{Map, Value};

use super::{PatchRequest, PatchStep, elements};
use crate::bounds::{Work, check_extensions, check_keys, json_bytes};
use crate::canonical::{is_hollow, is_hollow_element, keep_one_primary};
use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::path::AttrPath;
use crate::schema::{Kind, is_urn, spelling};

/// A patch while it is applied.
pub(super) struct Applying<'p> {
    pub(super) patch: &'p PatchRequest,
    pub(super) work: Work,
    pub(super) quirks: &'p mut Quirks,
    /// Whether something may have been emptied or begun and not completed.
    untidy: bool,
}

/// The attributes after all changes of `patch`; membership is not among them.
pub(super) fn apply(
    attributes: &Map<String, Value>,
    patch: &PatchRequest,
    quirks: &mut Quirks,
) -> Result<Map<String, Value>, ScimError> {
    let mut after = attributes.clone();
    let mut applying = Applying { patch, work: Work::of_one_patch(), quirks, untidy: false };
    for change in &patch.changes {
        applying.change(&mut after, change)?;
    }
    applying.tidy(&mut after);
    Ok(after)
}

/// As [`apply`], without the changes that cannot be made.
pub(super) fn apply_what_can_be(
    attributes: &Map<String, Value>,
    patch: &PatchRequest,
    quirks: &mut Quirks,
) -> Map<String, Value> {
    let mut after = attributes.clone();
    let mut applying = Applying { patch, work: Work::of_one_patch(), quirks, untidy: false };
    for change in &patch.changes {
        let copied = applying.work.take(json_bytes(&after));
        let before = copied.is_ok().then(|| after.clone());
        if copied.and_then(|()| applying.change(&mut after, change)).is_err() {
            applying.quirks.note(Quirk::ValueLeftOut);
            if let Some(before) = before {
                after = before;
            }
        }
    }
    applying.tidy(&mut after);
    after
}

impl Applying<'_> {
    fn change(&mut self, attributes: &mut Map<String, Value>, change: &PatchStep) -> Result<(), ScimError> {
        match change {
            PatchStep::Members(_) => Ok(()),
            PatchStep::Set(path, value) => self.in_holder(attributes, path, |it, holder| it.set(holder, path, value)),
            PatchStep::Unset(path) => self.in_holder(attributes, path, |it, holder| it.unset(holder, path)),
            PatchStep::UnsetExtension(urn) => {
                self.work.take(attributes.len())?;
                attributes.remove(&spelling(attributes, urn));
                Ok(())
            }
            PatchStep::Append(attribute, path, values) => self.edit_list(attributes, path, |it, list| {
                let before = list.len();
                elements::append(Some(attribute), list, values, it)?;
                it.check_grown(attribute.name, before, list.len())
            }),
            PatchStep::RemoveElements(attribute, path, values) => self
                .edit_list(attributes, path, |it, list| elements::remove(Some(attribute), list, values, &mut it.work)),
            PatchStep::Elements { path, filter, edit } => self.edit_list(attributes, path, |it, list| {
                elements::edit_selected(&path.attribute, list, filter, edit, it)
            }),
            PatchStep::Custom(change) => self.custom(attributes, change),
        }
    }

    /// Runs `edit` on the object that holds the path's attribute: the resource, or an extension.
    fn in_holder(
        &mut self,
        attributes: &mut Map<String, Value>,
        path: &AttrPath,
        edit: impl FnOnce(&mut Self, &mut Map<String, Value>) -> Result<(), ScimError>,
    ) -> Result<(), ScimError> {
        // A name without an exact match is searched among all.
        self.work.take(1 + attributes.len())?;
        match &path.extension {
            None => edit(self, attributes),
            Some(urn) => self.in_extension(attributes, urn, edit),
        }
    }

    /// Runs `edit` on an extension, which is made when it is not there.
    pub(super) fn in_extension(
        &mut self,
        attributes: &mut Map<String, Value>,
        urn: &str,
        edit: impl FnOnce(&mut Self, &mut Map<String, Value>) -> Result<(), ScimError>,
    ) -> Result<(), ScimError> {
        let urn = spelling(attributes, urn);
        let (mut extension, is_new) = match attributes.remove(&urn) {
            Some(Value::Object(extension)) => (extension, false),
            _ => (Map::new(), true),
        };
        let before = extension.len();
        self.work.take(before)?;
        edit(self, &mut extension)?;
        if extension.len() > before {
            check_keys(&urn, extension.len())?;
        }
        if is_new && extension.is_empty() {
            return Ok(());
        }
        self.untidy |= extension.is_empty();
        attributes.insert(urn, Value::Object(extension));
        if is_new {
            check_extensions(attributes.keys().filter(|key| is_urn(key)).count())?;
        }
        Ok(())
    }

    fn set(&mut self, holder: &mut Map<String, Value>, path: &AttrPath, value: &Value) -> Result<(), ScimError> {
        let name = spelling(holder, &path.attribute);
        let bytes = json_bytes(value);
        self.work.take(bytes)?;
        // A list may have elements that say nothing yet.
        self.untidy |= value.is_array();
        let Some(sub) = &path.sub else {
            holder.insert(name, value.clone());
            return Ok(());
        };
        match holder.get_mut(&name) {
            Some(Value::Object(members)) => {
                let before = members.len();
                self.work.take(before)?;
                members.insert(spelling(members, sub), value.clone());
                if members.len() > before {
                    check_keys(&name, members.len())?;
                }
            }
            Some(Value::Array(list)) => {
                self.work.take(list.len() * (1 + bytes))?;
                for element in list.iter_mut().filter_map(Value::as_object_mut) {
                    element.insert(sub.to_string(), value.clone());
                }
                keep_one_primary(list, None, &mut Quirks::new());
            }
            _ => {
                let fresh = Value::Object(Map::from_iter([(sub.to_string(), value.clone())]));
                self.untidy |= path.multi;
                holder.insert(name, if path.multi { Value::Array(vec![fresh]) } else { fresh });
            }
        }
        Ok(())
    }

    fn unset(&mut self, holder: &mut Map<String, Value>, path: &AttrPath) -> Result<(), ScimError> {
        self.untidy = true;
        let name = spelling(holder, &path.attribute);
        match (&path.sub, holder.get_mut(&name)) {
            (Some(sub), Some(Value::Object(members))) => {
                self.work.take(members.len())?;
                members.remove(&spelling(members, sub));
            }
            (Some(sub), Some(Value::Array(list))) => {
                self.work.take(list.len())?;
                for element in list.iter_mut().filter_map(Value::as_object_mut) {
                    element.remove(sub.as_ref());
                }
            }
            (Some(_), _) => {}
            (None, _) => {
                holder.remove(&name);
            }
        }
        Ok(())
    }

    /// Runs `edit` on the list at `path`, which is made when it is not there.
    fn edit_list(
        &mut self,
        attributes: &mut Map<String, Value>,
        path: &AttrPath,
        edit: impl FnOnce(&mut Self, &mut Vec<Value>) -> Result<(), ScimError>,
    ) -> Result<(), ScimError> {
        self.in_holder(attributes, path, |it, holder| it.edit_list_in(holder, &path.attribute, edit))
    }

    pub(super) fn edit_list_in(
        &mut self,
        holder: &mut Map<String, Value>,
        name: &str,
        edit: impl FnOnce(&mut Self, &mut Vec<Value>) -> Result<(), ScimError>,
    ) -> Result<(), ScimError> {
        let name = spelling(holder, name);
        let mut list = match holder.remove(&name) {
            Some(Value::Array(list)) => list,
            Some(single) => vec![single],
            None => Vec::new(),
        };
        edit(self, &mut list)?;
        self.untidy = true;
        if !list.is_empty() {
            holder.insert(name, Value::Array(list));
        }
        Ok(())
    }

    pub(super) fn check_grown(&self, name: &str, before: usize, after: usize) -> Result<(), ScimError> {
        if after > before { crate::bounds::check_count(name, after) } else { Ok(()) }
    }

    pub(super) fn leaves_untidy(&mut self) {
        self.untidy = true;
    }

    /// Drops empty values: elements that were begun and not completed, emptied lists, objects and extensions.
    fn tidy(&self, attributes: &mut Map<String, Value>) {
        if !self.untidy {
            return;
        }
        attributes.retain(|name, value| match value {
            Value::Object(members) if is_urn(name) => {
                members.retain(|_, value| !is_empty(value, false));
                !members.is_empty()
            }
            value => {
                let defined = value.is_array().then(|| self.patch.kind.attribute(name)).flatten();
                !is_empty(value, defined.is_some_and(|it| it.multi && it.kind == Kind::Complex))
            }
        });
    }
}

/// True if a value is empty once elements without content are removed. Only in the schema's own lists an element with a `type`
/// alone has no content.
fn is_empty(value: &mut Value, is_defined_list: bool) -> bool {
    match value {
        Value::Array(list) => {
            list.retain(|element| match element {
                Value::Object(members) if !is_defined_list => !is_hollow(false, members),
                element => !is_hollow_element(element),
            });
            list.is_empty()
        }
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}
