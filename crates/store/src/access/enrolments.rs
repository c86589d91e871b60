//! Enrolment of agents by device authorization (RFC 8628, DX4): an agent asks, an admin approves it for one source, and the agent gets a
//! token of an hour, once. The token is bound to the source, and not to the admin.

use crate::access::credentials::{AGENT_ENROLMENT, NewCredential};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::entity::{LiteralComparison, sources};
use crate::scope::{AdminScope, TenantScope};
use crate::secret::{
    AGENT_ENROLMENT_PREFIX, DEVICE_CODE_PREFIX, NewSecret, SecretDigest, digest, random_secret, random_user_code,
};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::event::{Actor, EnrolmentDecided, Event};
use rollcall_core::ids::{SourceId, TenantId};
use sea_orm::{ColumnTrait, Condition, DerivePartialModel, FromQueryResult};
use std::time::Duration;
use uuid::Uuid;

/// An agent waits for an admin for this time.
pub const DEVICE_TIME: TimeDelta = TimeDelta::minutes(10);
/// Pause between two questions of an agent; one that asks sooner waits this much longer each time (RFC 8628 §3.5).
pub const DEVICE_PAUSE_SECONDS: i64 = 5;
/// Life of the token of an enrolment.
pub const ENROLMENT_TIME: TimeDelta = TimeDelta::hours(1);
/// Requests that wait: strangers make them, so they are bounded.
const WAITING_MAX: i64 = 10_000;
const WAITING_OF_ADDRESS_MAX: i64 = 10;
/// An ended request is told as such for this time.
const TOLD_AFTER_END: TimeDelta = TimeDelta::minutes(30);
const NAME_CHARACTERS_MAX: usize = 100;

/// A request that was begun. Its codes exist only now.
pub struct BegunDevice {
    pub device_code: String,
    pub user_code: String,
}

/// The answer to an agent that asks whether it is approved.
pub enum DevicePoll {
    Pending,
    /// It asked too soon.
    SlowDown,
    Expired,
    Denied,
    Enrolled {
        token: NewSecret,
        source: SourceId,
    },
}

/// A source that agents feed.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "sources::Entity")]
pub struct AgentSource {
    pub id: Uuid,
    pub name: String,
}

/// An agent that waits for an admin, as the admin sees it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct WaitingDevice {
    pub(crate) id: Uuid,
    /// The agent's own name for its machine.
    pub device_name: String,
    /// The address from which it asked.
    pub address: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
pub(crate) struct DeviceRow {
    pub(crate) id: Uuid,
    pub(crate) state: String,
    pub(crate) tenant_id: Option<Uuid>,
    pub(crate) source_id: Option<Uuid>,
    pub(crate) pause_seconds: i64,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) polled_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
pub(crate) struct WaitingCounts {
    pub(crate) of_all: i64,
    pub(crate) of_address: i64,
}

/// A request of an agent to be enrolled.
pub(crate) struct NewDevice<'a> {
    pub(crate) device_digest: SecretDigest,
    pub(crate) user_digest: SecretDigest,
    pub(crate) name: &'a str,
    pub(crate) address: &'a str,
    pub(crate) pause_seconds: i64,
    pub(crate) expires_at: DateTime<Utc>,
}

/// The digest under which a user code is looked up.
pub fn user_code_digest(code: &str) -> SecretDigest {
    digest(&format!("user code {code}"))
}

