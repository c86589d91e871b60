//! `/api/v1/exports/roster`: members, groups and memberships on one stream, with the sequence after which events go on, for a product that
//! begins or begins again.

use super::TIME;
use super::format::{Columns, Format};
use super::rows::Row;
use super::transfer::{Pages, Transfer};
use crate::answer::Answer;
use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::query::no_parameters;
use crate::view::groups::SharingGroup;
use crate::view::members::Member;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use rollcall_core::budget::Budget;
use rollcall_core::event::ExportMade;
use rollcall_store::{HeavyKind, HeavyWork, MAX_LIMIT, RosterPlace, RosterRow, Sequence};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The roster, which has one of the few slots of exports while it is taken.
struct Admitted {
    auth: ApiAuth,
    begins: Sequence,
    _slot: HeavyWork,
}

/// A place in the roster, and the rows before it.
#[derive(Clone, Copy)]
struct Place {
    place: RosterPlace,
    members: u64,
    groups: u64,
    memberships: u64,
}

impl Place {
    fn count(&mut self, row: &RosterRow) {
        match row {
            RosterRow::Member(_) => self.members += 1,
            RosterRow::Group(_) => self.groups += 1,
            RosterRow::Membership { .. } => self.memberships += 1,
        }
    }

    fn end(&self) -> Json {
        let Self { members, groups, memberships, place: _ } = self;
        json!({ "end": true, "members": members, "groups": groups, "memberships": memberships })
    }
}

fn line(json: Json) -> Row {
    match json {
        Json::Object(row) => row,
        // Every line is an object.
        _ => Row::new(),
    }
}

fn row(row: RosterRow) -> Row {
    line(match row {
        RosterRow::Member(member) => json!({ "member": Member::from(*member) }),
        RosterRow::Group(group) => json!({ "group": SharingGroup::from(group) }),
        RosterRow::Membership { member_id, group_id } => {
            json!({ "membership": { "member_id": member_id, "group_id": group_id } })
        }
    })
}

impl Pages for Admitted {
    type Place = Place;

    async fn page(&self, after: Option<Place>, begun: bool) -> Result<(Vec<Row>, Option<Place>), AdminError> {
        let store = &self.auth.admin.hub.store;
        let store = if begun { store.for_export() } else { store.clone() };
        let mut lines = Vec::new();
        let mut at = after.unwrap_or(Place { place: RosterPlace::BEGINNING, members: 0, groups: 0, memberships: 0 });
        if after.is_none() {
            let (sequence, tenant) = (self.begins.to_string(), self.auth.scope.tenant());
            lines.push(line(json!({ "sequence": sequence, "tenant_id": tenant })));
        }
        let (rows, next) = store.roster_rows(&self.auth.scope, at.place, MAX_LIMIT).await?;
        rows.iter().for_each(|row| at.count(row));
        lines.extend(rows.into_iter().map(row));
        if next.is_none() {
            lines.push(line(at.end()));
        }
        Ok((lines, next.map(|place| Place { place, ..at })))
    }
}

#[utoipa::path(
    get, path = "/api/v1/exports/roster", tag = "exports", operation_id = "exports_roster", summary = "The roster as JSON lines, with the sequence after which events go on",
    responses((status = 200, description = "The first line has `sequence`; then lines with `member`, `group` and `membership`; the last one has `end` and the numbers of lines", content((String = "application/x-ndjson")))),
)]
pub(crate) async fn export_roster(request: HttpRequest, auth: ApiAuth) -> Answer {
    no_parameters(&request)?;
    let (admin, scope) = (auth.admin.clone(), auth.scope);
    let store = &admin.hub.store;
    let slot = store.heavy(&Budget::unlimited(scope.tenant()), HeavyKind::Export).await?;
    let time = slot.time().unwrap_or(TIME);
    let begins = store.roster_sequence(&scope).await?;
    let (pages, format) = (Admitted { auth, begins, _slot: slot }, Format::JsonLines);
    let transfer = Transfer::begin(pages, format, Columns::whole(), time).await?;
    let made = ExportMade { list: "roster", format: format.as_str(), filters: BTreeMap::new() };
    store.note_export(&scope, made).await?;
    let answer = stream::try_unfold(transfer, |mut transfer| async move {
        let slice =
            transfer.slice().await.inspect_err(|error| tracing::warn!(%error, "the roster ends before its end"))?;
        Ok::<_, AdminError>(slice.map(|slice| (slice, transfer)))
    });
    Ok(HttpResponse::Ok().content_type(format.media_type()).streaming(answer))
}
