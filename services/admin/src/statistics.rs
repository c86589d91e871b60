//! `/api/v1/overview` and `/api/v1/statistics`: an organisation at a glance, and over time.

use crate::answer::{Answer, one};
use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::query::query;
use crate::view::sources::Source;
use crate::view::statistics::{Attention, Backlog, Day, Overview, Statistics};
use actix_web::HttpRequest;
use chrono::TimeDelta;
use serde::Deserialize;

const DEFAULT_DAYS: u32 = 30;
const DAYS_MAX: u32 = 366;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    days: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[utoipa::path(
    get, path = "/api/v1/overview", tag = "statistics", operation_id = "statistics_overview", summary = "The organisation at a glance",
    responses((status = 200, body = Overview)),
)]
pub(crate) async fn overview(request: HttpRequest, auth: ApiAuth) -> Answer {
    let Nothing {} = query(&request)?;
    let (store, scope) = (&auth.admin.hub.store, &auth.scope);
    let Day { members, seats, .. } = store.counts_now(scope).await?.into();
    let waiting = store.waiting(scope).await?;
    let sources = store.sources(scope).await?;
    let sources: Vec<Source> = sources.into_iter().map(Into::into).collect();
    one::<Overview>(Overview {
        members,
        seats,
        waitlist: waiting.for_seat,
        attention: Attention {
            held_runs: waiting.held_runs,
            approvals: waiting.for_approval,
            skipped_records: waiting.skipped_records,
            quarantined_sources: sources.iter().filter(|source| source.quarantined_at.is_some()).count(),
        },
        backlog: Backlog {
            changes: waiting.changes,
            oldest_change_at: waiting.oldest_change_at,
            retry_at: waiting.retry_at,
            last_error: waiting.last_error,
        },
        sync_lag: store.sync_lag(scope).await?.into(),
        sources,
    })
}

#[utoipa::path(
    get, path = "/api/v1/statistics", tag = "statistics", operation_id = "statistics_statistics", summary = "Members, seats, sign-ins and runs by day",
    params(("days" = Option<u32>, Query)),
    responses((status = 200, body = Statistics)),
)]
pub(crate) async fn statistics(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked: Since = query(&request)?;
    let days = asked.days.map_or(Ok(DEFAULT_DAYS), |days| days.parse());
    let days = days.ok().filter(|days| (1..=DAYS_MAX).contains(days));
    let days = days.ok_or_else(|| AdminError::BadRequest(format!("days is a number from 1 to {DAYS_MAX}")))?;
    let (store, scope) = (&auth.admin.hub.store, &auth.scope);
    let since = (store.clock.now() - TimeDelta::days(i64::from(days) - 1)).date_naive();
    let days = store.days(scope, since).await?.into_iter().map(Into::into).collect();
    one::<Statistics>(Statistics { days, sync_lag: store.sync_lag(scope).await?.into() })
}
