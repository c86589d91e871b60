//! `/api/v1/sources/{id}/dialect`: the dialect of a source's identity provider, with advice.

use crate::answer::{Answer, one};
use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::query;
use crate::view::dialect as view;
use actix_web::HttpRequest;
use chrono::TimeDelta;
use rollcall_core::ids::SourceId;
use rollcall_core::remedy;
use rollcall_scim::Quirk;
use rollcall_store::{DISCOVERY_READS, Dialect, REQUESTS};
use serde::Deserialize;
use std::collections::BTreeMap;

const DEFAULT_DAYS: u32 = 7;
const DAYS_MAX: u32 = 90;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    days: Option<String>,
}

/// The ledger of one source over the last days, with the interpretation of each quirk and advice.
#[utoipa::path(
    get, path = "/api/v1/sources/{id}/dialect", tag = "sources", operation_id = "dialect_dialect", summary = "How the identity provider departs from the RFC",
    params(("id" = Uuid, Path), ("days" = Option<u32>, Query)),
    responses((status = 200, body = view::Dialect)),
)]
pub(crate) async fn dialect(request: HttpRequest, auth: ApiAuth) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    let asked: Since = query(&request)?;
    let days = asked.days.map_or(Ok(DEFAULT_DAYS), |days| days.parse());
    let days = days.ok().filter(|days| (1..=DAYS_MAX).contains(days));
    let days = days.ok_or_else(|| AdminError::BadRequest(format!("days is a number from 1 to {DAYS_MAX}")))?;
    let store = &auth.admin.hub.store;
    let since = store.clock.now() - TimeDelta::days(i64::from(days) - 1);
    let ledger = store.dialect(&auth.scope, id, &since.format("%Y-%m-%d").to_string()).await?;
    one::<view::Dialect>(shown(&ledger, days))
}

fn shown(ledger: &Dialect, days: u32) -> view::Dialect {
    let mut totals: BTreeMap<&str, i64> = BTreeMap::new();
    let mut by_day: BTreeMap<&str, BTreeMap<String, i64>> = BTreeMap::new();
    for row in &ledger.days {
        *totals.entry(&row.quirk).or_default() += row.occurrences;
        by_day.entry(&row.day).or_default().insert(row.quirk.clone(), row.occurrences);
    }
    let requests = totals.remove(REQUESTS).unwrap_or(0);
    let discovery_reads = totals.remove(DISCOVERY_READS).unwrap_or(0);
    let counted: BTreeMap<ByName, i64> =
        totals.into_iter().filter_map(|(name, count)| Some((ByName(Quirk::from_name(name)?), count))).collect();
    let quirk = |(ByName(quirk), count): (&ByName, &i64)| view::CountedQuirk {
        quirk: quirk.name(),
        count: *count,
        read_as: read_as(*quirk),
    };
    let mut advice = advice(&|quirk| counted.get(&ByName(quirk)).copied().unwrap_or(0), days);
    advice.extend(never_writes(ledger, requests, discovery_reads));
    view::Dialect {
        days,
        requests,
        discovery_reads,
        quirks: counted.iter().map(quirk).collect(),
        advice,
        by_day: by_day.into_iter().rev().map(|(day, counts)| view::Day { day: day.to_owned(), counts }).collect(),
    }
}

/// Quirks in the order of their names.
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
        Quirk::MistypedUrn => "a schema's URN with a dot for a colon as that URN",
        Quirk::NumberForText => "a number as a text",
        Quirk::WrappedValue => "a list of one, or an object with nothing but a value, as that value",
        Quirk::ValueLeftOut => "a write that ends somebody's access without the value that cannot be kept",
        Quirk::WrongQuotes => "a value in other quotes as a value in double quotes",
        Quirk::IdSpelling => "an id in capitals, in braces or as urn:uuid: as that id",
        Quirk::PlusInAddress => "+ within an address in a filter as a space",
        Quirk::PutWithoutMembers => "a group in a PUT without members as: its members stay",
        Quirk::PutWithoutMembersAsEmpty => "a group in a PUT without members as: it has none, as the policy says",
    }
}

/// Reads of discovery, without anything else worth speaking of, after which a client counts as one that gives up there.
const READS_OF_ONE_WHO_GIVES_UP: i64 = 6;

/// Advice about a client that reads discovery again and again and never writes: some refuse a configuration with an attribute
/// that they do not know, and say so in their own log only.
fn never_writes(ledger: &Dialect, requests: i64, discovery_reads: i64) -> Option<String> {
    let others = requests - discovery_reads;
    let gives_up = discovery_reads >= READS_OF_ONE_WHO_GIVES_UP && others <= discovery_reads / 3;
    if ledger.has_records || !gives_up {
        return None;
    }
    let remedy = if ledger.plain_discovery { &remedy::ASK_THE_CLIENT } else { &remedy::PLAIN_DISCOVERY };
    Some(format!(
        "{discovery_reads} of {requests} requests read discovery, and the source never wrote a person or a group. {}",
        remedy.sentence
    ))
}

