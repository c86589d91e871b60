//! The use of a connection: off, offered, or required. A connection that people use was tried, and requiring it locks nobody out who
//! could undo it.

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, credentials, domains, identities, sign_in_connections};
use crate::scope::AdminScope;
use crate::secret::SecretDigest;
use crate::sign_in::connections::{SignInConnection, in_use};
use rollcall_core::event::{Difference, Event, SessionEnd, SignInConnectionDetail};
use rollcall_core::ids::{CredentialId, SignInConnectionId};
use rollcall_core::role_rules::{self, RoleRule};
use rollcall_core::sign_in::ConnectionUse;
use rollcall_core::sign_in_groups::GroupsFromSignIn;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, Condition};
use serde_json::json;
use uuid::Uuid;

/// A change of a connection; `None` leaves a part as it is.
#[derive(Clone, Copy, Default)]
pub struct SignInConnectionChange<'a> {
    pub client_secret: Option<&'a str>,
    pub email_trusted: Option<bool>,
    pub usage: Option<ConnectionUse>,
    pub role_rules: Option<&'a [RoleRule]>,
    pub creates_members: Option<bool>,
    /// `Some(None)` takes the setting back.
    pub groups_from_sign_in: Option<Option<&'a GroupsFromSignIn>>,
}

impl Store {
    /// Changes a connection. One that people use was tried with success; a connection that gets into use takes the place of another.
    /// `session` is the caller's own, for the demand that an owner has signed in by the connection before it is required.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] for a use that would lock people out.
    #[tracing::instrument(name = "store.sign_in.change_sign_in_connection", skip_all)]
    pub async fn change_sign_in_connection(
        &self,
        scope: &AdminScope,
        id: SignInConnectionId,
        change: &SignInConnectionChange<'_>,
        session: Option<CredentialId>,
    ) -> Result<Committed<SignInConnection>, StoreError> {
        use sign_in_connections::{Column, Entity};
        let tx = self.write(&scope.scope).await?;
        let before = tx.connection(id).await?;
        let (usage_before, usage) = (before.usage()?, change.usage.unwrap_or(before.usage()?));
        if change.client_secret.is_some() && change.usage.is_some_and(|usage| usage != ConnectionUse::Off) {
            let why = "a new secret is tried before the connection is used by it: change the secret, try it, and then its use";
            return Err(StoreError::Conflict(why.into()));
        }
        scope.check_role_rules(change)?;
        if let Some(Some(setting)) = change.groups_from_sign_in {
            setting.check().map_err(StoreError::Invalid)?;
        }
        if usage != usage_before {
            tx.check_use(&before, usage, session).await?;
            if usage != ConnectionUse::Off {
                tx.stop_others(id).await?;
            }
        }
        let mut update = tx.update::<Entity>(Column::Id.eq(id.0)).set(Column::Usage, usage.as_str());
        if let Some(secret) = change.client_secret {
            update = update.set(Column::SealedSecret, self.sealed(scope.tenant(), id, secret)?);
            // The next test says whether it is the right one.
            update = update.set(Column::TestAccepted, false);
        }
        if let Some(trusted) = change.email_trusted {
            update = update.set(Column::EmailTrusted, trusted);
            if trusted != before.email_trusted {
                update = update.set(Column::TestAccepted, false);
            }
        }
        if let Some(rules) = change.role_rules {
            update = update.set(Column::RoleRules, json!(rules));
        }
        if let Some(creates) = change.creates_members {
            update = update.set(Column::CreatesMembers, creates);
        }
        if let Some(setting) = change.groups_from_sign_in {
            update = update.set(Column::GroupsFromSignIn, setting.map(|setting| json!(setting)));
        }
        update.exec().await.map_err(|error| match error {
            StoreError::Taken(_) => {
                StoreError::Conflict("another connection got into use at this moment: read them again".into())
            }
            error => error,
        })?;
        let after = tx.connection(id).await?;
        let difference =
            Difference { before: before.detail(false)?, after: after.detail(change.client_secret.is_some())? };
        let mut ended = Vec::new();
        if difference.before != difference.after {
            let event = Event::SignInConnectionUpdated(id, difference);
            tx.tx.batch(vec![tx.event(&event).into()]).await?;
        }
        if usage == ConnectionUse::Required && usage_before != usage {
            ended = tx.end_other_ways(&before.issuer).await?;
        }
        tx.commit().await?;
        Ok(Committed::without_duties(after).revoking(ended))
    }

