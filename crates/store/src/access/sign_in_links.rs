//! Sign-in links and recovery codes: secrets with which one member signs in once. A link is made by an owner or the operator and
//! lasts minutes; recovery codes are an owner's own, for the day on which nothing else works.

use crate::access::credentials::NewCredential;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, credentials, members, sign_in_connections};
use crate::scope::AdminScope;
use crate::secret::{NewSecret, RECOVERY_CODE_PREFIX, SIGN_IN_LINK_PREFIX, SecretDigest, stored_digest};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::email::fold;
use rollcall_core::event::{Actor, Event, NoDetail, SignInLinkCreated, SignInWay};
use rollcall_core::ids::{CredentialId, MemberId, TenantId};
use rollcall_core::roster::Role;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, Condition, FromQueryResult};
use uuid::Uuid;

/// Longest life of a link.
pub const SIGN_IN_LINK_TIME_MAX: TimeDelta = TimeDelta::hours(24);
/// Recovery codes that an owner has at a time.
const RECOVERY_CODES: usize = 8;

const SIGN_IN_LINK: &str = "sign_in_link";
const RECOVERY_CODE: &str = "recovery_code";

/// A sign-in link or recovery code that was not used yet, and the member and tenant that it signs in to.
#[derive(Clone, Debug, FromQueryResult)]
pub struct SignInLink {
    tenant_id: Uuid,
    id: Uuid,
    member_id: Uuid,
    kind: String,
    pub email: String,
    pub tenant_name: String,
}

impl SignInLink {
    pub(super) fn tenant(&self) -> TenantId {
        self.tenant_id.into()
    }

    pub(super) fn id(&self) -> CredentialId {
        self.id.into()
    }

    pub(super) fn member(&self) -> MemberId {
        self.member_id.into()
    }

    pub(super) fn way(&self) -> SignInWay {
        if self.kind == RECOVERY_CODE { SignInWay::RecoveryCode } else { SignInWay::Link }
    }
}

/// A link that was just made.
pub struct NewSignInLink {
    pub secret: String,
    pub member: MemberId,
    pub expires_at: DateTime<Utc>,
}

/// The obstacle of a member who may not sign in, and its remedy.
fn may_not_sign_in(status: &str) -> &'static str {
    match status {
        "active" => {
            "this member may not sign in: only owners, admins, auditors and billing contacts do; change the member's role first"
        }
        "invited" => {
            "this member is invited and has not accepted: report the acceptance (`POST /api/v1/members/{id}/accept`), then make the link"
        }
        _ => "this member has no access, so may not sign in: `GET /api/v1/explain` says why, and what mends it",
    }
}