impl Store {
    /// Begins an enrolment.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a name that is none; [`StoreError::Busy`] when too many wait.
    #[tracing::instrument(name = "store.enrolments.begin_device", skip_all)]
    pub async fn begin_device(&self, name: &str, address: &str) -> Result<BegunDevice, StoreError> {
        if name.chars().count() > NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
            let why = format!("device_name has at most {NAME_CHARACTERS_MAX} characters, and no control characters");
            return Err(StoreError::Invalid(why));
        }
        let (device_code, user_code) = (random_secret(DEVICE_CODE_PREFIX)?, random_user_code()?);
        let now = self.clock.now();
        let new = NewDevice {
            device_digest: digest(&device_code),
            user_digest: user_code_digest(&user_code),
            name,
            address,
            pause_seconds: DEVICE_PAUSE_SECONDS,
            expires_at: now + DEVICE_TIME,
        };
        let full = |limit: &str| StoreError::Busy { limit: limit.to_owned(), retry_after: Duration::from_secs(60) };
        self.insert_device(&new, now - TOLD_AFTER_END, |waiting| {
            if waiting.of_address >= WAITING_OF_ADDRESS_MAX {
                return Err(full("too many agents of this address wait for an admin"));
            }
            if waiting.of_all >= WAITING_MAX { Err(full("too many agents wait for an admin")) } else { Ok(()) }
        })
        .await?;
        Ok(BegunDevice { device_code, user_code })
    }

    /// The sources that agents feed.
    #[tracing::instrument(name = "store.enrolments.agent_sources", skip_all)]
    pub async fn agent_sources(&self, scope: &AdminScope) -> Result<Vec<AgentSource>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let of_agents = tx.find::<sources::Entity>().filter(sources::Column::Kind.is("agent"));
        of_agents.ascending(sources::Column::Id).limit(200).all().await
    }

    /// Approves a waiting agent for a source of agents, or denies it (`None`).
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for no such source; [`StoreError::Conflict`] when somebody decided before, or it is too late.
    #[tracing::instrument(name = "store.enrolments.decide_enrolment", skip_all)]
    pub async fn decide_enrolment(
        &self,
        scope: &AdminScope,
        device: &WaitingDevice,
        source: Option<SourceId>,
    ) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        if let Some(source) = source {
            let of_agents =
                Condition::all().add(sources::Column::Id.eq(source.0)).add(sources::Column::Kind.is("agent"));
            if !tx.find::<sources::Entity>().filter(of_agents).exists().await? {
                return Err(StoreError::NotFound("source of agents"));
            }
        }
        if !tx.decide_device(device.id, source).await? {
            return Err(StoreError::Conflict("the code was used or has ended: have the agent begin again".into()));
        }
        let detail = EnrolmentDecided { device_name: device.device_name.clone(), address: device.address.clone() };
        let event = match source {
            Some(source) => Event::EnrolmentApproved(source, detail),
            None => Event::EnrolmentDenied(tx.tenant, detail),
        };
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await
    }

    /// Answers an agent that asks by its device code; `None` for a code that is unknown or was used up.
    #[tracing::instrument(name = "store.enrolments.poll_device", skip_all)]
    pub async fn poll_device(&self, device_digest: &SecretDigest) -> Result<Option<DevicePoll>, StoreError> {
        let Some(device) = self.device(device_digest).await? else { return Ok(None) };
        let now = self.clock.now();
        if device.expires_at <= now && device.state != "used" {
            return Ok(Some(DevicePoll::Expired));
        }
        match (device.state.as_str(), device.tenant_id, device.source_id) {
            ("pending", ..) => {
                let pause = TimeDelta::seconds(device.pause_seconds);
                let is_too_soon = device.polled_at.is_some_and(|at| now - at < pause);
                let further = if is_too_soon { DEVICE_PAUSE_SECONDS } else { 0 };
                self.note_poll(device.id, (device.pause_seconds + further).min(60)).await?;
                Ok(Some(if is_too_soon { DevicePoll::SlowDown } else { DevicePoll::Pending }))
            }
            ("denied", ..) => Ok(Some(DevicePoll::Denied)),
            ("approved", Some(tenant), Some(source)) => self.enrol(device.id, tenant.into(), source.into()).await,
            _ => Ok(None),
        }
    }

    async fn enrol(&self, device: Uuid, tenant: TenantId, source: SourceId) -> Result<Option<DevicePoll>, StoreError> {
        let tx = self.write(&TenantScope::new(tenant, Actor::Source(source))).await?;
        if !tx.use_device_up(device).await? {
            return Ok(None);
        }
        let of_agents = Condition::all().add(sources::Column::Id.eq(source.0)).add(sources::Column::Kind.is("agent"));
        if !tx.find::<sources::Entity>().filter(of_agents).exists().await? {
            // The source was deleted since.
            tx.commit().await?;
            return Ok(Some(DevicePoll::Denied));
        }
        let token = tx
            .create_credential(NewCredential {
                kind: AGENT_ENROLMENT,
                prefix: AGENT_ENROLMENT_PREFIX,
                source: Some(source),
                expires_at: Some(self.clock.now() + ENROLMENT_TIME),
                ..Default::default()
            })
            .await?;
        tx.commit().await?;
        Ok(Some(DevicePoll::Enrolled { token, source }))
    }
}