    /// Deletes a connection that is off. The identities of its people stay, for a connection with the same issuer.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] for one in use.
    #[tracing::instrument(name = "store.sign_in.delete_sign_in_connection", skip_all)]
    pub async fn delete_sign_in_connection(
        &self,
        scope: &AdminScope,
        id: SignInConnectionId,
    ) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let before = tx.connection(id).await?;
        if before.usage()? != ConnectionUse::Off {
            return Err(StoreError::Conflict(
                "people sign in by this connection: switch it off first (`\"use\": \"off\"`)".into(),
            ));
        }
        tx.delete::<sign_in_connections::Entity>(sign_in_connections::Column::Id.eq(id.0)).exec().await?;
        let event = Event::SignInConnectionDeleted(id, before.detail(false)?);
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await
    }
}

impl AdminScope {
    /// Refuses rules that no rule can be, and rules by somebody who could not give what they give.
    fn check_role_rules(&self, change: &SignInConnectionChange<'_>) -> Result<(), StoreError> {
        let Some(rules) = change.role_rules else { return Ok(()) };
        role_rules::check(rules).map_err(StoreError::Invalid)?;
        if self.role().is_admin() {
            return Ok(());
        }
        Err(StoreError::Forbidden("a rule gives no more than its author could: have an owner set the rules".into()))
    }
}

impl TenantTx {
    async fn check_use(
        &self,
        connection: &SignInConnection,
        usage: ConnectionUse,
        session: Option<CredentialId>,
    ) -> Result<(), StoreError> {
        let refuse = |why: &str| Err(StoreError::Conflict(why.into()));
        if usage == ConnectionUse::Off {
            return Ok(());
        }
        if !connection.test_accepted {
            return refuse(
                "the connection was not tried with success yet: POST /api/v1/sign-in-connections/{id}/test, and open its address",
            );
        }
        let proven = domains::Column::VerifiedAt.is_not_null();
        if !self.find::<domains::Entity>().filter(proven).exists().await? {
            return refuse(
                "no domain is proven, so nobody would be recognised: add one at /api/v1/domains and set its DNS record",
            );
        }
        if usage == ConnectionUse::Required {
            let issuer = match session {
                Some(session) => self.issuer_of_session(session).await?,
                None => None,
            };
            if issuer.as_ref() != Some(&connection.issuer) {
                return refuse(
                    "only an owner who has signed in by this connection can require it: offer it, sign in by it, and ask again",
                );
            }
            let codes = credentials::Column::Kind.is("recovery_code").and(credentials::Column::RevokedAt.is_null());
            if !self.find::<credentials::Entity>().filter(codes).exists().await? {
                return refuse(
                    "no owner has recovery codes for the day on which the provider fails: make some (POST /api/v1/session/recovery-codes)",
                );
            }
        }
        Ok(())
    }

    /// The issuer of the person who started a session.
    pub(super) async fn issuer_of_session(&self, session: CredentialId) -> Result<Option<String>, StoreError> {
        let own = credentials::Column::Id.eq(session.0);
        let identity: Option<Option<Uuid>> =
            self.find::<credentials::Entity>().filter(own).value(credentials::Column::IdentityId).await?;
        let Some(identity) = identity.flatten() else { return Ok(None) };
        self.find::<identities::Entity>()
            .filter(identities::Column::Id.eq(identity))
            .value(identities::Column::Issuer)
            .await
    }

    /// Takes every other connection out of use.
    async fn stop_others(&self, id: SignInConnectionId) -> Result<(), StoreError> {
        use sign_in_connections::{Column, Entity};
        let others = Condition::all().add(in_use()).add(Column::Id.ne(id.0));
        let before: Vec<SignInConnection> = self.find::<Entity>().filter(others.clone()).all().await?;
        self.update::<Entity>(others).set(Column::Usage, ConnectionUse::Off.as_str()).exec().await?;
        for connection in before {
            let before = connection.detail(false)?;
            let after = SignInConnectionDetail { usage: ConnectionUse::Off, ..before.clone() };
            let event = Event::SignInConnectionUpdated(connection.id.into(), Difference { before, after });
            self.tx.batch(vec![self.event(&event).into()]).await?;
        }
        Ok(())
    }

    /// Ends links, and sessions that no person of this issuer started; recovery codes stay.
    async fn end_other_ways(&self, issuer: &str) -> Result<Vec<SecretDigest>, StoreError> {
        use credentials::Column;
        let way = Condition::any().add(Column::Kind.is("session")).add(Column::Kind.is("sign_in_link"));
        let of_others = self.find::<identities::Entity>().filter(identities::Column::Issuer.ne(issuer));
        let of_others: Vec<Uuid> = of_others.values(identities::Column::Id).await?;
        let elsewhere = Condition::any().add(Column::IdentityId.is_null()).add(Column::IdentityId.is_in(of_others));
        let others = Condition::all().add(way).add(elsewhere).add(Column::RevokedAt.is_null());
        self.end(others, SessionEnd::ProviderRequired).await
    }
}