impl Store {
    /// The member with this address.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.sign_in_links.member_by_email", skip_all)]
    pub async fn member_by_email(&self, scope: &AdminScope, email: &str) -> Result<MemberId, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let named = members::Column::EmailFolded.eq(fold(email));
        let id: Option<Uuid> = tx.find::<members::Entity>().filter(named).value(members::Column::Id).await?;
        id.map(Into::into).ok_or(StoreError::NotFound("member with this address"))
    }

    /// Makes a link for a member, in the place of an earlier one that was not used.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for no member of the tenant; [`StoreError::Conflict`] for one who may not sign in;
    /// [`StoreError::Invalid`] for a life that is too long or none.
    #[tracing::instrument(name = "store.sign_in_links.create_sign_in_link", skip_all)]
    pub async fn create_sign_in_link(
        &self,
        scope: &AdminScope,
        member: MemberId,
        life: TimeDelta,
    ) -> Result<Committed<NewSignInLink>, StoreError> {
        if life <= TimeDelta::zero() || life > SIGN_IN_LINK_TIME_MAX {
            let hours = SIGN_IN_LINK_TIME_MAX.num_hours();
            return Err(StoreError::Invalid(format!("a sign-in link lasts more than nothing, and at most {hours} h")));
        }
        let tx = self.write(&scope.scope).await?;
        let status = tx.member_row(member).await?.status;
        let by_operator =
            matches!(scope.scope.actor, Actor::Operator | Actor::OperatorKey(_) | Actor::OperatorPerson(_));
        if !by_operator && tx.provider_is_required().await? {
            let why = "people of this organisation sign in by its identity provider alone; an owner has recovery codes, and the operator \
                       makes links (`rollcall sign-in-link`)";
            return Err(StoreError::Conflict(why.into()));
        }
        if tx.signs_in_as(member).await?.is_none() {
            return Err(StoreError::Conflict(may_not_sign_in(&status).into()));
        }
        let replaced = tx.replace(member, SIGN_IN_LINK).await?;
        let expires_at = tx.clock.now() + life;
        let NewSecret { secret, .. } = tx.insert_link(member, SignInWay::Link, Some(expires_at)).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(NewSignInLink { secret, member, expires_at }).revoking(replaced))
    }

    /// Recovery codes of a member that were not used yet.
    #[tracing::instrument(name = "store.sign_in_links.recovery_codes_left", skip_all)]
    pub async fn recovery_codes_left(&self, scope: &AdminScope, member: MemberId) -> Result<i64, StoreError> {
        use credentials::Column;
        let tx = self.read(&scope.scope).await?;
        let codes = Column::Kind.is(RECOVERY_CODE).and(Column::MemberId.eq(member.0)).and(Column::RevokedAt.is_null());
        tx.find::<credentials::Entity>().filter(codes).count_distinct(Column::Id).await
    }

    /// Makes the recovery codes of an owner, in the place of the earlier ones.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for a member who is no active owner.
    #[tracing::instrument(name = "store.sign_in_links.create_recovery_codes", skip_all)]
    pub async fn create_recovery_codes(
        &self,
        scope: &AdminScope,
        owner: MemberId,
    ) -> Result<Committed<Vec<String>>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        if tx.signs_in_as(owner).await? != Some(Role::Owner) {
            return Err(StoreError::Conflict("recovery codes are for active owners".into()));
        }
        let replaced = tx.replace(owner, RECOVERY_CODE).await?;
        let mut codes = Vec::with_capacity(RECOVERY_CODES);
        for _ in 0..RECOVERY_CODES {
            codes.push(tx.insert_link(owner, SignInWay::RecoveryCode, None).await?.secret);
        }
        tx.commit().await?;
        Ok(Committed::without_duties(codes).revoking(replaced))
    }
}

impl TenantTx {
    /// True while people sign in by their provider alone.
    async fn provider_is_required(&self) -> Result<bool, StoreError> {
        self.find::<sign_in_connections::Entity>()
            .filter(sign_in_connections::Column::Usage.is("required"))
            .exists()
            .await
    }

    async fn insert_link(
        &self,
        member: MemberId,
        way: SignInWay,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewSecret, StoreError> {
        let (kind, prefix) = match way {
            SignInWay::Link => (SIGN_IN_LINK, SIGN_IN_LINK_PREFIX),
            SignInWay::RecoveryCode => (RECOVERY_CODE, RECOVERY_CODE_PREFIX),
            SignInWay::Provider => return Err(StoreError::Invalid("a provider signs in without a link".into())),
        };
        let new = NewCredential { kind, prefix, member: Some(member), expires_at, ..Default::default() };
        let created = SignInLinkCreated { member_id: member, way, expires_at };
        self.insert_credential(new, |id, _| Event::SignInLinkCreated(id, created)).await
    }

    /// Ends the member's unused links, or codes.
    async fn replace(&self, member: MemberId, kind: &'static str) -> Result<Vec<SecretDigest>, StoreError> {
        use credentials::{Column, Entity};
        let of_member = Condition::all().add(Column::MemberId.eq(member.0)).add(Column::Kind.is(kind));
        let unused = of_member.add(Column::RevokedAt.is_null());
        let ended = self.update::<Entity>(unused).set(Column::RevokedAt, self.clock.now()).returning().await?;
        let event = |link: &credentials::Model| self.event(&Event::CredentialRevoked(link.id.into(), NoDetail)).into();
        let events: Vec<_> = ended.iter().map(event).collect();
        if !events.is_empty() {
            self.tx.batch(events).await?;
        }
        ended.into_iter().map(|link| stored_digest(link.digest)).collect()
    }
}
