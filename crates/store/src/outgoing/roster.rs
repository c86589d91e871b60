//! The roster whole, for a reader of events that begins, or begins again: members, groups and memberships, page by page. A change between two
//! pages has an event after the sequence with which the reading began, so that the reader ends with the present state all the same.

use super::sequence::Sequence;
use crate::admin::members::{Member, SharingGroup};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Cursor, Page, PageRequest, RowPlace};
use crate::engine::sql::Sql;
use crate::entity::{RowList, members, sharing_groups};
use crate::scope::AdminScope;
use sea_orm::{ColumnTrait, FromQueryResult};
use uuid::Uuid;

static MEMBERSHIPS: Sql = Sql::tenant(&["SELECT s.member_id, s.group_id FROM sharing_group_members s \
     JOIN members m ON m.tenant_id = s.tenant_id AND m.id = s.member_id AND m.status <> 'removed' \
     JOIN sharing_groups g ON g.tenant_id = s.tenant_id AND g.id = s.group_id AND g.removed_at IS NULL \
     WHERE s.tenant_id = {tenant} AND (s.member_id, s.group_id) > ($2, $3) ORDER BY s.member_id, s.group_id LIMIT $4"]);
/// Memberships of a page; they are short.
const MEMBERSHIPS_READ: i64 = 2_000;

#[derive(FromQueryResult)]
struct MembershipRow {
    member_id: Uuid,
    group_id: Uuid,
}

/// One row of the roster.
#[derive(Clone, Debug)]
pub enum RosterRow {
    Member(Box<Member>),
    Group(SharingGroup),
    Membership { member_id: Uuid, group_id: Uuid },
}

/// How far the roster was read.
#[derive(Clone, Copy, Debug)]
pub struct RosterPlace(Part);

#[derive(Clone, Copy, Debug)]
enum Part {
    Members(Option<Cursor>),
    Groups(Option<Cursor>),
    Memberships(Uuid, Uuid),
}

impl RosterPlace {
    pub const BEGINNING: Self = Self(Part::Members(None));
}

impl Store {
    /// The place in the log with which a reading of the roster begins.
    #[tracing::instrument(name = "store.roster.roster_sequence", skip_all)]
    pub async fn roster_sequence(&self, scope: &AdminScope) -> Result<Sequence, StoreError> {
        let tx = self.read(&scope.scope).await?;
        Ok(Sequence(RowPlace::before(tx.list_end().await?)))
    }

    /// The next rows, and the place after them; none at the end.
    #[tracing::instrument(name = "store.roster.roster_rows", skip_all)]
    pub async fn roster_rows(
        &self,
        scope: &AdminScope,
        place: RosterPlace,
        limit: u64,
    ) -> Result<(Vec<RosterRow>, Option<RosterPlace>), StoreError> {
        let tx = self.read(&scope.scope).await?;
        Ok(match place.0 {
            Part::Members(cursor) => {
                let living = tx.find::<members::Entity>().filter(members::Column::Status.ne("removed"));
                let list = RowList::new("roster members").looked_up("living", Some(true));
                let page: Page<Member> = living.page(&PageRequest::first(limit).after(cursor), list).await?;
                let next = page.next.map_or(Part::Groups(None), |next| Part::Members(Some(next)));
                (
                    page.items.into_iter().map(|member| RosterRow::Member(Box::new(member))).collect(),
                    Some(RosterPlace(next)),
                )
            }
            Part::Groups(cursor) => {
                let present = tx.find::<sharing_groups::Entity>().filter(sharing_groups::Column::RemovedAt.is_null());
                let list = RowList::new("roster groups").looked_up("present", Some(true));
                let page: Page<SharingGroup> = present.page(&PageRequest::first(limit).after(cursor), list).await?;
                let next =
                    page.next.map_or(Part::Memberships(Uuid::nil(), Uuid::nil()), |next| Part::Groups(Some(next)));
                (page.items.into_iter().map(RosterRow::Group).collect(), Some(RosterPlace(next)))
            }
            Part::Memberships(member, group) => {
                let values = [member.into(), group.into(), MEMBERSHIPS_READ.into()];
                let rows: Vec<MembershipRow> = tx.all(&MEMBERSHIPS, values).await?;
                let last = rows.last().filter(|_| i64::try_from(rows.len()).is_ok_and(|rows| rows == MEMBERSHIPS_READ));
                let next = last.map(|last| RosterPlace(Part::Memberships(last.member_id, last.group_id)));
                let row = |MembershipRow { member_id, group_id }| RosterRow::Membership { member_id, group_id };
                (rows.into_iter().map(row).collect(), next)
            }
        })
    }
}
