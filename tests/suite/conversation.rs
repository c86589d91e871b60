//! A first sync as an identity provider drives it: seeded, repeated after lost answers, comparable with another run of
//! it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;
use rand::Rng;
use rand::seq::SliceRandom;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::rest::Tenant;
use crate::verbs::{GROUP, ScimSource, email, eventually, members_value, operation, patch, person};

/// Concurrent requests, as an identity provider's worker pool sends them.
const CONCURRENCY: usize = 4;

/// The people, and the people of each group.
pub(crate) struct FirstSync {
    users: Vec<String>,
    groups: BTreeMap<String, Vec<String>>,
    delivered: Cell<usize>,
    ids: RefCell<BTreeMap<String, String>>,
}

impl FirstSync {
    /// The same people in the same groups for the same seed.
    pub(crate) fn plan(hub: &Hub, user_count: usize, group_count: usize) -> Self {
        let mut random = hub.randomness("first sync");
        let mut users: Vec<String> = (0..user_count).map(|number| format!("u{number:04}")).collect();
        users.shuffle(&mut random);
        let groups = (0..group_count)
            .map(|number| {
                let size = random.random_range(1..=(user_count / 4).max(1));
                let mut members = users.clone();
                members.shuffle(&mut random);
                members.truncate(size);
                (format!("Group {number:02}"), members)
            })
            .collect();
        Self { users, groups, delivered: Cell::new(0), ids: RefCell::new(BTreeMap::new()) }
    }

    /// Requests that the hub has confirmed so far.
    pub(crate) fn delivered(&self) -> usize {
        self.delivered.get()
    }

    /// Total number of requests.
    pub(crate) fn requests(&self) -> usize {
        self.users.len() + self.groups.len() + self.groups.values().map(Vec::len).sum::<usize>()
    }

    /// Sends all requests, however often the hub goes away in between.
    pub(crate) async fn play(&self, source: &ScimSource) {
        self.ids.borrow_mut().clear();
        self.delivered.set(0);
        stream::iter(&self.users)
            .for_each_concurrent(CONCURRENCY, async |name| self.create_user(source, name).await)
            .await;
        stream::iter(self.groups.keys())
            .for_each_concurrent(CONCURRENCY, async |name| self.create_group(source, name).await)
            .await;
        let joins = self.groups.iter().flat_map(|(group, users)| users.iter().map(move |user| (group, user)));
        stream::iter(joins)
            .for_each_concurrent(CONCURRENCY, async |(group, user)| self.join(source, group, user).await)
            .await;
    }

    async fn create_user(&self, source: &ScimSource, name: &str) {
        let filter = format!("userName eq \"{}\"", email(name));
        self.create(source, "/Users", name, &filter, &person(name)).await;
    }

    async fn create_group(&self, source: &ScimSource, name: &str) {
        let body = json!({ "schemas": [GROUP], "displayName": name });
        self.create(source, "/Groups", name, &format!("displayName eq \"{name}\""), &body).await;
    }

    /// Looks before it creates, as identity providers do, so that a lost answer does not cause a duplicate.
    async fn create(&self, source: &ScimSource, path: &str, name: &str, filter: &str, body: &Value) {
        let id = eventually(&format!("{path} {name} is created"), async || {
            let encoded: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
            let found = Answer::try_of(source.request(Method::GET, &format!("{path}?filter={encoded}"))).await?;
            if found.status != 200 {
                return Err(found.describe());
            }
            if let Some(id) = found.at("/Resources/0/id").as_str() {
                return Ok(id.to_owned());
            }
            let made = Answer::try_of(source.request(Method::POST, path).body(body.to_string())).await?;
            if made.status == 201 { Ok(made.id()) } else { Err(made.describe()) }
        })
        .await;
        self.ids.borrow_mut().insert(name.to_owned(), id);
        self.delivered.set(self.delivered.get() + 1);
    }

