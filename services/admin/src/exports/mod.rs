//! `/api/v1/exports`: whole lists as CSV or JSON lines. An export is read page by page, each when the one before has been taken, so it
//! holds one page in memory and no connection of the database while its reader is slow.

mod format;
mod rows;

use crate::answer::Answer;
use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::members;
use crate::query::{ListParameters, parameters, parsed};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use format::{Columns, Format};
use futures_util::stream;
use rollcall_core::budget::Budget;
use rollcall_core::event::ExportMade;
use rollcall_store::{AuditFilter, Cursor, HeavyKind, HeavyWork, MAX_LIMIT, PageRequest};
use rows::Exported;
use std::collections::BTreeMap;

/// Bytes that are handed to the connection at a time.
const SLICE: usize = 32 * 1024;
/// Parameters of every export.
const OF_ALL: [&str; 2] = ["format", "fields"];

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
    params(("format" = Option<String>, Query), ("fields" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query), ("kind" = Option<String>, Query), ("subject_id" = Option<String>, Query)),
    responses((status = 200, content((String = "text/csv"), (String = "application/x-ndjson")))),
)]
pub(crate) async fn export_audit_events(request: HttpRequest, auth: ApiAuth) -> Answer {
    let asked = parameters(&request, &["kind", "subject_id", "format", "fields"])?;
    let kind = parsed("kind", asked.kind.as_deref())?;
    let subject = parsed("subject_id", asked.subject_id.as_deref())?;
    export(&request, auth, &asked, Exported::AuditEvents(AuditFilter { kind, subject })).await
}

/// An export at work.
struct Export {
    auth: ApiAuth,
    what: Exported,
    format: Format,
    columns: Columns,
    page: PageRequest,
    /// The slot of the export, and the time of each of its pages.
    work: HeavyWork,
    /// Rendered, and not taken yet.
    ready: Bytes,
    /// The cursor of the next page.
    next: Option<Cursor>,
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
    let budget = Budget::unlimited(auth.scope.tenant());
    let work = auth.admin.hub.store.heavy(&budget, HeavyKind::Export).await?;
    let name = what.name();
    let mut export = Export { auth, what, format, columns, page, work, ready: Bytes::new(), next: None };
    export.read(true).await?;
    let filters: BTreeMap<String, String> =
        crate::query::query::<Vec<(String, String)>>(request)?.into_iter().collect();
    let made = ExportMade { list: name, format: format.as_str(), filters };
    export.auth.admin.hub.store.note_export(&export.auth.scope, made).await?;
    let today: DateTime<Utc> = export.auth.admin.hub.store.clock.now();
    let file = format!("attachment; filename=\"{name}-{}.{}\"", today.format("%Y-%m-%d"), format.as_str());
    let answer = stream::try_unfold(export, |mut export| async move {
        let slice =
            export.slice().await.inspect_err(|error| tracing::error!(%error, "an export ends before its end"))?;
        Ok::<_, AdminError>(slice.map(|slice| (slice, export)))
    });
    Ok(HttpResponse::Ok()
        .content_type(format.media_type())
        .insert_header(("Content-Disposition", file))
        .streaming(answer))
}

impl Export {
    /// The next bytes; none at the end.
    async fn slice(&mut self) -> Result<Option<Bytes>, AdminError> {
        while self.ready.is_empty() {
            if self.next.is_none() {
                return Ok(None);
            }
            self.read(false).await?;
        }
        Ok(Some(self.ready.split_to(SLICE.min(self.ready.len()))))
    }

    async fn read(&mut self, first: bool) -> Result<(), AdminError> {
        let page = self.page.after(self.next);
        // A page that takes too long ends the export, and its statement.
        let read = async { Ok(self.what.page(&self.auth, &page).await) };
        let (rows, next) = self.work.run(read).await??;
        let mut bytes = Vec::new();
        if first {
            self.format.begin(&self.columns, &mut bytes);
        }
        rows.iter().for_each(|row| self.format.row(&self.columns, row, &mut bytes));
        (self.ready, self.next) = (bytes.into(), next);
        Ok(())
    }
}
