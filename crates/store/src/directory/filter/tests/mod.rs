//! The SQL against the reference evaluator: random resources, random filters, both engines.

pub(crate) mod engines;
mod plans;
mod random;
mod world;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rollcall_core::budget::Budget;
use rollcall_scim::list::{Paging, Sort};
use rollcall_scim::schema::{Kind, get_ignore_case};
use rollcall_scim::{AttrPath, Filter, Quirks, ResourceKind, fold};
use serde_json::Value as Json;

use super::Target;
use crate::ListRequest;
use crate::engine::engine_kind::EngineKind;
use crate::statements::without_tenant;
use engines::on_each_engine;
use random::random_filter;
use world::{BASE, Shown, World};

/// Enough for every attribute, operator and odd string to meet; a run takes seconds.
const FILTERS: usize = 400;
const SEEDS: [u64; 2] = [1, 0x00C0_FFEE];

fn parse(kind: ResourceKind, text: &str) -> Option<Filter> {
    Filter::parse(kind, text, &mut Quirks::new()).ok()
}

/// Ids that the database finds, and its count.
async fn found(
    world: &World,
    kind: ResourceKind,
    filter: Option<&Filter>,
    sort: Option<&Sort>,
) -> (Vec<String>, Option<u64>) {
    let budget = &Budget::unlimited(world.scope.tenant());
    let request = ListRequest {
        kind,
        filter,
        sort,
        paging: &Paging::Index(1),
        count: 10_000,
        with_related: false,
        bytes_max: usize::MAX,
        base: BASE,
        budget,
    };
    match kind {
        ResourceKind::User => {
            let page = world.store.list_users(&world.scope, &request).await.expect("a list");
            (page.items.iter().map(|user| user.id.to_string()).collect(), page.total)
        }
        ResourceKind::Group => {
            let page = world.store.list_groups(&world.scope, &request).await.expect("a list");
            (page.items.iter().map(|group| group.id.to_string()).collect(), page.total)
        }
    }
}

async fn check(world: &World, kind: ResourceKind, text: &str, seed: u64) {
    let filter = parse(kind, text).expect(text);
    let matching = world.shown(kind).iter().filter(|shown| filter.matches(&shown.json));
    let expected: Vec<String> = matching.map(|shown| shown.id.clone()).collect();
    let (ids, total) = found(world, kind, Some(&filter), None).await;
    assert_eq!(
        ids,
        expected,
        "seed {seed}, {}: {text}\n{}",
        world.engine,
        difference(world.shown(kind), &ids, &expected)
    );
    assert_eq!(total, Some(expected.len() as u64), "seed {seed}, {}: {text}", world.engine);
}

fn difference(shown: &[Shown], found: &[String], expected: &[String]) -> String {
    let odd = |shown: &&Shown| found.contains(&shown.id) != expected.contains(&shown.id);
    shown.iter().filter(odd).take(2).map(|shown| format!("{:#}\n", shown.json)).collect()
}

#[test]
fn every_filter_finds_what_the_reference_evaluator_finds() {
    on_each_engine(async |store, engine| {
        for seed in SEEDS {
            let mut rng = StdRng::seed_from_u64(seed);
            let world = World::random(store.clone(), engine, &mut rng).await;
            for kind in [ResourceKind::User, ResourceKind::Group] {
                let mut tried = 0;
                while tried < FILTERS {
                    let text = random_filter(&mut rng, kind, &world.words);
                    if parse(kind, &text).is_some() {
                        check(&world, kind, &text, seed).await;
                        tried += 1;
                    }
                }
            }
        }
    });
}