    async fn join(&self, source: &ScimSource, group: &str, user: &str) {
        let (group, user) = (self.ids.borrow()[group].clone(), self.ids.borrow()[user].clone());
        let body = patch(vec![operation("Add", "members", members_value(&[&user]))]).to_string();
        eventually("a person joins a group", async || {
            let request = source.request(Method::PATCH, &format!("/Groups/{group}")).body(body.clone());
            let answer = Answer::try_of(request).await?;
            if answer.status == 204 { Ok(()) } else { Err(answer.describe()) }
        })
        .await;
        self.delivered.set(self.delivered.get() + 1);
    }

    /// Waits until the roster is the planned one, and returns it without ids.
    pub(crate) async fn settled(&self, tenant: &Tenant) -> Outcome {
        let deadline = std::time::Duration::from_secs(120);
        crate::verbs::within(deadline, "the roster equals the directory", async || {
            let members = tenant.members().await;
            if members.len() != self.users.len() {
                return Err(format!("{} of {} members", members.len(), self.users.len()));
            }
            let groups = tenant.groups().await;
            let short = self.groups.iter().find(|(name, users)| {
                !groups.iter().any(|group| group.name == **name && group.members_count == users.len() as u64)
            });
            short.map_or(Ok(()), |(name, users)| Err(format!("{name} should have {} members: {groups:?}", users.len())))
        })
        .await;
        let ids = self.ids.borrow().clone();
        Outcome::of(tenant, &ids).await
    }
}

/// A roster and its history, without the parts that differ from run to run (ids, times, order).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) members: Vec<String>,
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    /// Number of events of each kind for each subject.
    pub(crate) events: BTreeMap<String, usize>,
}

impl Outcome {
    async fn of(tenant: &Tenant, directory: &BTreeMap<String, String>) -> Self {
        let mut names: BTreeMap<String, String> =
            directory.iter().map(|(name, id)| (id.clone(), name.clone())).collect();
        let mut members = Vec::new();
        for member in tenant.members().await {
            names.insert(member.id.clone(), member.email.clone());
            members.push(format!(
                "{} {} {:?} {:?} {} {:?}",
                member.email, member.status, member.external_id, member.display_name, member.role, member.waiting_for
            ));
        }
        members.sort();
        let mut groups = BTreeMap::new();
        for group in tenant.groups().await {
            names.insert(group.id.clone(), group.name.clone());
            groups.insert(group.name, tenant.group_members(&group.id).await);
        }
        let mut events: BTreeMap<String, usize> = BTreeMap::new();
        for event in tenant.events().await {
            let about = names.get(&event.subject.id).map_or("(other)", String::as_str);
            *events.entry(format!("{} {} {about}", event.kind, event.subject.kind)).or_default() += 1;
        }
        Self { members, groups, events }
    }

    /// Fails with the lines that differ instead of two whole rosters.
    #[track_caller]
    pub(crate) fn expect_same(&self, undisturbed: &Self) {
        let lost: Vec<&String> = undisturbed.members.iter().filter(|line| !self.members.contains(line)).collect();
        let extra: Vec<&String> = self.members.iter().filter(|line| !undisturbed.members.contains(line)).collect();
        assert!(lost.is_empty() && extra.is_empty(), "members differ: lost {lost:?}, extra {extra:?}");
        for (name, members) in &undisturbed.groups {
            assert_eq!(self.groups.get(name), Some(members), "members of {name}");
        }
        assert_eq!(self.groups.len(), undisturbed.groups.len(), "extra groups");
        let keys = self.events.keys().chain(undisturbed.events.keys());
        let mut differing: Vec<String> = keys
            .filter(|key| self.events.get(*key) != undisturbed.events.get(*key))
            .map(|key| format!("{key}: {:?}, undisturbed {:?}", self.events.get(key), undisturbed.events.get(key)))
            .collect();
        differing.dedup();
        assert!(differing.is_empty(), "events differ:\n- {}", differing.join("\n- "));
    }
}
