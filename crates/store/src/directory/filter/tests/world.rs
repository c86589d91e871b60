//! A tenant of random users and groups, with tombstones, and each in its rendered form.

use chrono::TimeDelta;
use rand::Rng;
use rand::rngs::StdRng;
use rollcall_core::budget::Budget;
use rollcall_core::ids::DirectoryUserId;
use rollcall_scim::list::Paging;
use rollcall_scim::render::{GroupParts, UserParts, render_group, render_user};
use rollcall_scim::{GroupResource, Limits, Projection, Quirks, ResourceKind, UserResource};
use serde_json::{Value as Json, json};

use super::engines::new_source;
use super::random::{random_group, random_user};
use crate::{DirectoryGroup, DirectoryUser, ListRequest, SourceScope, Store};

pub(super) const BASE: &str = "https://hub.example/scim/v2/s";
const USERS: usize = 60;
const GROUPS: usize = 14;

/// A rendered resource.
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) json: Json,
}

pub(super) struct World {
    pub(super) store: Store,
    pub(super) engine: &'static str,
    pub(super) scope: SourceScope,
    users: Vec<Shown>,
    groups: Vec<Shown>,
    /// Strings that occur in the resources, for filters.
    pub(super) words: Vec<String>,
}

impl World {
    pub(super) async fn random(store: Store, engine: &'static str, rng: &mut StdRng) -> Self {
        let scope = new_source(&store).await;
        // A neighbouring tenant with a look-alike, which no filter may find.
        let neighbour = new_source(&store).await;
        let mut ids = Vec::new();
        for number in 0..USERS {
            store.clock.advance(TimeDelta::microseconds(rng.random_range(1..3000) * [1, 1000][rng.random_range(0..2)]));
            let body = random_user(rng, number);
            let user =
                UserResource::from_json(body.clone(), &mut Quirks::new()).unwrap_or_else(|e| panic!("{e:?}: {body:#}"));
            store.create_user(&neighbour, user.clone()).await.expect("a neighbour").unannounced();
            ids.push(store.create_user(&scope, user).await.expect("a user").unannounced().id);
        }
        let mut groups = Vec::new();
        for number in 0..GROUPS {
            store.clock.advance(TimeDelta::milliseconds(rng.random_range(1..3000)));
            let members: Vec<DirectoryUserId> =
                ids.iter().copied().filter(|_| rng.random_range(0..GROUPS) < number).collect();
            let group = GroupResource::from_json(random_group(rng, number), &Limits::default(), &mut Quirks::new());
            groups.push(
                store.create_group(&scope, group.expect("a group"), &members).await.expect("a group").unannounced().id,
            );
        }
        for gone in ids.iter().step_by(9) {
            store.delete_user(&scope, *gone, None).await.expect("a tombstone").unannounced();
        }
        store.delete_group(&scope, groups[GROUPS - 1], None).await.expect("a tombstone").unannounced();
        change_some(&store, &scope, rng, &ids).await;
        let mut world = Self { store, engine, scope, users: Vec::new(), groups: Vec::new(), words: Vec::new() };
        world.read().await;
        world
    }

    pub(super) fn shown(&self, kind: ResourceKind) -> &[Shown] {
        match kind {
            ResourceKind::User => &self.users,
            ResourceKind::Group => &self.groups,
        }
    }

    async fn read(&mut self) {
        let budget = Budget::unlimited(self.scope.tenant());
        let request = |kind| ListRequest {
            kind,
            filter: None,
            sort: None,
            paging: &Paging::Index(1),
            count: 10_000,
            with_related: true,
            bytes_max: usize::MAX,
            base: BASE,
            budget: &budget,
        };
        let users = self.store.list_users(&self.scope, &request(ResourceKind::User)).await.expect("users");
        let groups = self.store.list_groups(&self.scope, &request(ResourceKind::Group)).await.expect("groups");
        self.users = users.items.iter().map(show_user).collect();
        self.groups = groups.items.iter().map(show_group).collect();
        let mut words = Vec::new();
        self.users.iter().chain(&self.groups).for_each(|shown| collect(&shown.json, &mut words));
        words.sort();
        words.dedup();
        self.words = words;
    }
}

/// Changes must keep the derived columns consistent.
async fn change_some(store: &Store, scope: &SourceScope, rng: &mut StdRng, ids: &[DirectoryUserId]) {
    for (number, id) in ids.iter().enumerate().filter(|(number, _)| number % 9 != 0 && number % 4 == 0) {
        store.clock.advance(TimeDelta::microseconds(rng.random_range(1..5_000_000)));
        let body = random_user(rng, number);
        let user = UserResource::from_json(body, &mut Quirks::new()).expect("a user");
        store
            .change_user::<crate::StoreError, _>(scope, *id, |_| Ok(user.clone()))
            .await
            .expect("a change")
            .unannounced();
    }
}

fn show_user(user: &DirectoryUser) -> Shown {
    let id = user.id.to_string();
    let location = format!("{BASE}/Users/{id}");
    let parts = UserParts {
        id: &id,
        attributes: user.resource.attributes().clone(),
        groups: &user.groups,
        created: user.created_at,
        last_modified: user.modified_at,
        version: user.version,
        location: &location,
    };
    Shown { json: render_user(parts, &Projection::all()), id }
}

fn show_group(group: &DirectoryGroup) -> Shown {
    let id = group.id.to_string();
    let location = format!("{BASE}/Groups/{id}");
    let members = group.resource.members.as_deref().expect("members");
    let parts = GroupParts {
        id: &id,
        attributes: group.resource.attributes().clone(),
        members,
        created: group.created_at,
        last_modified: group.modified_at,
        version: group.version,
        location: &location,
    };
    let mut json = render_group(parts, &Projection::all());
    // Returned on request only, but stored.
    for (place, member) in members.iter().enumerate() {
        json["members"][place]["display"] = json!(member.display);
    }
    Shown { json, id }
}

fn collect(json: &Json, words: &mut Vec<String>) {
    match json {
        Json::String(text) => words.push(text.clone()),
        Json::Array(items) => items.iter().for_each(|item| collect(item, words)),
        Json::Object(members) => members.values().for_each(|member| collect(member, words)),
        _ => {}
    }
}