#[test]
fn filters_that_identity_providers_send_find_the_right_records() {
    on_each_engine(async |store, engine| {
        let mut rng = StdRng::seed_from_u64(7);
        let world = World::random(store, engine, &mut rng).await;
        let some = |kind: ResourceKind, pointer: &str| {
            let mut values = world.shown(kind).iter().filter_map(|shown| shown.json.pointer(pointer)?.as_str());
            values.next().expect(pointer).to_owned()
        };
        let quoted = |text: &str| Json::from(text).to_string();
        let address = quoted(&some(ResourceKind::User, "/emails/0/value").to_uppercase());
        let second = quoted(&some(ResourceKind::User, "/emails/1/value"));
        let third = quoted(&some(ResourceKind::User, "/emails/2/value"));
        let name = quoted(&some(ResourceKind::User, "/userName").to_uppercase());
        let user = quoted(&some(ResourceKind::Group, "/members/0/value"));
        for text in [
            format!("userName eq {name}"),
            format!("emails eq {address}"),
            format!("emails.value eq {second}"),
            format!("emails eq {third}"),
            format!("emails[type eq \"work\"].value eq {address}"),
            format!("emails[type eq \"home\" and value eq {second}]"),
            format!("not (emails eq {address}) and userName ne {name}"),
            format!("userName eq {name} or emails eq {second}"),
            format!("id eq {user}"),
        ] {
            check(&world, ResourceKind::User, &text, 7).await;
        }
        let group = quoted(&some(ResourceKind::Group, "/id"));
        let display = quoted(&some(ResourceKind::Group, "/displayName").to_uppercase());
        for text in [
            format!("displayName eq {display}"),
            format!("id eq {group} and members eq {user}"),
            format!("members[value eq {user}]"),
            format!("members.value ne {user}"),
        ] {
            check(&world, ResourceKind::Group, &text, 7).await;
        }
    });
}

/// The sort value of a resource: the primary or first value.
fn sort_value<'r>(path: &AttrPath, resource: &'r Json) -> Option<Json> {
    let member = |holder: &'r Json, name: &str| get_ignore_case(holder.as_object()?, name);
    let holder = path.extension.as_ref().map_or(Some(resource), |urn| member(resource, urn))?;
    let value = match member(holder, &path.attribute) {
        Some(Json::Array(_) | Json::Object(_)) if path.kind == Kind::Any => return None,
        Some(Json::Array(items)) => items.iter().find(|item| item["primary"] == true).or(items.first())?,
        None if path.attribute == "active" => &Json::Bool(true),
        other => other?,
    };
    let value = path.sub.as_ref().map_or(Some(value), |sub| member(value, sub))?;
    Some(match value {
        Json::String(text) if !path.case_exact => fold(text).into(),
        other => other.clone(),
    })
}

#[test]
fn lists_are_sorted_alike_on_both_engines_with_the_unassigned_last() {
    on_each_engine(async |store, engine| {
        let mut rng = StdRng::seed_from_u64(11);
        let world = World::random(store, engine, &mut rng).await;
        for (kind, name) in [
            (ResourceKind::User, "userName"),
            (ResourceKind::User, "name.familyName"),
            (ResourceKind::User, "externalId"),
            (ResourceKind::User, "active"),
            (ResourceKind::User, "emails.value"),
            (ResourceKind::User, "emails.type"),
            (ResourceKind::User, "department"),
            (ResourceKind::User, "meta.created"),
            (ResourceKind::User, "urn:acme:hr:1.0:User:badge"),
            (ResourceKind::Group, "displayName"),
            (ResourceKind::Group, "id"),
            (ResourceKind::Group, "members.value"),
        ] {
            let by = AttrPath::resolve(kind, name, &mut Quirks::new()).expect(name);
            for descending in [false, true] {
                let mut expected: Vec<_> =
                    world.shown(kind).iter().map(|shown| (sort_value(&by, &shown.json), shown.id.clone())).collect();
                // Ids are in order already, and the sort is stable.
                expected.sort_by(|(left, _), (right, _)| {
                    let text = |value: &Option<Json>| {
                        value.as_ref().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                    };
                    let order = (left.is_none(), text(left)).cmp(&(right.is_none(), text(right)));
                    if descending { order.reverse() } else { order }
                });
                let expected: Vec<String> = expected.into_iter().map(|(_, id)| id).collect();
                let sort = Sort { by: by.clone(), descending };
                let (ids, _) = found(&world, kind, None, Some(&sort)).await;
                assert_eq!(ids, expected, "{engine}: {name} descending {descending}");
            }
        }
    });
}

