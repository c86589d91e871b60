//! Parses a PATCH body into a flat list of changes.

use serde_json::{Map, Value};

use super::target::{PathOrFilterError, Target, target};
use super::{PatchRequest, PatchStep, members};
use crate::custom::announce;
use crate::dialect::{Quirk, Quirks};
use crate::error::{SCIM_1_HINT, ScimError, ScimType};
use crate::flaws::{Flaws, LeftOut};
use crate::json::parse_json;
use crate::limits::Limits;
use crate::path::{PathError, Resolved, quoted, resolve};
use crate::scalars::only_object;
use crate::schema::{Mutability, ResourceKind, Schema, get_ignore_case, is_scim_1, is_urn};

/// Kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Replace,
    Remove,
}

pub(super) fn parse(
    kind: ResourceKind,
    body: Value,
    limits: &Limits,
    quirks: &mut Quirks,
) -> Result<PatchRequest, ScimError> {
    let mut body = match body {
        Value::Object(body) => body,
        _ => return Err(ScimError::invalid_syntax("a PATCH body must be a JSON object with Operations")),
    };
    let operations = match take_ignore_case(&mut body, "Operations") {
        Some(Value::Array(operations)) if !operations.is_empty() => operations,
        _ if says_scim_1(&body) => return Err(ScimError::invalid_syntax(SCIM_1_HINT)),
        _ => return Err(ScimError::invalid_syntax("Operations must be a list of at least one operation")),
    };
    let mut announced = Vec::new();
    if let Some(schemas) = get_ignore_case(&body, "schemas") {
        announce(schemas, &mut announced);
    }
    let members_left = limits.members_per_request;
    let flaws = Flaws::default();
    let mut reader = Reader { kind, quirks, changes: Vec::new(), announced, flaws, members_left, limits };
    if operations.len() > limits.patch_operations {
        let detail = format!("at most {} operations are taken in one PATCH", limits.patch_operations);
        reader.flaw("Operations", ScimError::too_large(detail))?;
    }
    for operation in operations {
        reader.operation(operation).or_else(|error| reader.flaw("Operations", error))?;
    }
    let Reader { changes, announced, flaws, .. } = reader;
    let patch = PatchRequest { kind, changes, announced };
    flaws.tolerated(patch.ends_access(), quirks)?;
    Ok(patch)
}

/// SCIM 1.1 has no Operations: a PATCH is a partial resource, and a removed member has an `operation`.
fn says_scim_1(body: &Map<String, Value>) -> bool {
    let any_in = |name: &str, is: fn(&Value) -> bool| match get_ignore_case(body, name) {
        Some(Value::Array(items)) => items.iter().any(is),
        _ => false,
    };
    any_in("schemas", |urn| urn.as_str().is_some_and(is_scim_1))
        || any_in("members", |member| member.as_object().is_some_and(|it| get_ignore_case(it, "operation").is_some()))
}

/// Reads operations one after the other.
pub(super) struct Reader<'a> {
    kind: ResourceKind,
    pub(super) quirks: &'a mut Quirks,
    pub(super) changes: Vec<PatchStep>,
    announced: Vec<String>,
    flaws: Flaws,
    /// How many more members may be named.
    pub(super) members_left: usize,
    pub(super) limits: &'a Limits,
}

