//! A rejected request is done after all, once a fix understands it. The audit log names the admin who asked for it.

use crate::Hub;
use crate::scim_write::{ScimWriteError, no_groups, request_budget};
use chrono::{DateTime, Utc};
use rollcall_core::ids::SourceId;
use rollcall_scim::bulk::{BulkCall, BulkVerb};
use rollcall_scim::list::PageLimits;
use rollcall_scim::{Limits, ListQuery, Quirks, ResourceKind, ScimError, parse_json, parse_write, query};
use rollcall_store::{AdminScope, ListRequest, RejectedRequest, SourceScope, StoreError};
use serde_json::Value;
use uuid::Uuid;

/// Limits of a replay: those of single requests, because the operator's own belong to another service.
const REPLAY_PAGES: PageLimits = PageLimits { default: 100, max: 1000 };

/// How a replay ended.
#[derive(Clone, Debug)]
pub enum Replayed {
    /// Understood now: the status a client would have got.
    Done { status: u16, changed: bool },
    /// Still refused.
    Refused(ScimError),
}

impl Hub {
    /// Replays a rejected request, if it can be parsed now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it was not kept whole, was replayed already, or what it would
    /// change was changed since.
    pub async fn replay_rejected(
        &self,
        scope: &AdminScope,
        source: SourceId,
        id: Uuid,
        limits: &Limits,
    ) -> Result<Replayed, StoreError> {
        let (scope, rejected) = self.store.claim_rejected(scope, source, id).await?;
        let outcome = self.repeat(&scope, &rejected, limits).await;
        if !matches!(outcome, Ok(Replayed::Done { .. })) {
            self.store.release_rejected(&scope, id).await?;
        }
        match outcome {
            Ok(outcome) => Ok(outcome),
            Err(ScimWriteError::Scim(error)) => Ok(Replayed::Refused(error)),
            Err(ScimWriteError::Store(StoreError::Invalid(why))) => {
                Ok(Replayed::Refused(ScimError::invalid_value(why)))
            }
            Err(ScimWriteError::Store(StoreError::NotFound(what))) => {
                Ok(Replayed::Refused(ScimError::not_found(format!("there is no such {what} any more"))))
            }
            Err(ScimWriteError::Store(StoreError::Taken(what))) => {
                Ok(Replayed::Refused(ScimError::uniqueness(format!("{what} is already in use"))))
            }
            Err(ScimWriteError::Store(error)) => Err(error),
        }
    }

    async fn repeat(
        &self,
        scope: &SourceScope,
        rejected: &RejectedRequest,
        limits: &Limits,
    ) -> Result<Replayed, ScimWriteError> {
        let (path, raw_query) = rejected.path.split_once('?').unwrap_or((&rejected.path, ""));
        let mut quirks = Quirks::new();
        let (kind, rest) = kind_of(path)?;
        let is_search = rest.as_deref() == Some(".search");
        if rejected.method == "GET" || is_search {
            let asked = if is_search {
                ListQuery::from_search(kind, &parse_json(body_of(rejected))?, REPLAY_PAGES, &mut quirks)?
            } else {
                let pairs = query::parse_query(raw_query, &mut quirks)?;
                ListQuery::from_pairs(kind, &pairs, REPLAY_PAGES, &mut quirks)?
            };
            self.repeat_list(scope, kind, &asked).await?;
            return Ok(Replayed::Done { status: 200, changed: false });
        }
        let verb = match (rejected.method.as_str(), rest) {
            ("POST", None) => BulkVerb::Post,
            ("PUT", Some(id)) => BulkVerb::Put(id),
            ("PATCH", Some(id)) => BulkVerb::Patch(id),
            ("DELETE", Some(id)) => BulkVerb::Delete(id),
            _ => return Err(ScimError::invalid_path("this request cannot be replayed").into()),
        };
        let data = match verb {
            BulkVerb::Delete(_) => Value::Null,
            _ => parse_write(kind, body_of(rejected))?,
        };
        self.refuse_overtaken(scope, kind, &verb, rejected.at).await?;
        let status = match (&verb, kind) {
            (BulkVerb::Post, _) => 201,
            (BulkVerb::Delete(_), _) | (BulkVerb::Patch(_), ResourceKind::Group) => 204,
            _ => 200,
        };
        let call = BulkCall { verb, kind, version: None, data };
        let done = self.perform(scope, call, limits, (&mut quirks, &request_budget(scope))).await?;
        Ok(Replayed::Done { status, changed: done.changed() })
    }

    /// Asks a list for its total alone: a replay tells whether the filter is understood.
    async fn repeat_list(
        &self,
        scope: &SourceScope,
        kind: ResourceKind,
        asked: &ListQuery,
    ) -> Result<(), ScimWriteError> {
        if kind == ResourceKind::Group && scope.users_only() {
            return Err(no_groups().into());
        }
        let (filter, sort) = (asked.filter.as_ref(), asked.sort.as_ref());
        let budget = &request_budget(scope);
        let request = ListRequest {
            kind,
            filter,
            sort,
            paging: &asked.paging,
            count: 0,
            with_related: false,
            bytes_max: usize::MAX,
            base: "",
            budget,
        };
        match kind {
            ResourceKind::User => self.store.list_users(scope, &request).await.map(|_| ())?,
            ResourceKind::Group => self.store.list_groups(scope, &request).await.map(|_| ())?,
        }
        Ok(())
    }

    /// An old request must not undo what the identity provider said later.
    async fn refuse_overtaken(
        &self,
        scope: &SourceScope,
        kind: ResourceKind,
        verb: &BulkVerb,
        at: DateTime<Utc>,
    ) -> Result<(), ScimWriteError> {
        let Some(id) = verb.id() else { return Ok(()) };
        let store = &self.store;
        let modified = match (kind, id.parse::<Uuid>()) {
            (_, Err(_)) => None,
            (ResourceKind::User, Ok(id)) => store.user(scope, id.into(), false).await?.map(|user| user.modified_at),
            (ResourceKind::Group, Ok(id)) => store.group(scope, id.into(), None).await?.map(|group| group.modified_at),
        };
        if modified.is_some_and(|modified| modified > at) {
            let why = "what this request would change was changed after it; let the identity provider send it again";
            return Err(StoreError::Conflict(why.into()).into());
        }
        Ok(())
    }
}

/// The kind of resource that a path is about, and the rest of the path.
fn kind_of(path: &str) -> Result<(ResourceKind, Option<String>), ScimError> {
    let mut parts = path.trim_matches('/').splitn(2, '/');
    let collection = parts.next().unwrap_or_default();
    let kind = [ResourceKind::User, ResourceKind::Group]
        .into_iter()
        .find(|kind| kind.endpoint().trim_start_matches('/').eq_ignore_ascii_case(collection));
    let kind = kind.ok_or_else(|| ScimError::invalid_path("only requests to /Users and /Groups can be replayed"))?;
    Ok((kind, parts.next().filter(|rest| !rest.is_empty()).map(str::to_owned)))
}

fn body_of(rejected: &RejectedRequest) -> &[u8] {
    rejected.body.as_deref().unwrap_or_default().as_bytes()
}

#[cfg(test)]
mod tests;
