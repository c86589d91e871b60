//! The REST API of a tenant, called with one of its keys.

use std::collections::BTreeSet;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::roster::{AuditEvent, Member, Run, SharingGroup};
use crate::verbs::{ScimSource, SourceBuilder, eventually};

#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) hub: Hub,
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) key: String,
}

impl Tenant {
    /// A live SCIM source with its first token.
    pub(crate) fn scim_source(&self) -> ScimSource {
        self.new_source().create()
    }

    pub(crate) fn new_source(&self) -> SourceBuilder {
        SourceBuilder::new(self.clone())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}{path}", self.hub.people_url());
        let mut request = self.hub.http().request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::of(request).await
    }

    pub(crate) async fn members(&self) -> Vec<Member> {
        self.list("/api/v1/members").await
    }

    /// The member with this email; None when the roster has none.
    pub(crate) async fn member(&self, email: &str) -> Option<Member> {
        let email: String = url::form_urlencoded::byte_serialize(email.as_bytes()).collect();
        let mut found: Vec<Member> = self.list(&format!("/api/v1/members?email={email}")).await;
        assert!(found.len() <= 1, "one email, several members: {found:?}");
        found.pop()
    }

    pub(crate) async fn groups(&self) -> Vec<SharingGroup> {
        self.list("/api/v1/groups").await
    }

    /// Emails of a sharing group's members, sorted.
    pub(crate) async fn group_members(&self, id: &str) -> Vec<String> {
        let members: Vec<Value> = self.list(&format!("/api/v1/groups/{id}/members")).await;
        let mut emails: Vec<String> = members
            .iter()
            .map(|member| member["email"].as_str().unwrap_or_else(|| panic!("no email in {member}")).to_owned())
            .collect();
        emails.sort();
        emails
    }

    pub(crate) async fn runs(&self) -> Vec<Run> {
        self.list("/api/v1/runs").await
    }

    pub(crate) async fn events(&self) -> Vec<AuditEvent> {
        let mut events: Vec<AuditEvent> = self.list("/api/v1/audit-events").await;
        events.sort_by(|left, right| left.id.cmp(&right.id));
        events
    }

    /// Kinds of the audit events about one subject, oldest first.
    pub(crate) async fn kinds_about(&self, subject_id: &str) -> Vec<String> {
        let path = format!("/api/v1/audit-events?subject_id={subject_id}");
        let mut events: Vec<AuditEvent> = self.list(&path).await;
        events.sort_by(|left, right| left.id.cmp(&right.id));
        events.into_iter().map(|event| event.kind).collect()
    }

    /// The person accepts the invitation, and the product reports it to the hub.
    pub(crate) async fn accept(&self, email: &str) {
        let member = self.eventually_member(email, |member| member.status == "invited").await;
        self.post(&format!("/api/v1/members/{}/accept", member.id), &json!({})).await.expect_success();
        self.eventually_member(email, |member| member.status == "active").await;
    }

    /// Waits until the member with this email exists and fits.
    pub(crate) async fn eventually_member(&self, email: &str, fits: impl Fn(&Member) -> bool) -> Member {
        let what = format!("member {email} of {} is as expected", self.slug);
        eventually(&what, async || match self.member(email).await {
            Some(member) if fits(&member) => Ok(member),
            seen => Err(format!("{seen:?}")),
        })
        .await
    }

    /// Waits until the member with this email has this status.
    pub(crate) async fn eventually_status(&self, email: &str, status: &str) -> Member {
        self.eventually_member(email, |member| member.status == status).await
    }

    /// Waits until the roster as a whole fits.
    pub(crate) async fn eventually(&self, what: &str, fits: impl Fn(&[Member]) -> bool) -> Vec<Member> {
        eventually(what, async || {
            let members = self.members().await;
            if fits(&members) { Ok(members) } else { Err(format!("{members:#?}")) }
        })
        .await
    }

    /// Waits until a sharing group of this name has exactly these members.
    pub(crate) async fn eventually_group(&self, name: &str, emails: &[&str]) -> SharingGroup {
        let mut wanted: Vec<String> = emails.iter().map(|email| (*email).to_owned()).collect();
        wanted.sort();
        eventually(&format!("sharing group {name} has {emails:?}"), async || {
            let groups = self.groups().await;
            let Some(group) = groups.iter().find(|group| group.name == name) else {
                return Err(format!("groups: {groups:?}"));
            };
            let members = self.group_members(&group.id).await;
            let is_whole = members == wanted && group.members_count == members.len() as u64;
            if is_whole { Ok(group.clone()) } else { Err(format!("{group:?} with {members:?}")) }
        })
        .await
    }

    pub(crate) async fn eventually_no_group(&self, name: &str) {
        eventually(&format!("no sharing group {name}"), async || {
            let groups = self.groups().await;
            if groups.iter().all(|group| group.name != name) { Ok(()) } else { Err(format!("{groups:?}")) }
        })
        .await;
    }

    /// Waits for a run that is held for this reason.
    pub(crate) async fn eventually_held(&self, reason: &str) -> Run {
        eventually(&format!("a run held for {reason}"), async || {
            let runs = self.runs().await;
            runs.iter().find(|run| run.is_held_for(reason)).cloned().ok_or(format!("{runs:#?}"))
        })
        .await
    }

    /// An owner approves what a source asks of owners and admins.
    pub(crate) async fn owner_approves(&self) {
        eventually("an owner's approval", async || {
            let runs = self.runs().await;
            let held = runs.iter().find(|run| run.is_held_for("privileged_member"));
            let run = held.ok_or_else(|| format!("{runs:#?}"))?;
            let path = format!("/api/v1/runs/{}/approve", run.id);
            let answer = self.post(&path, &json!({ "digest": run.digest })).await;
            if answer.status == 200 { Ok(()) } else { Err(answer.describe()) }
        })
        .await;
    }

    /// The whole state of the tenant, for "nothing changed". Read it when the roster has caught up.
    pub(crate) async fn everything(&self, source: &ScimSource) -> Value {
        let mut sharing_groups = Vec::new();
        for group in self.groups().await {
            sharing_groups.push(json!({ "name": group.name, "members": self.group_members(&group.id).await }));
        }
        let events: Vec<String> =
            self.events().await.into_iter().map(|event| format!("{} {}", event.kind, event.subject.id)).collect();
        json!({
            "users": source.all("/Users").await,
            "groups": source.all("/Groups").await,
            "members": self.list::<Value>("/api/v1/members").await,
            "sharing_groups": sharing_groups,
            "events": events,
            "runs": self.list::<Value>("/api/v1/runs").await,
            "policy": self.get("/api/v1/policy").await.expect(200).json,
        })
    }

    /// Every item of a REST list, through all its pages, the oldest first; a repeated item is a failure. The list is read from its
    /// end, where it shows what was committed a moment ago.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut items: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        let is_plan = ["/promotion/", "/detachment/", "/compare"].iter().any(|plan| path.contains(plan));
        let order = if is_plan { "" } else { "&order=desc" };
        loop {
            let after = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let page = self.get(&format!("{path}{separator}limit=200{order}{after}")).await.expect(200);
            let Some(found) = page.at("/items").as_array() else { panic!("no items: {}", page.describe()) };
            items.extend(found.iter().cloned());
            cursor = page.at("/next_cursor").as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        if !is_plan {
            items.reverse();
        }
        let ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{path} repeats items over its pages");
        items
            .into_iter()
            .map(|item| {
                serde_json::from_value(item.clone())
                    .unwrap_or_else(|problem| panic!("{path}: {problem} in item {item}"))
            })
            .collect()
    }
}
