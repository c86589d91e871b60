//! Query strings of admins: known parameters only, each with a value, without NUL.

use crate::error::AdminError;
use crate::openapi::takes_query;
use crate::view::closed::texts;
use crate::words::plainly;
use actix_web::HttpRequest;
use actix_web::error::QueryPayloadError;
use actix_web::web::Query;
use chrono::{DateTime, Utc};
use rollcall_core::directory::{Dispute, PeopleAfter};
use rollcall_core::event::AuditKind;
use rollcall_core::roster::{MemberStatus, Role, WaitingFor};
use rollcall_core::run::RunState;
use rollcall_core::webhook::DeliveryOutcome;
use rollcall_store::{Cursor, ListOrder, MAX_LIMIT, PageRequest};
use rollcall_web::RouteLabel;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::str::FromStr;

/// The forms of an actor.
pub(crate) const ACTORS: &str = "`system`, `operator`, or `member:`, `source:`, `api_key:`, `setup_link:`, `operator:` or `operator_key:` with an id";

/// The only way for a handler to read its parameters.
pub(crate) fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, AdminError> {
    let text = request.query_string();
    let wrong = |why: &str| AdminError::BadRequest(format!("the query parameters: {why}"));
    // Postgres refuses NUL even in a comparison.
    if text.contains("%00") {
        return Err(wrong("no value holds NUL (U+0000)"));
    }
    // A variable that a script forgot to set must not answer with everything.
    let mut values =
        text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    if let Some((name, _)) = values.find(|(_, value)| value.is_empty()) {
        let why = format!("`{name}` is empty: it takes {}; or leave it out", taken_by(name));
        return Err(AdminError::BadRequest(why));
    }
    Query::<T>::from_query(text).map(Query::into_inner).map_err(|e| match e {
        QueryPayloadError::Deserialize(e) => wrong(&plainly(&e.to_string())),
        other => wrong(&other.to_string()),
    })
}

/// The closed list of values that a parameter takes, whatever the call; none for an open one.
pub(crate) fn closed_values(name: &str) -> Option<Vec<&'static str>> {
    Some(match name {
        "status" => texts(MemberStatus::ALL),
        "role" => texts(Role::ALL),
        "waiting_for" => texts(WaitingFor::ALL),
        "state" => texts(RunState::ALL),
        "kind" => texts(AuditKind::ALL),
        "dispute" => texts(Dispute::ALL),
        "people" => texts(PeopleAfter::ALL),
        "outcome" => texts(DeliveryOutcome::ALL),
        "order" => vec!["asc", "desc"],
        "format" => vec!["csv", "jsonl"],
        _ => return None,
    })
}

/// The values that a parameter takes. A closed list is told whole.
fn taken_by(name: &str) -> String {
    if let Some(values) = closed_values(name) {
        return format!("one of {}", values.join(", "));
    }
    match name {
        "blocked" | "billing_contact" | "ignored" => "true or false".to_owned(),
        "since" | "until" | "modified_since" => "a time like 2026-11-29T12:28:07Z (RFC 3339)".to_owned(),
        "limit" => format!("a whole number from 1 to {MAX_LIMIT}"),
        "days" => "a whole number".to_owned(),
        "after" => "the `sequence` of an event or the `next_after` of an answer".to_owned(),
        "wait" => "a whole number of seconds from 0 to 30".to_owned(),
        "cursor" => "the `next_cursor` or `resume_cursor` of an answer".to_owned(),
        "with" => "the id of a run".to_owned(),
        "actor" => ACTORS.to_owned(),
        "managed_by" => "the id of a source".to_owned(),
        "email" | "former_email" => "an address".to_owned(),
        "lists" => "names of lists with commas between them".to_owned(),
        "fields" => "names of fields with commas between them".to_owned(),
        _ if name.ends_with("_id") => "an id".to_owned(),
        _ => "a text".to_owned(),
    }
}

/// Refuses parameters of a call that has none: one that is passed over looks as if it had been obeyed.
pub(crate) fn no_parameters(request: &HttpRequest) -> Result<(), AdminError> {
    let pattern = request.app_data::<RouteLabel>().map(|label| label.pattern);
    if pattern.is_some_and(|pattern| !takes_query(request.method(), pattern)) {
        let NoParameters {} = query(request)?;
    }
    Ok(())
}