/// Advice for the admin. None of it is urgent, because everything counted here was understood.
fn advice(count: &dyn Fn(Quirk) -> i64, days: u32) -> Vec<String> {
    let mut advice = Vec::new();
    // Operations in capitals are Entra's alone; other providers write booleans as strings and remove by list as well.
    let is_entra = count(Quirk::CapitalisedOp) > 0;
    if is_entra {
        advice.push(format!(
            "Entra without aadOptscim062020: {} string booleans, {} capitalised operations and {} removals by list in \
             {days} days. Adding ?aadOptscim062020 to the tenant URL makes Entra speak as the RFC says; all are understood.",
            count(Quirk::StringBoolean),
            count(Quirk::CapitalisedOp),
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
    if count(Quirk::PlusInAddress) > 0 {
        advice.push(format!(
            "{} filters named an address with a bare + in it, which means a space there: the person may not be found. \
             The identity provider's connector has to write %2B.",
            count(Quirk::PlusInAddress)
        ));
    }
    if count(Quirk::PutWithoutMembers) > 0 {
        advice.push(format!(
            "{} groups were put without a list of members; their members stayed. A client that leaves out empty lists \
             never takes the last person out of a group. {}",
            count(Quirk::PutWithoutMembers),
            remedy::MEMBERS_LEFT_OUT.sentence
        ));
    }
    if count(Quirk::ValueLeftOut) > 0 {
        advice.push(format!(
            "{} values could not be kept in writes that ended somebody's access; the access ended, the values were left \
             out. The answer to the write shows what is stored.",
            count(Quirk::ValueLeftOut)
        ));
    }
    if count(Quirk::CreateOnMiss) > 0 {
        let usual = if is_entra { " That is usual with Entra's default mapping." } else { "" };
        advice.push(format!(
            "{} changes were about an email or phone number that the person did not have; it was made.{usual}",
            count(Quirk::CreateOnMiss)
        ));
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_store::DialectDay;

    fn ledger(days: Vec<DialectDay>) -> Dialect {
        Dialect { days, has_records: true, plain_discovery: false }
    }

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
            day("2026-11-21", "capitalised_op", 9),
        ];
        let shown = shown(&ledger(rows.into()), 7);
        assert_eq!(shown.requests, 15);
        assert_eq!(shown.quirks[1].count, 312);
        assert_eq!(shown.by_day[0].day, "2026-11-22");
        let advice = &shown.advice[0];
        assert!(advice.contains("aadOptscim062020") && advice.contains("312 string booleans"), "{advice}");
    }

    fn advised(quirks: &[&str]) -> String {
        let rows: Vec<DialectDay> = quirks.iter().map(|quirk| day("2026-11-22", quirk, 3)).collect();
        shown(&ledger(rows), 7).advice.join("\n")
    }

    #[test]
    fn r19_a_products_flag_is_named_where_the_dialect_is_that_products() {
        for others in [&["string_boolean"][..], &["remove_value_list"], &["create_on_miss"], &["attribute_case"]] {
            assert!(!advised(others).contains("Entra"), "{others:?}");
        }
        let entra = advised(&["capitalised_op", "remove_value_list", "create_on_miss"]);
        assert!(entra.contains("aadOptscim062020") && entra.contains("Entra's default mapping"), "{entra}");
    }

    #[test]
    fn r19_only_a_doubtful_value_is_warned_of() {
        for understood in
            ["plus_for_space", "unquoted_filter_value", "wrong_quotes", "number_for_text", "wrapped_value"]
        {
            assert_eq!(advised(&[understood]), "", "{understood}");
        }
        assert!(advised(&["plus_in_address"]).contains("%2B"));
    }

    #[test]
    fn r16_a_client_that_reads_discovery_and_never_writes_is_advised() {
        let advised = |requests, discovery_reads, has_records, plain_discovery| {
            let days = vec![day("2026-11-22", REQUESTS, requests), day("2026-11-22", DISCOVERY_READS, discovery_reads)];
            let shown = shown(&Dialect { days, has_records, plain_discovery }, 7);
            assert_eq!((shown.discovery_reads, shown.quirks.len()), (discovery_reads, 0));
            shown.advice.join("\n")
        };
        let advice = advised(9, 9, false, false);
        assert!(advice.contains("9 of 9") && advice.contains("plain_discovery"), "{advice}");
        let advice = advised(10, 9, false, true);
        assert!(advice.contains("own log") && !advice.contains("plain_discovery"), "{advice}");
        for (why, quiet) in [
            ("it has written", advised(9, 9, true, false)),
            ("it looks people up, and nobody is assigned", advised(20, 9, false, false)),
            ("once is no habit", advised(3, 3, false, false)),
        ] {
            assert_eq!(quiet, "", "{why}");
        }
    }

    #[test]
    fn a_source_that_speaks_plainly_gets_no_advice() {
        assert!(shown(&ledger(vec![day("2026-11-22", REQUESTS, 10)]), 7).advice.is_empty());
        assert!(Quirk::all().all(|quirk| !read_as(quirk).is_empty()));
    }
}
