//! Field reports of systems of this kind, as far as reading SCIM decides them. Each test carries the id of its report and tries
//! the neighbours of the reported input:
//!
//! * R1: `add`, `replace` and `remove` by path, keys of a path-less value, POST and PUT bodies; attributes and sub-attributes;
//!   evidence in the resource, in the body's `schemas`, and none; users and groups.
//! * R2: append, removal by value and by filter, replacement of one value; plain values and objects; by path, by key, within the
//!   extension's object, and in a list that is a sub-attribute.
//! * R3: dots for colons in front of core and enterprise attributes; unknown URNs of the registry in paths, keys, bodies, filters
//!   and `sortBy`; the other kind's schema.
//! * R4: emails, phoneNumbers, addresses and photos; begun by `primary`, by `type` and by `display`; emptied and filled again;
//!   appended in parts; never completed.
//! * R7, R8: every attribute of the schema with every kind of unusable value, in POST, PUT and PATCH with and without a path.
//! * R9: names in scripts of two, three and four bytes a character.
//! * R11, R12, R15: filters of lists, of searches and within PATCH paths.
//! * R18: with every projection of `members`.

mod filters;
mod lists;
mod shown;
mod urns;
mod values;

use proptest::prelude::*;
use rollcall_scim::list::PageLimits;
use rollcall_scim::patch::{apply_to_group, apply_to_user, group_changes};
use rollcall_scim::render::{GroupParts, UserParts, render_group, render_user};
use rollcall_scim::schema::{ENTERPRISE_USER, USER};
use rollcall_scim::{
    Filter, GroupChange, GroupResource, Limits, ListQuery, PatchRequest, Projection, Quirk, Quirks, ResourceKind,
    ScimError, UserReplacement, UserResource,
};
use serde_json::{Map, Value, json};

const ACME: &str = "urn:example:params:scim:schemas:extension:acme:2.0:User";

fn user(body: Value) -> UserResource {
    let sent = body.to_string();
    UserResource::from_json(body, &mut Quirks::new()).expect(&sent)
}

/// A user with an extension that the server does not define.
fn ann() -> UserResource {
    user(json!({
        "userName": "ann@acme.test", "externalId": "e1", "displayName": "Ann", "name": { "givenName": "Ann" },
        "emails": [{ "value": "ann@home.test", "type": "home", "primary": true }],
        ACME: { "desk": { "room": "K1", "floor": 2 }, "badges": ["amber", "coral", "denim"] },
    }))
}

fn try_patch(before: &UserResource, operations: Value) -> Result<(UserResource, Quirks), ScimError> {
    let mut quirks = Quirks::new();
    let patch =
        PatchRequest::parse(ResourceKind::User, json!({ "Operations": operations }), &Limits::default(), &mut quirks)?;
    Ok((apply_to_user(before, &patch, &mut quirks)?, quirks))
}

fn patched(before: &UserResource, operations: Value) -> Value {
    let sent = operations.to_string();
    let (after, _) = try_patch(before, operations).expect(&sent);
    Value::Object(after.into_attributes())
}

fn acme(attribute: &str) -> String {
    format!("{ACME}:{attribute}")
}

/// The extensions of a user.
fn extensions(user: &Value) -> Vec<&str> {
    user.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).filter(|key| key.starts_with("urn:")).collect()
}