/// Refuses all parameters but `fields`, which the answer reads.
pub(crate) fn only_fields(request: &HttpRequest) -> Result<(), AdminError> {
    let _: OnlyFields = query(request)?;
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyFields {
    #[expect(dead_code, reason = "it is allowed here, and read with the answer")]
    fields: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

/// An address in a query: a `+` there means a space, which no address has, so the plus is what was meant.
pub(crate) fn address(text: &str) -> String {
    text.trim().replace(' ', "+")
}

/// The parameters of all lists; each list uses some.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParameters {
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) order: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) modified_since: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) former_email: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) billing_contact: Option<String>,
    pub(crate) managed_by: Option<String>,
    pub(crate) waiting_for: Option<String>,
    pub(crate) blocked: Option<String>,
    pub(crate) q: Option<String>,
    pub(crate) contains: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) subject_id: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) source_id: Option<String>,
    pub(crate) member_id: Option<String>,
    pub(crate) dispute: Option<String>,
    pub(crate) ignored: Option<String>,
    pub(crate) with: Option<String>,
    pub(crate) people: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) fields: Option<String>,
}

impl ListParameters {
    pub(crate) fn page(&self) -> Result<PageRequest, AdminError> {
        let limit = self.limit()?;
        let cursor = self.cursor.as_deref().map(str::parse::<Cursor>).transpose()?;
        let order = match self.order.as_deref() {
            None | Some("asc") => ListOrder::Ascending,
            Some("desc") => ListOrder::Descending,
            Some(_) => return Err(AdminError::BadRequest("order is asc (the oldest first) or desc".into())),
        };
        let (since, until) = (time("since", self.since.as_deref())?, time("until", self.until.as_deref())?);
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err(AdminError::BadRequest("since is not before until".into()));
        }
        Ok(PageRequest { limit, order, cursor, since, until })
    }

    /// The limit of a page of a plan. A plan has one order, and is of one moment.
    pub(crate) fn limit_of_plan(&self) -> Result<u64, AdminError> {
        for (name, given) in [("order", &self.order), ("since", &self.since), ("until", &self.until)] {
            if given.is_some() {
                return Err(AdminError::BadRequest(format!(
                    "{name}: this list is a plan, which has one order and no times"
                )));
            }
        }
        self.limit()
    }

    fn limit(&self) -> Result<u64, AdminError> {
        let limit = parsed("limit", self.limit.as_deref())?;
        Ok(PageRequest::limit_of(limit)?)
    }

    pub(crate) fn modified_since(&self) -> Result<Option<DateTime<Utc>>, AdminError> {
        time("modified_since", self.modified_since.as_deref())
    }
}

/// Parameters of every list.
const OF_ALL_LISTS: [&str; 6] = ["limit", "cursor", "order", "since", "until", "fields"];

/// The parameters of a list that has these filters of its own. A filter of another list is refused, because the answer would be
/// unfiltered.
pub(crate) fn parameters(request: &HttpRequest, filters: &[&str]) -> Result<ListParameters, AdminError> {
    let given = Query::<Vec<(String, String)>>::from_query(request.query_string());
    let given = given.map(Query::into_inner).unwrap_or_default();
    let takes = || OF_ALL_LISTS.iter().chain(filters);
    if let Some((name, _)) = given.iter().find(|(name, _)| !takes().any(|known| known == name)) {
        let takes = takes().copied().collect::<Vec<_>>().join(", ");
        return Err(AdminError::BadRequest(format!("this list has no parameter `{name}`; it takes {takes}")));
    }
    query(request)
}

/// The page that a request asks for, of a list without filters.
pub(crate) fn page_of(request: &HttpRequest) -> Result<PageRequest, AdminError> {
    parameters(request, &[])?.page()
}

/// A time of RFC 3339. In a query string, `+` of an offset is a space unless it is written `%2B`.
fn time(name: &str, text: Option<&str>) -> Result<Option<DateTime<Utc>>, AdminError> {
    let Some(text) = text else { return Ok(None) };
    let read = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    let with_sign = || text.rsplit_once(' ').and_then(|(time, offset)| read(&format!("{time}+{offset}")));
    let wrong = || AdminError::BadRequest(format!("{name} is a time like 2026-11-29T12:28:07Z (RFC 3339)"));
    let time = read(text).or_else(with_sign).ok_or_else(wrong)?;
    Ok(Some(time.with_timezone(&Utc)))
}

pub(crate) fn parsed<T: FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, AdminError>
where
    T::Err: std::fmt::Display,
{
    text.map(str::parse)
        .transpose()
        .map_err(|e: T::Err| AdminError::BadRequest(format!("{name}: {}", plainly(&e.to_string()))))
}
