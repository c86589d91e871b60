//! Connections to identity providers. A connection is tried before people sign in by it, and one at a time is in use.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, sign_in_connections};
use crate::scope::{AdminScope, TenantScope};
use chrono::{DateTime, Utc};
use rollcall_core::event::{Actor, Event, SignInConnectionDetail, SignInConnectionTested};
use rollcall_core::ids::{CredentialId, SignInConnectionId, TenantId};
use rollcall_core::role_rules::RoleRule;
use rollcall_core::sign_in::ConnectionUse;
use rollcall_core::sign_in_groups::GroupsFromSignIn;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, DerivePartialModel};
use serde_json::Value as Json;
use uuid::Uuid;

/// Most connections of a tenant: one in use, and others to move to.
const CONNECTIONS_MAX: usize = 5;
/// Longest issuer, client id and secret, in bytes: an index over the first two has room for 2,700.
const TEXT_BYTES_MAX: usize = 1024;

/// A connection as people see it, without its secret.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "sign_in_connections::Entity")]
pub struct SignInConnection {
    pub id: Uuid,
    pub issuer: String,
    pub client_id: String,
    #[sea_orm(from_expr = "has_secret()")]
    pub has_secret: bool,
    pub email_trusted: bool,
    pub usage: String,
    pub created_at: DateTime<Utc>,
    pub tested_at: Option<DateTime<Utc>>,
    pub test_accepted: bool,
    pub test: Option<Json>,
    pub(super) role_rules: Option<Json>,
    pub creates_members: bool,
    pub(super) groups_from_sign_in: Option<Json>,
}

fn has_secret() -> sea_orm::sea_query::SimpleExpr {
    sea_orm::sea_query::Expr::cust("(sealed_secret IS NOT NULL)")
}

impl SignInConnection {
    /// # Errors
    /// [`StoreError::Database`] for a row that this program cannot read.
    pub fn usage(&self) -> Result<ConnectionUse, StoreError> {
        self.usage.parse().map_err(StoreError::database)
    }

    /// The rules by which its claims give roles.
    ///
    /// # Errors
    /// [`StoreError::Database`] for rules that this program cannot read.
    pub fn role_rules(&self) -> Result<Vec<RoleRule>, StoreError> {
        stored_rules(self.role_rules.clone())
    }

    /// The groups that a sign-in by it fills; none where it fills none.
    ///
    /// # Errors
    /// [`StoreError::Database`] for a setting that this program cannot read.
    pub fn groups_from_sign_in(&self) -> Result<Option<GroupsFromSignIn>, StoreError> {
        stored_groups(self.groups_from_sign_in.clone())
    }

    pub(super) fn detail(&self, secret_set: bool) -> Result<SignInConnectionDetail, StoreError> {
        let (issuer, client_id) = (self.issuer.clone(), self.client_id.clone());
        Ok(SignInConnectionDetail {
            issuer,
            client_id,
            email_trusted: self.email_trusted,
            usage: self.usage()?,
            role_rules: self.role_rules()?,
            creates_members: self.creates_members,
            groups_from_sign_in: self.groups_from_sign_in()?,
            secret_set,
        })
    }
}

/// A connection with its secret, for the hub as the provider's client.
#[derive(Clone)]
pub struct OpenConnection {
    pub tenant: TenantId,
    pub id: SignInConnectionId,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<String>,
    pub email_trusted: bool,
    pub usage: ConnectionUse,
    pub role_rules: Vec<RoleRule>,
    pub groups_from_sign_in: Option<GroupsFromSignIn>,
}

/// A connection to be made.
#[derive(Clone, Copy)]
pub struct NewSignInConnection<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub client_secret: Option<&'a str>,
    pub email_trusted: bool,
}

/// The test of a connection: what the provider said, and what the hub makes of it.
pub struct ConnectionTest {
    pub subject: Option<String>,
    pub accepted: bool,
    /// As people see it.
    pub report: Json,
}

