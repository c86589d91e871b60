//! `/api/v1/exports`: whole lists as CSV or JSON lines. An export is read page by page, each when the one before has been taken, so it
//! holds one page in memory and no connection of the database while its reader is slow.

mod format;
pub(crate) mod roster;
mod rows;
mod transfer;

use crate::answer::Answer;
use crate::audit_events::{FILTERS, filter};
use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::members;
use crate::query::{ListParameters, parameters, parsed};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use format::{Columns, Format};
use futures_util::stream;
use rollcall_core::budget::Budget;
use rollcall_core::event::ExportMade;
use rollcall_store::{Cursor, HeavyKind, HeavyWork, MAX_LIMIT, PageRequest};
pub(crate) use roster::export_roster;
use rows::{Exported, Row};
use std::collections::BTreeMap;
use std::time::Duration;
use transfer::{Pages, Transfer};

/// Parameters of every export.
const OF_ALL: [&str; 1] = ["format"];

#[utoipa::path(
    get, path = "/api/v1/exports/members", tag = "exports", operation_id = "exports_members", summary = "The roster as CSV or JSON lines",
    params(("format" = Option<String>, Query), ("fields" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("email" = Option<String>, Query), ("former_email" = Option<String>, Query), ("status" = Option<String>, Query), ("modified_since" = Option<String>, Query), ("q" = Option<String>, Query), ("contains" = Option<String>, Query), ("role" = Option<String>, Query), ("billing_contact" = Option<bool>, Query), ("managed_by" = Option<String>, Query), ("waiting_for" = Option<String>, Query), ("blocked" = Option<bool>, Query)),
    responses((status = 200, content((String = "text/csv"), (String = "application/x-ndjson")))),
)]
pub(crate) async fn export_members(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request, &[&members::FILTERS[..], &OF_ALL].concat())?;
    let filter = members::filter_of(&asked)?;
    export(&request, auth, &asked, Exported::Members(filter)).await
}

#[utoipa::path(
    get, path = "/api/v1/exports/groups", tag = "exports", operation_id = "exports_groups", summary = "Sharing groups as CSV or JSON lines",
    params(("format" = Option<String>, Query), ("fields" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, content((String = "text/csv"), (String = "application/x-ndjson")))),
)]
pub(crate) async fn export_groups(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request, &OF_ALL)?;
    export(&request, auth, &asked, Exported::Groups).await
}

#[utoipa::path(
    get, path = "/api/v1/exports/audit-events", tag = "exports", operation_id = "exports_audit_events", summary = "The audit log as CSV or JSON lines",
    params(("format" = Option<String>, Query), ("fields" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("kind" = Option<String>, Query), ("subject_id" = Option<String>, Query), ("actor" = Option<String>, Query), ("request_id" = Option<String>, Query)),
    responses((status = 200, content((String = "text/csv"), (String = "application/x-ndjson")))),
)]
pub(crate) async fn export_audit_events(request: HttpRequest, auth: ApiAuth) -> Answer {
    let [kind, subject, actor, cause] = FILTERS;
    let asked = parameters(&request, &[kind, subject, actor, cause, "format"])?;
    export(&request, auth, &asked, Exported::AuditEvents(filter(&asked)?)).await
}

/// The pages of an export, which has one of the few slots while they are taken.
struct Admitted {
    auth: ApiAuth,
    what: Exported,
    page: PageRequest,
    _slot: HeavyWork,
}

impl Pages for Admitted {
    type Place = Cursor;

    async fn page(&self, after: Option<Cursor>, begun: bool) -> Result<(Vec<Row>, Option<Cursor>), AdminError> {
        let store = &self.auth.admin.hub.store;
        let page = self.page.after(after);
        if begun {
            self.what.page(&store.for_export(), &self.auth.scope, &page).await
        } else {
            self.what.page(store, &self.auth.scope, &page).await
        }
    }
}

/// The first page is read before the answer begins, so that a refusal is one; and the audit log tells of the export before anything of
/// it leaves.
async fn export(request: &HttpRequest, auth: ApiAuth, asked: &ListParameters, what: Exported) -> Answer {
    for (name, given) in [("limit", &asked.limit), ("cursor", &asked.cursor)] {
        if given.is_some() {
            return Err(AdminError::BadRequest(format!("{name}: an export is whole; the list has pages")));
        }
    }
    let format = parsed::<Format>("format", asked.format.as_deref())?.unwrap_or(Format::Csv);
    let columns = Columns::of(what.columns(), asked.fields.as_deref()).map_err(AdminError::BadRequest)?;
    let page = PageRequest { limit: MAX_LIMIT, ..asked.page()? };
    let (admin, scope, name) = (auth.admin.clone(), auth.scope, what.name());
    let store = &admin.hub.store;
    let slot = store.heavy(&Budget::unlimited(scope.tenant()), HeavyKind::Export).await?;
    let time = slot.time().unwrap_or(TIME);
    let transfer = Transfer::begin(Admitted { auth, what, page, _slot: slot }, format, columns, time).await?;
    let made = ExportMade { list: name, format: format.as_str(), filters: told_filters(request)? };
    store.note_export(&scope, made).await?;
    let today: DateTime<Utc> = store.clock.now();
    let file = format!("attachment; filename=\"{name}-{}.{}\"", today.format("%Y-%m-%d"), format.as_str());
    let answer = stream::try_unfold(transfer, |mut transfer| async move {
        let slice =
            transfer.slice().await.inspect_err(|error| tracing::warn!(%error, "an export ends before its end"))?;
        Ok::<_, AdminError>(slice.map(|slice| (slice, transfer)))
    });
    Ok(HttpResponse::Ok()
        .content_type(format.media_type())
        .insert_header(("Content-Disposition", file))
        .streaming(answer))
}

/// The time of an export where the store has no limits.
const TIME: Duration = Duration::from_secs(900);
/// Parameters that name no person. The audit log is kept for ever, so it holds the values of these alone.
const IMPERSONAL: [&str; 14] = [
    "format",
    "fields",
    "order",
    "since",
    "until",
    "status",
    "role",
    "billing_contact",
    "managed_by",
    "waiting_for",
    "blocked",
    "modified_since",
    "kind",
    "subject_id",
];

/// The filters as the audit log tells of them: null for a search or an address.
fn told_filters(request: &HttpRequest) -> Result<BTreeMap<String, Option<String>>, AdminError> {
    let given = crate::query::query::<Vec<(String, String)>>(request)?;
    let told = |(name, value): (String, String)| {
        let value = IMPERSONAL.contains(&name.as_str()).then_some(value);
        (name, value)
    };
    Ok(given.into_iter().map(told).collect())
}
