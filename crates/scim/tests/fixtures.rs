//! Every request shape of every identity provider, with its golden result. A fixture holds the `request` as sent, the `given`
//! resource before a PATCH or PUT, and the golden result: how it is `read`, and the noted `quirks`.
//!
//! After a deliberate change, `ROLLCALL_BLESS=1 cargo test -p rollcall-scim --test fixtures` rewrites the golden results; read the diff.

use std::fs;
use std::path::{Path, PathBuf};

use rollcall_scim::list::{PageLimits, Paging};
use rollcall_scim::patch::{apply_to_group, apply_to_user, group_changes};
use rollcall_scim::query::parse_query;
use rollcall_scim::{
    GroupChange, GroupResource, Limits, ListQuery, MemberRef, PatchRequest, Quirks, ResourceKind, ScimError,
    UserReplacement, UserResource, parse_json,
};
use serde_json::{Map, Value, json};

#[test]
fn every_dialect_is_read_as_its_sender_means_it() {
    let files = fixture_files();
    assert!(files.len() >= 75, "only {} fixtures were found", files.len());
    let bless = std::env::var_os("ROLLCALL_BLESS").is_some();
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read(&file).expect("a readable fixture");
        let fixture = parse_json(&text).expect("a fixture is JSON within the limits");
        let mut quirks = Quirks::new();
        let read = read(&fixture, &mut quirks).unwrap_or_else(|error| json!({ "error": error.to_json() }));
        let noted: Map<String, Value> =
            quirks.iter().map(|(quirk, count)| (quirk.name().to_owned(), count.into())).collect();
        let mut golden = fixture.clone();
        golden["read"] = read;
        golden["quirks"] = Value::Object(noted);
        if bless {
            let pretty = serde_json::to_string_pretty(&golden).expect("JSON");
            fs::write(&file, pretty + "\n").expect("a writable fixture");
        } else if golden != fixture {
            wrong.push(format!("{}\n  is {}\n  must {}", file.display(), golden["read"], fixture["read"]));
            wrong.push(format!("  is {}\n  must {}", golden["quirks"], fixture["quirks"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fixture_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folders = fs::read_dir(root).expect("the fixtures folder").flatten();
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| fs::read_dir(folder.path()).expect("a folder of an identity provider").flatten())
        .map(|file| file.path())
        .collect();
    files.sort();
    files
}

/// A user whose `active` has not been removed.
fn stored_user(mut attributes: Map<String, Value>) -> UserResource {
    attributes.entry("active").or_insert(Value::Bool(true));
    UserResource::from_stored(attributes)
}

/// The meaning of the request, as JSON.
fn read(fixture: &Value, quirks: &mut Quirks) -> Result<Value, ScimError> {
    let request = &fixture["request"];
    let path = request["path"].as_str().expect("a path");
    let kind = if path.starts_with("/Users") { ResourceKind::User } else { ResourceKind::Group };
    let body = request["body"].clone();
    let given = fixture["given"]["attributes"].as_object().cloned();
    match (request["method"].as_str().expect("a method"), kind) {
        ("GET", kind) => read_list(kind, request["query"].as_str().expect("a query"), quirks),
        ("PATCH", ResourceKind::User) => {
            let patch = PatchRequest::parse(kind, body, &Limits::default(), quirks)?;
            let before = stored_user(given.expect("attributes"));
            Ok(json!({ "attributes": apply_to_user(&before, &patch, quirks)?.into_attributes() }))
        }
        ("PATCH", ResourceKind::Group) => {
            let patch = PatchRequest::parse(kind, body, &Limits::default(), quirks)?;
            let before = GroupResource::from_stored(given.expect("attributes"));
            let after = apply_to_group(&before, &patch, quirks)?.into_attributes();
            let changes: Vec<_> = group_changes(&patch).iter().map(show_change).collect();
            Ok(json!({ "attributes": after, "changes": changes }))
        }
        ("PUT", ResourceKind::User) => {
            let replacement = UserReplacement::from_json(body, quirks)?;
            let before = stored_user(given.unwrap_or_default());
            let user = replacement.over(&before, quirks);
            Ok(json!({ "active": user.active(), "email": user.email(), "attributes": user.into_attributes() }))
        }
        (_, ResourceKind::User) => {
            let user = UserResource::from_json(body, quirks)?;
            Ok(json!({ "active": user.active(), "email": user.email(), "attributes": user.into_attributes() }))
        }
        (_, ResourceKind::Group) => {
            let group = GroupResource::from_json(body, &Limits::default(), quirks)?;
            let members = group.members.as_deref().map(show_members);
            Ok(json!({ "attributes": group.into_attributes(), "members": members }))
        }
    }
}

fn read_list(kind: ResourceKind, query: &str, quirks: &mut Quirks) -> Result<Value, ScimError> {
    let pairs = parse_query(query, quirks)?;
    let query = ListQuery::from_pairs(kind, &pairs, PageLimits { default: 100, max: 200 }, quirks)?;
    let mut shown = json!({ "count": query.count });
    if let Paging::Index(start) = query.paging {
        shown["startIndex"] = start.into();
    }
    if let Some(filter) = query.filter {
        shown["filter"] = filter.to_string().into();
    }
    if kind == ResourceKind::Group {
        shown["wantsMembers"] = query.projection.wants_members().into();
    }
    Ok(shown)
}

fn show_change(change: &GroupChange) -> Value {
    match change {
        GroupChange::AddMembers(members) => json!({ "add": show_members(members) }),
        GroupChange::RemoveMembers(ids) => json!({ "remove": ids }),
        GroupChange::RemoveMembersWhere(filter) => json!({ "removeWhere": filter.to_string() }),
        GroupChange::ReplaceMembers(members) => json!({ "replace": show_members(members) }),
        GroupChange::ClearMembers => json!("clear"),
    }
}

fn show_members(members: &[MemberRef]) -> Value {
    members
        .iter()
        .map(|member| match &member.display {
            Some(display) => json!({ "value": member.value, "display": display }),
            None => json!(member.value),
        })
        .collect()
}