fn stored_rules(rules: Option<Json>) -> Result<Vec<RoleRule>, StoreError> {
    let rules = rules.map_or(Ok(Vec::new()), serde_json::from_value);
    rules.map_err(|error| StoreError::database(format!("the stored rules: {error}")))
}

fn stored_groups(setting: Option<Json>) -> Result<Option<GroupsFromSignIn>, StoreError> {
    let setting = setting.filter(|setting| !setting.is_null()).map(serde_json::from_value).transpose();
    setting.map_err(|error| StoreError::database(format!("the stored setting of groups: {error}")))
}

fn place(tenant: TenantId, id: SignInConnectionId) -> String {
    format!("sign_in_connections/{tenant}/{id}/sealed_secret")
}

impl Store {
    /// The connections of a tenant.
    #[tracing::instrument(name = "store.sign_in.sign_in_connections", skip_all)]
    pub async fn sign_in_connections(&self, scope: &AdminScope) -> Result<Vec<SignInConnection>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.find::<sign_in_connections::Entity>().ascending(sign_in_connections::Column::Id).all().await
    }

    /// One connection.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.sign_in.sign_in_connection", skip_all)]
    pub async fn sign_in_connection(
        &self,
        scope: &AdminScope,
        id: SignInConnectionId,
    ) -> Result<SignInConnection, StoreError> {
        self.read(&scope.scope).await?.connection(id).await
    }

    /// A connection with its secret.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] where no key of this process opens the secret.
    #[tracing::instrument(name = "store.sign_in.open_connection", skip_all)]
    pub async fn open_connection(
        &self,
        tenant: TenantId,
        id: SignInConnectionId,
    ) -> Result<OpenConnection, StoreError> {
        let tx = self.read(&TenantScope::new(tenant, Actor::System)).await?;
        let found = tx.find::<sign_in_connections::Entity>().filter(sign_in_connections::Column::Id.eq(id.0));
        let row: sign_in_connections::Model = found.one().await?.ok_or(StoreError::NotFound("sign-in connection"))?;
        self.opened(tenant, row)
    }

    /// The connection with this issuer that is in use.
    #[tracing::instrument(name = "store.sign_in.connection_in_use", skip_all)]
    pub async fn connection_in_use(&self, tenant: TenantId) -> Result<Option<OpenConnection>, StoreError> {
        let tx = self.read(&TenantScope::new(tenant, Actor::System)).await?;
        let row: Option<sign_in_connections::Model> =
            tx.find::<sign_in_connections::Entity>().filter(in_use()).one().await?;
        row.map(|row| self.opened(tenant, row)).transpose()
    }

    /// The connection of this issuer that is one of these clients, in use or not.
    ///
    /// # Errors
    /// As [`open_connection`](Self::open_connection).
    #[tracing::instrument(name = "store.sign_in.connection_of", skip_all)]
    pub async fn connection_of(
        &self,
        tenant: TenantId,
        issuer: &str,
        clients: &[String],
    ) -> Result<Option<OpenConnection>, StoreError> {
        use sign_in_connections::{Column, Entity};
        let tx = self.read(&TenantScope::new(tenant, Actor::System)).await?;
        let of_issuer: Vec<sign_in_connections::Model> =
            tx.find::<Entity>().filter(Column::Issuer.eq(issuer)).all().await?;
        let row = of_issuer.into_iter().find(|row| clients.contains(&row.client_id));
        row.map(|row| self.opened(tenant, row)).transpose()
    }

    /// The connection by which a session was started, if it is there still.
    #[tracing::instrument(name = "store.sign_in.connection_of_session", skip_all)]
    pub async fn connection_of_session(
        &self,
        scope: &AdminScope,
        session: CredentialId,
    ) -> Result<Option<OpenConnection>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let Some(issuer) = tx.issuer_of_session(session).await? else { return Ok(None) };
        let of_issuer = sign_in_connections::Column::Issuer.eq(issuer);
        let row: Option<sign_in_connections::Model> = tx
            .find::<sign_in_connections::Entity>()
            .filter(of_issuer)
            .descending(sign_in_connections::Column::Id)
            .one()
            .await?;
        row.map(|row| self.opened(scope.tenant(), row)).transpose()
    }

    fn opened(&self, tenant: TenantId, row: sign_in_connections::Model) -> Result<OpenConnection, StoreError> {
        let id: SignInConnectionId = row.id.into();
        let client_secret = match &row.sealed_secret {
            None => None,
            Some(sealed) => {
                let opened =
                    self.sealing()?.open(&place(tenant, id), sealed).and_then(|text| String::from_utf8(text).ok());
                Some(opened.ok_or_else(|| StoreError::Conflict(UNOPENED.into()))?)
            }
        };
        let usage = row.usage.parse().map_err(StoreError::database)?;
        let sign_in_connections::Model { issuer, client_id, email_trusted, role_rules, groups_from_sign_in, .. } = row;
        let (role_rules, groups_from_sign_in) = (stored_rules(role_rules)?, stored_groups(groups_from_sign_in)?);
        Ok(OpenConnection {
            tenant,
            id,
            issuer,
            client_id,
            client_secret,
            email_trusted,
            usage,
            role_rules,
            groups_from_sign_in,
        })
    }

    /// Refuses a connection that could not be made, before its provider is asked.
    ///
    /// # Errors
    /// As [`create_sign_in_connection`](Self::create_sign_in_connection).
    #[tracing::instrument(name = "store.sign_in.check_new_sign_in_connection", skip_all)]
    pub async fn check_new_sign_in_connection(
        &self,
        scope: &AdminScope,
        new: &NewSignInConnection<'_>,
    ) -> Result<(), StoreError> {
        self.sealing()?;
        self.read(&scope.scope).await?.check_new_connection(new).await
    }

    /// Makes a connection that nobody uses yet.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for texts that are too long or none; [`StoreError::Conflict`] for one too many, or the same again.
    #[tracing::instrument(name = "store.sign_in.create_sign_in_connection", skip_all)]
    pub async fn create_sign_in_connection(
        &self,
        scope: &AdminScope,
        new: &NewSignInConnection<'_>,
    ) -> Result<SignInConnection, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.check_new_connection(new).await?;
        let id: SignInConnectionId = tx.clock.new_id();
        let sealed_secret = new.client_secret.map(|secret| self.sealed(scope.tenant(), id, secret)).transpose()?;
        let row = sign_in_connections::ActiveModel {
            id: Set(id.0),
            issuer: Set(new.issuer.into()),
            client_id: Set(new.client_id.into()),
            sealed_secret: Set(sealed_secret),
            email_trusted: Set(new.email_trusted),
            usage: Set(ConnectionUse::Off.as_str().into()),
            created_at: Set(tx.clock.now()),
            test_accepted: Set(false),
            ..Default::default()
        };
        tx.insert(row).exec().await.map_err(|error| error.or_taken("issuer and client_id"))?;
        let made = tx.connection(id).await?;
        let event = Event::SignInConnectionCreated(id, made.detail(new.client_secret.is_some())?);
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await?;
        Ok(made)
    }

    pub(super) fn sealed(&self, tenant: TenantId, id: SignInConnectionId, secret: &str) -> Result<Vec<u8>, StoreError> {
        check("client_secret", secret)?;
        self.sealing()?.seal(&place(tenant, id), secret.as_bytes())
    }

    /// Seals the secret of a connection with the first key, unless that has sealed it; returns whether it had not.
    ///
    /// # Errors
    /// As [`open_connection`](Self::open_connection).
    #[tracing::instrument(name = "store.sign_in.reseal_connection", skip_all)]
    pub async fn reseal_connection(&self, tenant: TenantId, id: SignInConnectionId) -> Result<bool, StoreError> {
        use sign_in_connections::{Column, Entity};
        let tx = self.write(&TenantScope::new(tenant, Actor::Operator)).await?;
        let sealed: Option<Option<Vec<u8>>> =
            tx.find::<Entity>().filter(Column::Id.eq(id.0)).value(Column::SealedSecret).await?;
        let Some(sealed) = sealed.flatten() else { return Ok(false) };
        let keys = self.sealing()?;
        if keys.is_sealed_by_first(&sealed) {
            return Ok(false);
        }
        let secret = keys.open(&place(tenant, id), &sealed).ok_or_else(|| StoreError::Conflict(UNOPENED.into()))?;
        let again = keys.seal(&place(tenant, id), &secret)?;
        // The owner may have set another secret meanwhile, which the first key has sealed.
        let unchanged = Condition::all().add(Column::Id.eq(id.0)).add(Column::SealedSecret.eq(sealed));
        let resealed = tx.update::<Entity>(unchanged).set(Column::SealedSecret, again).exec().await?;
        tx.commit().await?;
        Ok(resealed > 0)
    }

    /// Keeps the result of a test.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.sign_in.note_connection_test", skip_all)]
    pub async fn note_connection_test(
        &self,
        scope: &AdminScope,
        id: SignInConnectionId,
        test: ConnectionTest,
    ) -> Result<(), StoreError> {
        use sign_in_connections::{Column, Entity};
        let ConnectionTest { subject, accepted, report } = test;
        let tx = self.write(&scope.scope).await?;
        let update = tx.update::<Entity>(Column::Id.eq(id.0)).set(Column::TestedAt, tx.clock.now());
        let changed = update.set(Column::TestAccepted, accepted).set(Column::Test, report).exec().await?;
        if changed == 0 {
            return Err(StoreError::NotFound("sign-in connection"));
        }
        let event = Event::SignInConnectionTested(id, SignInConnectionTested { subject, accepted });
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await
    }
}

