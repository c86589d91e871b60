//! `/api/v1/sources/{id}/dialect`: how a source's identity provider speaks, and what to do about it.

use crate::answer::Answer;
use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::query;
use actix_web::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use rollcall_core::ids::SourceId;
use rollcall_scim::Quirk;
use rollcall_store::{DialectDay, REQUESTS};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DEFAULT_DAYS: u32 = 7;
const DAYS_MAX: u32 = 90;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    days: Option<u32>,
}

/// The ledger of one source over the last days, with what each quirk was read as and what an admin can do.
pub(crate) async fn dialect(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    let asked: Since = query(&request)?;
    let days = asked.days.unwrap_or(DEFAULT_DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(AdminError::BadRequest(format!("days is 1 to {DAYS_MAX}")));
    }
    let store = &auth.admin.hub.store;
    let since = store.clock.now() - TimeDelta::days(i64::from(days) - 1);
    let rows = store.dialect(&auth.scope, id, &since.format("%Y-%m-%d").to_string()).await?;
    Ok(HttpResponse::Ok().json(shown(&rows, days)))
}

fn shown(rows: &[DialectDay], days: u32) -> Value {
    let mut totals: BTreeMap<&str, i64> = BTreeMap::new();
    let mut by_day: BTreeMap<&str, serde_json::Map<String, Value>> = BTreeMap::new();
    for row in rows {
        *totals.entry(&row.quirk).or_default() += row.occurrences;
        by_day.entry(&row.day).or_default().insert(row.quirk.clone(), row.occurrences.into());
    }
    let requests = totals.remove(REQUESTS).unwrap_or(0);
    let counted: BTreeMap<ByName, i64> =
        totals.into_iter().filter_map(|(name, count)| Some((ByName(Quirk::from_name(name)?), count))).collect();
    let quirks = counted
        .iter()
        .map(|(ByName(quirk), count)| json!({ "quirk": quirk.name(), "count": count, "read_as": read_as(*quirk) }));
    let days_shown = by_day.into_iter().rev().map(|(day, counts)| json!({ "day": day, "counts": counts }));
    json!({
        "days": days,
        "requests": requests,
        "quirks": quirks.collect::<Vec<_>>(),
        "advice": advice(&|quirk| counted.get(&ByName(quirk)).copied().unwrap_or(0), days),
        "by_day": days_shown.collect::<Vec<_>>(),
    })
}

/// A quirk in the order of its name.
#[derive(PartialEq, Eq)]
struct ByName(Quirk);

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.name().cmp(other.0.name())
    }
}

impl PartialOrd for ByName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn read_as(quirk: Quirk) -> &'static str {
    match quirk {
        Quirk::StringBoolean => "\"True\" and \"False\" as true and false",
        Quirk::CapitalisedOp => "Add, Replace and Remove as add, replace and remove",
        Quirk::AttributeCase => "the attribute of that name in any case",
        Quirk::DottedKey => "\"name.givenName\" as the path name.givenName",
        Quirk::UrnKey => "a key that begins with a schema's URN as a path",
        Quirk::CreateOnMiss => "a change of an element that is not there as its creation",
        Quirk::BareExtensionAttribute => "an enterprise attribute without its URN as that attribute",
        Quirk::ManagerString => "a text as the manager's id",
        Quirk::ManagerArray => "a list of one as the manager",
        Quirk::NullValue => "null as: has no value",
        Quirk::BareMember => "a text as a member's id",
        Quirk::BareElement => "a text as the element's value",
        Quirk::RemoveValueList => "remove with a list as: remove these, and nobody else",
        Quirk::ReplaceObjectForList => "one object as a list of one",
        Quirk::JsonInString => "JSON in a text as JSON",
        Quirk::UnquotedFilterValue => "a bare word in a filter as a text",
        Quirk::ValuePathSubAttribute => "emails[type eq \"work\"].value as the value of such an element",
        Quirk::TwoPrimaries => "the first of two primary elements as the primary one",
        Quirk::RoleJsonString => "a role in JSON as the role it holds",
        Quirk::UnknownSchemaUrn => "an unknown schema as not there",
        Quirk::UnknownAttribute => "an unknown attribute as not there",
        Quirk::ReadOnlyIgnored => "a read-only attribute as not there",
        Quirk::EmptyValue => "an empty text as: has no value",
        Quirk::TrailingSlash => "an address with a slash at the end as without",
        Quirk::PathCase => "/users and /groups as /Users and /Groups",
        Quirk::PlusForSpace => "+ in the address as a space",
    }
}

/// What an admin can do. Nothing has to be done: everything counted here was understood.
fn advice(count: &dyn Fn(Quirk) -> i64, days: u32) -> Vec<String> {
    let mut advice = Vec::new();
    let entra = count(Quirk::StringBoolean) + count(Quirk::CapitalisedOp);
    if entra > 0 {
        advice.push(format!(
            "Entra without aadOptscim062020: {} string booleans and {} capitalised operations in {days} days. Adding \
             ?aadOptscim062020 to the tenant URL makes Entra speak as the RFC says; both are understood.",
            count(Quirk::StringBoolean),
            count(Quirk::CapitalisedOp)
        ));
    }
    if count(Quirk::RemoveValueList) > 0 {
        advice.push(format!(
            "{} removals named members in a list instead of the path; only those were removed. In Entra \
             ?aadOptscim062020 changes it too.",
            count(Quirk::RemoveValueList)
        ));
    }
    if count(Quirk::UnknownAttribute) > 0 {
        advice.push(format!(
            "{} attributes that nothing here uses were sent and ignored: take them out of the attribute mapping.",
            count(Quirk::UnknownAttribute)
        ));
    }
    if count(Quirk::TwoPrimaries) > 0 {
        advice.push(format!(
            "{} times two values were called primary and one was kept: map one email address as primary, else which of \
             them a person is known by may change.",
            count(Quirk::TwoPrimaries)
        ));
    }
    if count(Quirk::UnquotedFilterValue) + count(Quirk::PlusForSpace) > 0 {
        advice.push(
            "Filters came without quotes or with + for a space: a value with a plus sign or a quote in it may be \
             looked up wrongly. Update the identity provider's connector."
                .to_owned(),
        );
    }
    if count(Quirk::CreateOnMiss) > 0 {
        advice.push(format!(
            "{} changes were about an email or phone number that the person did not have; it was made. That is usual \
             with Entra's default mapping.",
            count(Quirk::CreateOnMiss)
        ));
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: &str, quirk: &str, occurrences: i64) -> DialectDay {
        DialectDay { day: day.into(), quirk: quirk.into(), occurrences }
    }

    #[test]
    fn the_ledger_sums_days_and_advises() {
        let rows = [
            day("2026-11-22", REQUESTS, 10),
            day("2026-11-21", REQUESTS, 5),
            day("2026-11-22", "string_boolean", 300),
            day("2026-11-21", "string_boolean", 12),
        ];
        let shown = shown(&rows, 7);
        assert_eq!(shown["requests"], 15);
        assert_eq!(shown["quirks"][0]["count"], 312);
        assert_eq!(shown["by_day"][0]["day"], "2026-11-22");
        let advice = shown["advice"][0].as_str().unwrap_or_default();
        assert!(advice.contains("aadOptscim062020") && advice.contains("312 string booleans"), "{advice}");
    }

    #[test]
    fn a_source_that_speaks_plainly_gets_no_advice() {
        assert_eq!(shown(&[day("2026-11-22", REQUESTS, 10)], 7)["advice"], json!([]));
        assert!(Quirk::all().all(|quirk| !read_as(quirk).is_empty()));
    }
}
