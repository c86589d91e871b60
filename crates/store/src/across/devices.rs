//! Agents that ask to be enrolled (RFC 8628). None is of a tenant before an admin approves it.

use crate::access::enrolments::{DeviceRow, NewDevice, WaitingCounts, WaitingDevice};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::secret::SecretDigest;
use chrono::{DateTime, Utc};
use rollcall_core::ids::SourceId;
use uuid::Uuid;

static FORGET: Sql = Sql::across(&["DELETE FROM device_authorizations WHERE expires_at < $1"]);
/// Those that wait: of one address, and of all.
static WAITING: Sql =
    Sql::across(&["SELECT (SELECT count(*) FROM device_authorizations d WHERE d.expires_at > $1) AS of_all, \
     (SELECT count(*) FROM device_authorizations d WHERE d.expires_at > $1 AND d.address = $2) AS of_address"]);
static INSERT: Sql = Sql::across(&[
    "INSERT INTO device_authorizations (id, device_digest, user_digest, device_name, address, state, pause_seconds, created_at, \
     expires_at) VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8)",
]);
static BY_USER_CODE: Sql =
    Sql::across(&["SELECT id, device_name, address, created_at, expires_at FROM device_authorizations \
     WHERE user_digest = $1 AND state = 'pending' AND expires_at > $2"]);
static BY_DEVICE_CODE: Sql = Sql::across(&[
    "SELECT id, state, tenant_id, source_id, pause_seconds, expires_at, polled_at FROM device_authorizations WHERE device_digest = $1",
]);
static POLLED: Sql =
    Sql::across(&["UPDATE device_authorizations SET polled_at = $2, pause_seconds = $3 WHERE id = $1"]);
static DECIDE: Sql = Sql::across(&[
    "UPDATE device_authorizations SET state = $3, tenant_id = $4, source_id = $5 WHERE id = $1 AND state = 'pending' AND expires_at > $2",
]);
static USE_UP: Sql = Sql::across(&[
    "UPDATE device_authorizations SET state = 'used' WHERE id = $1 AND state = 'approved' AND expires_at > $2",
]);

impl Store {
    /// Writes a request, unless too many wait; forgets those that ended before `forgotten`.
    pub(crate) async fn insert_device(
        &self,
        new: &NewDevice<'_>,
        forgotten: DateTime<Utc>,
        refuse: impl FnOnce(&WaitingCounts) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let tx = self.across(true).await?;
        let (now, engine) = (self.clock.now(), tx.engine());
        tx.exec(FORGET.text(engine), [forgotten.into()]).await?;
        let counts: Option<WaitingCounts> = tx.one(WAITING.text(engine), [now.into(), new.address.into()]).await?;
        refuse(&counts.unwrap_or(WaitingCounts { of_all: 0, of_address: 0 }))?;
        let values = [
            self.clock.new_id::<Uuid>().into(),
            new.device_digest.to_vec().into(),
            new.user_digest.to_vec().into(),
            new.name.into(),
            new.address.into(),
            new.pause_seconds.into(),
            now.into(),
            new.expires_at.into(),
        ];
        tx.exec(INSERT.text(engine), values).await?;
        tx.commit().await
    }

    /// The agent whose code has this digest, while it waits for an admin.
    #[tracing::instrument(name = "store.devices.waiting_device", skip_all)]
    pub async fn waiting_device(&self, user_digest: &SecretDigest) -> Result<Option<WaitingDevice>, StoreError> {
        let tx = self.across(false).await?;
        let values = [user_digest.to_vec().into(), self.clock.now().into()];
        tx.one(BY_USER_CODE.text(tx.engine()), values).await
    }

    pub(crate) async fn device(&self, device_digest: &SecretDigest) -> Result<Option<DeviceRow>, StoreError> {
        let tx = self.across(false).await?;
        tx.one(BY_DEVICE_CODE.text(tx.engine()), [device_digest.to_vec().into()]).await
    }

    /// Notes that an agent asked, and after what pause it may ask again.
    pub(crate) async fn note_poll(&self, device: Uuid, pause_seconds: i64) -> Result<(), StoreError> {
        let tx = self.across(true).await?;
        let values = [device.into(), self.clock.now().into(), pause_seconds.into()];
        tx.exec(POLLED.text(tx.engine()), values).await?;
        tx.commit().await
    }
}

impl TenantTx {
    /// Approves an agent for a source of this tenant, or denies it; false where somebody decided before, or it is too late.
    pub(crate) async fn decide_device(&self, device: Uuid, source: Option<SourceId>) -> Result<bool, StoreError> {
        let state = if source.is_some() { "approved" } else { "denied" };
        let values = [
            device.into(),
            self.clock.now().into(),
            state.into(),
            self.tenant.0.into(),
            source.map(|source| source.0).into(),
        ];
        let decided = self.as_system(self.tx.exec(DECIDE.text(self.tx.engine()), values)).await?;
        Ok(decided == 1)
    }

    /// Uses an approval up; false where it was before.
    pub(crate) async fn use_device_up(&self, device: Uuid) -> Result<bool, StoreError> {
        let values = [device.into(), self.clock.now().into()];
        Ok(self.as_system(self.tx.exec(USE_UP.text(self.tx.engine()), values)).await? == 1)
    }
}