/// Two filters of one shape have equal statements: all values of a client are parameters.
#[test]
fn the_text_of_a_statement_depends_on_the_shape_alone() {
    let odd = Json::from(r#"%_\'"; DROP TABLE tenants; -- $9"#).to_string();
    for (template, values) in [
        ("userName eq X and not (title co X) or emails[type eq X].value sw X", [r#""a""#, odd.as_str()]),
        ("id eq X or externalId ne X or meta.location ew X or schemas eq X", [r#""a""#, odd.as_str()]),
        (
            "meta.created gt X or meta.lastModified eq X",
            [r#""2026-01-01T00:00:00Z""#, r#""1900-01-01T00:00:00.123456789+01:00""#],
        ),
        ("urn:a:b:c eq X and urn:a:b:c.d[e co X]", [r#""a""#, odd.as_str()]),
        ("urn:a:b:X.X eq 1", ["c", "drop"]),
        ("urn:X:b:c gt 1", ["a", "x'y$.\\;--"]),
    ] {
        for engine in [EngineKind::Postgres, EngineKind::Sqlite] {
            let texts = values.map(|value| {
                let filter = parse(ResourceKind::User, &template.replace('X', value))?;
                let target = Target { kind: ResourceKind::User, engine, alias: "u", base: BASE };
                let mut values = vec![1.into(), 2.into()];
                Some(target.condition(&filter, &mut values).numbered())
            });
            assert_eq!(texts[0], texts[1], "{template}");
        }
    }
}

#[test]
fn every_filter_and_sort_names_the_tenant() {
    let words = ["a".to_owned(), "2026-01-01T00:00:00Z".to_owned()];
    let mut rng = StdRng::seed_from_u64(7);
    for (kind, table, alias, list) in [
        (ResourceKind::User, "directory_users", "u", "emails.value"),
        (ResourceKind::Group, "directory_groups", "g", "members.value"),
    ] {
        let by = AttrPath::resolve(kind, list, &mut Quirks::new()).expect(list);
        for _ in 0..300 {
            let text = random_filter(&mut rng, kind, &words);
            let Some(filter) = parse(kind, &text) else { continue };
            for engine in [EngineKind::Postgres, EngineKind::Sqlite] {
                let target = Target { kind, engine, alias, base: BASE };
                let mut values = vec![1.into(), 2.into()];
                let condition = target.condition(&filter, &mut values).numbered();
                let order = target.sort_key(&by, &mut values).numbered();
                let sql = format!(
                    "SELECT 1 FROM {table} {alias} WHERE {alias}.tenant_id = $1 AND {condition} ORDER BY {order}"
                );
                assert_eq!(without_tenant(&sql), None, "{text}: {sql}");
            }
        }
    }
}

/// `place.rs` writes names of the schema into SQL, and handles only the instants in `meta`.
#[test]
fn names_of_the_schema_are_plain_and_only_meta_has_instants() {
    for kind in [ResourceKind::User, ResourceKind::Group] {
        let extensions = kind.extensions().iter().flat_map(|schema| schema.attributes);
        for attribute in kind.attributes().chain(extensions) {
            for one in std::iter::once(attribute).chain(attribute.sub) {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '$';
                assert!(one.name.chars().all(plain), "{}", one.name);
                assert!(one.kind != Kind::DateTime || attribute.name == "meta", "{}", one.name);
                assert!(one.kind != Kind::Boolean || !one.multi, "{}", one.name);
            }
        }
        for schema in kind.extensions() {
            assert!(schema.urn.chars().all(|c| c.is_ascii_alphanumeric() || ":.".contains(c)), "{}", schema.urn);
        }
    }
}
