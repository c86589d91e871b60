//! Open invitations that go out once more (DW2), of people whom a source announced too. Nothing about the member changes, so a plan
//! that a worker has not applied stays right.

use crate::admin::invitations::{INVITATIONS_MAX, check_message, repeats};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, Type, id_rows, time_text};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::log::audit_events::EventRow;
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::event::{Event, MemberDetail};
use rollcall_core::ids::MemberId;
use rollcall_core::invitation::Repeats;
use rollcall_core::roster::MemberStatus;
use sea_orm::FromQueryResult;
use serde::Serialize;
use std::collections::HashMap;
use uuid::Uuid;

/// The outcome of a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatResult {
    /// Sent again, so many times by now.
    Done(u32),
    /// The member has no open invitation.
    NotInvited,
    TooMany,
    NotFound,
}

#[derive(FromQueryResult)]
struct InvitedRow {
    id: Uuid,
    status: String,
    invitation_repeats: i64,
    invitation_repeated_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct RepeatRow {
    tenant_id: Uuid,
    id: Uuid,
    invitation_repeats: u32,
    #[serde(serialize_with = "time_text")]
    invitation_repeated_at: DateTime<Utc>,
}

const REPEAT: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("invitation_repeats", Type::Int),
    ("invitation_repeated_at", Type::Time),
];

const TO_REPEAT: &str = "SELECT m.id, m.status, m.invitation_repeats, m.invitation_repeated_at, m.created_at FROM {rows} \
    {join} members m ON m.tenant_id = {tenant} AND m.id = r.id ORDER BY m.id";
/// Locked in one order, so that of two calls none counts what the other one counts.
static TO_REPEAT_LOCKED: Sql =
    Sql::tenant_by_engine(&[("rows", 2, ID)], &[TO_REPEAT, " FOR NO KEY UPDATE OF m"], &[TO_REPEAT]);

impl Store {
    /// Sends open invitations once more, and answers in the order of the ids.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for more than [`INVITATIONS_MAX`] ids, or a message that is none.
    #[tracing::instrument(name = "store.invitations.invite_again", skip_all)]
    pub async fn invite_again(
        &self,
        scope: &AdminScope,
        ids: &[MemberId],
        message: Option<&str>,
    ) -> Result<Vec<RepeatResult>, StoreError> {
        if ids.len() > INVITATIONS_MAX {
            return Err(StoreError::Invalid(format!("at most {INVITATIONS_MAX} members at once")));
        }
        check_message(message)?;
        let tx = self.write(&scope.scope).await?;
        let rows: Vec<InvitedRow> = tx.all(&TO_REPEAT_LOCKED, [id_rows(ids.iter().map(|id| id.0))?]).await?;
        let mut known: HashMap<MemberId, InvitedRow> = rows.into_iter().map(|row| (row.id.into(), row)).collect();
        let mut sent: HashMap<MemberId, Repeats> = HashMap::new();
        let mut repeat = |id: &MemberId| {
            if let Some(repeats) = sent.get(id) {
                return RepeatResult::Done(repeats.count);
            }
            let Some(row) = known.remove(id) else { return RepeatResult::NotFound };
            if row.status != MemberStatus::Invited.as_str() {
                return RepeatResult::NotInvited;
            }
            let before = repeats(row.invitation_repeats, row.invitation_repeated_at, row.created_at);
            match before.again(tx.clock.now()) {
                Ok(after) => {
                    sent.insert(*id, after);
                    RepeatResult::Done(after.count)
                }
                Err(_) => RepeatResult::TooMany,
            }
        };
        let results: Vec<RepeatResult> = ids.iter().map(&mut repeat).collect();
        if !sent.is_empty() {
            tx.write_repeats(&sent, message).await?;
            tx.commit().await?;
        }
        Ok(results)
    }
}

impl TenantTx {
    async fn write_repeats(&self, sent: &HashMap<MemberId, Repeats>, message: Option<&str>) -> Result<(), StoreError> {
        let row = |(id, repeats): (&MemberId, &Repeats)| RepeatRow {
            tenant_id: self.tenant.0,
            id: id.0,
            invitation_repeats: repeats.count,
            invitation_repeated_at: repeats.last,
        };
        self.tx.update_rows("members", REPEAT, &sent.iter().map(row).collect::<Vec<_>>()).await?;
        let told = |(id, repeats): (&MemberId, &Repeats)| {
            let detail = MemberDetail::InvitedAgain { repeats: repeats.count, message: message.map(str::to_owned) };
            self.event_row(&Event::MemberInvitedAgain(*id, detail), self.actor, self.request, None)
        };
        self.write_events(&sent.iter().map(told).collect::<Vec<EventRow>>()).await
    }
}