impl Reader<'_> {
    /// Notes an impossible operation. Reading goes on while the patch may still end a person's access.
    fn flaw(&mut self, name: &str, error: ScimError) -> Result<(), ScimError> {
        if self.kind != ResourceKind::User {
            return Err(error);
        }
        self.flaws.add(LeftOut::core(name), error);
        Ok(())
    }

    fn operation(&mut self, operation: Value) -> Result<(), ScimError> {
        let Value::Object(mut operation) = operation else {
            return Err(ScimError::invalid_syntax("each of Operations must be an object"));
        };
        let op = self.op(get_ignore_case(&operation, "op"))?;
        let value = take_ignore_case(&mut operation, "value");
        match take_ignore_case(&mut operation, "path") {
            Some(Value::String(path)) if !path.is_empty() => self.at_path(op, &path, value),
            None | Some(Value::Null | Value::String(_)) => self.without_path(op, value),
            Some(_) => Err(ScimError::invalid_path("path must be a string")),
        }
    }

    fn op(&mut self, op: Option<&Value>) -> Result<Op, ScimError> {
        let Some(text) = op.and_then(Value::as_str) else {
            return Err(ScimError::invalid_syntax("each operation needs an op: add, replace or remove"));
        };
        let read = match text.to_ascii_lowercase().as_str() {
            "add" => Op::Add,
            "replace" => Op::Replace,
            "remove" => Op::Remove,
            _ => return Err(ScimError::invalid_syntax(format!("op {} is not add, replace or remove", quoted(text)))),
        };
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.quirks.note(Quirk::CapitalisedOp);
        }
        Ok(read)
    }

    /// The value is an object whose keys are attributes, or paths (docs/scim.md#traps, 5).
    fn without_path(&mut self, op: Op, value: Option<Value>) -> Result<(), ScimError> {
        if op == Op::Remove {
            return Err(ScimError::no_target("remove needs a path"));
        }
        let value = match value {
            Some(Value::String(text)) => {
                self.quirks.note(Quirk::JsonInString);
                Some(parse_json(text.as_bytes())?)
            }
            other => other,
        };
        let value = value.map(|value| only_object(value, self.quirks));
        let Some(Value::Object(members)) = value else {
            return Err(ScimError::invalid_value("an operation without a path needs an object as value"));
        };
        if let Some(schemas) = get_ignore_case(&members, "schemas") {
            announce(schemas, &mut self.announced);
        }
        members
            .into_iter()
            .try_for_each(|(key, value)| self.at_key(op, &key, value).or_else(|error| self.flaw(&key, error)))
    }

    /// One key of a value without path. Keys that a client only echoes are ignored here.
    fn at_key(&mut self, op: Op, key: &str, value: Value) -> Result<(), ScimError> {
        match target(self.kind, key, self.quirks) {
            Ok(Target::Attribute { resolved, .. }) if is_echo(&resolved) => Ok(()),
            Ok(Target::Custom(path)) => {
                if !value.is_object() {
                    self.note_key(key);
                }
                match self.at_custom(op, path, Some(value)) {
                    Err(error) if error.scim_type == Some(ScimType::InvalidPath) => self.ignore_unknown(),
                    read => read,
                }
            }
            Ok(found) => {
                if let Target::Attribute { .. } = found {
                    self.note_key(key);
                }
                self.at_target(op, found, Some(value))
            }
            Err(PathOrFilterError::Path(_)) => self.ignore_unknown(),
            Err(PathOrFilterError::Filter(error)) => Err(error),
        }
    }

    fn note_key(&mut self, key: &str) {
        if is_urn(key) {
            self.quirks.note(Quirk::UrnKey);
        } else if key.contains(['.', '[']) {
            self.quirks.note(Quirk::DottedKey);
        }
    }

    fn at_path(&mut self, op: Op, path: &str, value: Option<Value>) -> Result<(), ScimError> {
        if op != Op::Remove && value.is_none() {
            return Err(ScimError::invalid_value(format!("the operation on {} has no value", quoted(path))));
        }
        match target(self.kind, path, self.quirks) {
            Ok(Target::Attribute { resolved, .. }) if is_read_only(&resolved) => {
                Err(ScimError::mutability(format!("{} is read-only", resolved.path)))
            }
            Ok(found) => self.at_target(op, found, value),
            Err(PathOrFilterError::Path(PathError::Unknown(_))) => self.ignore_unknown(),
            Err(PathOrFilterError::Path(error)) => Err(path_error(error)),
            Err(PathOrFilterError::Filter(error)) => Err(error),
        }
    }

    /// An unknown attribute is ignored, because one unknown mapping must not fail the rest of the request.
    fn ignore_unknown(&mut self) -> Result<(), ScimError> {
        self.quirks.note(Quirk::UnknownAttribute);
        Ok(())
    }

    fn at_target(&mut self, op: Op, target: Target, value: Option<Value>) -> Result<(), ScimError> {
        match target {
            Target::Resource => self.without_path(op, value),
            Target::Extension(schema) => self.at_extension(op, schema, value),
            Target::Attribute { resolved, filter }
                if resolved.path.core().is_some_and(|(name, _)| name == "members") =>
            {
                members::read(self, op, &resolved, filter, value)
            }
            Target::Custom(path) => self.at_custom(op, path, value),
            Target::Attribute { resolved, filter } => match (resolved.attribute, resolved.sub, filter) {
                (Some(attribute), _, Some(filter)) => self.at_elements(op, attribute, resolved, filter, value),
                (Some(attribute), None, None) => self.at_attribute(op, attribute, resolved.path, value),
                (Some(attribute), Some(sub), None) => self.at_sub_attribute(op, attribute, sub, resolved.path, value),
                (None, ..) => self.ignore_unknown(),
            },
        }
    }

    /// A known extension as a whole: its object is merged.
    fn at_extension(&mut self, op: Op, schema: &'static Schema, value: Option<Value>) -> Result<(), ScimError> {
        let value = value.map(|value| only_object(value, self.quirks));
        match (op, value) {
            (Op::Remove, _) | (Op::Replace, None | Some(Value::Null)) => {
                self.changes.push(PatchStep::UnsetExtension(schema.urn.to_owned()));
                Ok(())
            }
            (Op::Add, None | Some(Value::Null)) => Ok(()),
            (_, Some(Value::Object(members))) => members.into_iter().try_for_each(|(name, value)| {
                let read = match resolve(self.kind, &format!("{}:{name}", schema.urn), self.quirks) {
                    Ok(resolved) => self.at_target(op, Target::Attribute { resolved, filter: None }, Some(value)),
                    Err(_) => self.ignore_unknown(),
                };
                read.or_else(|error| self.flaw(&name, error))
            }),
            (_, Some(_)) => Err(ScimError::invalid_value(format!("{} must be an object", schema.urn))),
        }
    }
}

/// Keys that clients echo in a value without path, without a meaning: Okta's rename sends `id`, Keycloak `schemas`.
fn is_echo(resolved: &Resolved) -> bool {
    is_read_only(resolved) || resolved.path.core().is_some_and(|(name, _)| name == "schemas")
}

fn is_read_only(resolved: &Resolved) -> bool {
    resolved.attribute.is_some_and(|attribute| attribute.mutability == Mutability::ReadOnly)
}

fn path_error(error: PathError) -> ScimError {
    match error {
        PathError::Malformed(reason) | PathError::Unknown(reason) => ScimError::invalid_path(reason),
    }
}

fn take_ignore_case(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = object.remove(name) {
        return Some(value);
    }
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    object.remove(&key)
}