const UNOPENED: &str = "no sealing key of this hub opens the client secret of the connection: give the hub the key that sealed it \
     (sealing.keys), or set the secret again";

fn check(name: &str, text: &str) -> Result<(), StoreError> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(StoreError::Invalid(format!("{name} has 1 to {TEXT_BYTES_MAX} bytes, and no control characters")));
    }
    Ok(())
}

pub(super) fn in_use() -> Condition {
    let offered = sign_in_connections::Column::Usage.is("offered");
    Condition::any().add(offered).add(sign_in_connections::Column::Usage.is("required"))
}

impl TenantTx {
    async fn check_new_connection(&self, new: &NewSignInConnection<'_>) -> Result<(), StoreError> {
        check("issuer", new.issuer)?;
        check("client_id", new.client_id)?;
        let all: Vec<SignInConnection> = self.find::<sign_in_connections::Entity>().all().await?;
        if all.iter().any(|one| one.issuer == new.issuer && one.client_id == new.client_id) {
            return Err(StoreError::Conflict(
                "there is a connection with this issuer and client_id already; change that one".into(),
            ));
        }
        if all.len() >= CONNECTIONS_MAX {
            return Err(StoreError::Conflict(format!(
                "there are {CONNECTIONS_MAX} connections; delete one that is off"
            )));
        }
        Ok(())
    }

    /// The connection as it is now, if people sign in by it.
    pub(super) async fn used_connection(&self, id: SignInConnectionId) -> Result<Option<SignInConnection>, StoreError> {
        let this = Condition::all().add(sign_in_connections::Column::Id.eq(id.0)).add(in_use());
        self.find::<sign_in_connections::Entity>().filter(this).one().await
    }

    pub(super) async fn connection(&self, id: SignInConnectionId) -> Result<SignInConnection, StoreError> {
        let found = self.find::<sign_in_connections::Entity>().filter(sign_in_connections::Column::Id.eq(id.0));
        found.one().await?.ok_or(StoreError::NotFound("sign-in connection"))
    }
}

#[cfg(test)]
mod tests;
