//! People who wait for a seat, in the order in which seats are given.

use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::member_state::{MEMBER_COLUMNS, MemberRow};
use crate::reconcile::user_scope::UserScopes;
use rollcall_core::change::Subject;
use rollcall_core::email::fold;
use rollcall_core::policy::SeatOrder;
use rollcall_core::roster::{MemberState, MemberStatus};
use rollcall_core::world::World;

/// Most people of the waitlist that one chunk reads.
const WAITING_MAX: usize = 500;
/// Members `m` who were invited by hand and wait for a seat. They are few, and the index of the waitlist has them together.
pub(crate) const WAITS_BY_HAND: &str = "m.waiting_for = 'seat' AND m.directory_user_id IS NULL AND m.managed_by IS NULL AND (m.approval IS NULL OR m.approval <> 'declined')";

impl TenantTx {
    /// Reads as many waiting people as this plan could admit, and returns whether more of them wait.
    pub(super) async fn read_waiting(&self, world: &mut World) -> Result<bool, StoreError> {
        let limit = world.waiting_to_read().min(WAITING_MAX);
        if limit == 0 {
            return Ok(false);
        }
        let order = world.policy.seat_order;
        let (fed, by_hand) = (self.waitlist_place(order), self.waitlist_place_by_hand(order));
        let scopes = self.user_scopes(world).await?;
        // Without people that the source has disabled or left out of scope meanwhile, or that an admin declined, because an
        // invitation cannot be taken back. No source decides about those who were invited by hand.
        let sql = format!(
            "SELECT * FROM (SELECT {MEMBER_COLUMNS} FROM members m WHERE m.tenant_id = $1 AND m.waiting_for = 'seat' \
             AND (m.approval IS NULL OR m.approval <> 'declined') AND EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = m.tenant_id AND u.id = m.directory_user_id \
             AND u.source_id = m.managed_by AND u.active AND u.deleted_at IS NULL AND {} AND EXISTS (SELECT 1 FROM sources s \
             WHERE s.tenant_id = u.tenant_id AND s.id = u.source_id AND s.people_leave = FALSE)) ORDER BY {fed} LIMIT {limit}) AS fed \
             UNION ALL SELECT * FROM (SELECT {MEMBER_COLUMNS} FROM members m WHERE m.tenant_id = $1 AND {WAITS_BY_HAND} ORDER BY {by_hand} LIMIT {limit}) AS by_hand",
            self.in_scope(scopes.as_ref(), 2)
        );
        let scopes = scopes.iter().map(UserScopes::parameter);
        let rows: Vec<MemberRow> = self.tx.all(&sql, [self.tenant.0.into()].into_iter().chain(scopes)).await?;
        let mut waiting: Vec<MemberState> = rows.into_iter().map(MemberRow::into_state).collect::<Result<_, _>>()?;
        match order {
            SeatOrder::Announced => waiting.sort_by_key(|member| Subject::of_waiting(member).id()),
            SeatOrder::Email => waiting.sort_by_cached_key(|member| fold(&member.profile.email)),
        }
        let more = waiting.len() >= limit;
        waiting.truncate(limit);
        waiting.retain(|member| member.status != MemberStatus::Removed);
        world.waiting = waiting;
        Ok(more)
    }

    /// The order of the waitlist; `review` gives seats in the same order.
    pub(crate) fn waitlist_place(&self, order: SeatOrder) -> &'static str {
        match order {
            SeatOrder::Announced => "m.directory_user_id",
            SeatOrder::Email if self.tx.is_postgres() => "m.email_folded COLLATE \"C\"",
            SeatOrder::Email => "m.email_folded",
        }
    }

    /// As [`waitlist_place`](Self::waitlist_place), of a member who was invited by hand: the invitation announced them.
    pub(crate) fn waitlist_place_by_hand(&self, order: SeatOrder) -> &'static str {
        match order {
            SeatOrder::Announced => "m.id",
            SeatOrder::Email => self.waitlist_place(order),
        }
    }
}
