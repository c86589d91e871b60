//! The verdict on a checked upload: the guards that stop it whole (DA3, DA10), and the room that the tenant has.

use crate::access::quotas::CountedUsage;
use crate::agent::compare::{CountRow, DiffCounts};
use crate::agent::outcome::Checked;
use crate::agent::work::UploadWork;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::sources;
use crate::reconcile::world::limit_windows::hour_of;
use rollcall_core::quota::Quota;
use rollcall_core::upload::UploadRefusal;
use rollcall_core::world::World;
use sea_orm::ColumnTrait;

static LIVE: Sql =
    Sql::tenant(&["SELECT count(*) AS count FROM directory_users WHERE tenant_id = {tenant} AND source_id = $2 \
     AND active = TRUE AND deleted_at IS NULL"]);
static ALLOW: Sql = Sql::tenant(&[
    "INSERT INTO removal_counts (tenant_id, hour, removals, creations, modifications, allowed) VALUES ({tenant}, $2, 0, 0, 0, $3) \
     ON CONFLICT (tenant_id, hour) DO UPDATE SET allowed = removal_counts.allowed + excluded.allowed",
]);

impl TenantTx {
    /// The reason to refuse a checked upload, if there is one.
    pub(super) async fn refusal(
        &self,
        work: &UploadWork,
        checked: &Checked,
        store: &Store,
    ) -> Result<Option<(UploadRefusal, String)>, StoreError> {
        let Checked { totals, diff } = checked;
        let plain = |why: UploadRefusal| Ok(Some((why, why.sentence().to_owned())));
        let users_only = self.find::<sources::Entity>().filter(sources::Column::Id.eq(work.source().0));
        if totals.groups > 0 && users_only.value(sources::Column::UsersOnly).await? == Some(true) {
            return plain(UploadRefusal::GroupsNotTaken);
        }
        if totals.users > 0 && totals.users_with_email == 0 && !work.upload.is_delta() {
            return plain(UploadRefusal::NoUserWithEmail);
        }
        // Nobody who is active would be left, whatever the upload covers.
        if diff.leaving > 0 && totals.active_users == 0 {
            let live: Option<CountRow> = self.one(&LIVE, [work.source().0.into()]).await?;
            if live.is_some_and(|live| u64::try_from(live.count).is_ok_and(|live| live <= diff.leaving)) {
                return plain(UploadRefusal::EmptySnapshot);
            }
        }
        if let Some(refusal) = self.over_removal_limit(work, diff).await? {
            return Ok(Some(refusal));
        }
        if !self.fits(work, diff.created[0] + diff.created[1], store).await? {
            return plain(UploadRefusal::QuotaUsedUp);
        }
        Ok(None)
    }

    /// Whether the tenant may keep so many records more.
    async fn fits(&self, work: &UploadWork, created: u64, store: &Store) -> Result<bool, StoreError> {
        if created == 0 {
            return Ok(true);
        }
        if !self.has_room(work.source(), created).await? {
            let CountedUsage { usage, limits } = self.exact_usage(&store.quotas).await?;
            let most = limits.of(Quota::Records);
            self.note_count(work.source(), usage.records, most).await?;
            if usage.records.saturating_add(created) > most || usage.bytes > limits.of(Quota::Bytes) {
                return Ok(false);
            }
        }
        if !work.upload.simulate {
            self.add_records(work.source(), created).await?;
        }
        Ok(true)
    }

    /// Compares those who would leave with the limit of the upload, else with the rest of the policy's. People whom the upload allows
    /// beyond the policy are noted, so that the guard lets them go too.
    async fn over_removal_limit(
        &self,
        work: &UploadWork,
        diff: &DiffCounts,
    ) -> Result<Option<(UploadRefusal, String)>, StoreError> {
        if diff.leaving == 0 {
            return Ok(None);
        }
        let mut world = World::default();
        self.read_standing(&mut world).await?;
        let policy = world.policy.of_source(work.source()).map_err(StoreError::Invalid)?;
        let standing = &world.standing;
        let limit = u64::from(policy.removal_limit.allowed(standing.managed)) + u64::from(standing.removals_allowed);
        let left = limit.saturating_sub(u64::from(standing.removals_in_window));
        let given = work.upload.removal_limit.and_then(|given| u64::try_from(given).ok());
        let leaving = diff.leaving;
        if leaving > given.unwrap_or(left) {
            let why = UploadRefusal::RemovalOverLimit;
            let message = format!(
                "{leaving} people would leave, and {} may: nothing was changed. Check the directory; if they really leave, repeat \
                 with removalLimit={leaving}",
                given.unwrap_or(left)
            );
            return Ok(Some((why, message)));
        }
        if leaving > left && !work.upload.simulate {
            let allowed = i64::try_from(leaving).unwrap_or(i64::MAX);
            self.exec(&ALLOW, [hour_of(self.clock.now()).into(), allowed.into()]).await?;
        }
        Ok(None)
    }
}
