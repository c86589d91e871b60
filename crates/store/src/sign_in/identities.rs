//! People of an identity provider, and the members who they are.

use crate::access::credentials::ByProvider;
use crate::access::sessions::{SignInClient, StartedSession};
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, credentials, identities, members};
use crate::scope::{AdminScope, TenantScope};
use crate::sign_in::asserted_groups::GroupsTried;
use crate::sign_in::connections::OpenConnection;
use crate::sign_in::ruled_roles::Rules;
use chrono::{DateTime, Utc};
use rollcall_core::email::fold;
use rollcall_core::event::{Actor, Event, IdentityDetail, SessionEnd, SignInWay};
use rollcall_core::ids::{IdentityId, MemberId};
use rollcall_core::role_rules::Ruled;
use rollcall_core::roster::Role;
use rollcall_core::sign_in::{Asserted, NamedMember, Recognised, Unrecognised, domain_of, recognise};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, DerivePartialModel};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// Longest subject: OpenID Connect Core §2 allows 255 characters, and some providers send more.
const SUBJECT_BYTES_MAX: usize = 1024;

/// A person whom a provider has signed in.
#[derive(Clone, Debug)]
pub struct ProviderPerson<'a> {
    pub subject: &'a str,
    pub asserted: Asserted<'a>,
    /// The provider's name for the session.
    pub session: Option<&'a str>,
    /// When the person proved to be the one, as far as the provider says.
    pub authenticated_at: Option<DateTime<Utc>>,
    /// All that the provider says of the person.
    pub claims: &'a Map<String, Json>,
    /// The provider did not answer a question for more of it.
    pub unanswered: bool,
}

/// The outcome of a sign-in by a provider.
#[derive(Debug)]
pub enum ProviderSignIn<T> {
    SignedIn(T),
    Unrecognised(Unrecognised),
    /// The person is this member, who may not sign in.
    NotAllowed(MemberId),
    /// The connection is no longer in use.
    SwitchedOff,
}

/// The end of a sign-in that is only tried.
#[derive(Debug)]
pub struct Trial {
    /// The member, unless the sign-in would make one, and the role.
    pub outcome: ProviderSignIn<(Option<MemberId>, Role)>,
    pub ruled: Ruled,
    /// The sharing groups that the member would join and leave.
    pub groups: GroupsTried,
}

/// A person as the tenant lists it.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "identities::Entity")]
pub struct Identity {
    pub id: Uuid,
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
}

impl Store {
    /// Signs a person in whom the provider of a connection has signed in.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a subject that cannot be kept.
    #[tracing::instrument(name = "store.sign_in.sign_in_by_provider", skip_all)]
    pub async fn sign_in_by_provider(
        &self,
        connection: &OpenConnection,
        person: &ProviderPerson<'_>,
        client: &SignInClient,
    ) -> Result<Committed<ProviderSignIn<StartedSession>>, StoreError> {
        let tx = self.write(&client.within(TenantScope::new(connection.tenant, Actor::System))).await?;
        // The provider was asked for a while, in which an owner may have switched the connection off, or changed its rules.
        let Some(used) = tx.used_connection(connection.id).await? else {
            return Ok(Committed::without_duties(ProviderSignIn::SwitchedOff));
        };
        let rules = Rules::of(&used, person.claims, person.unanswered)?;
        let unrecognised = |why| Ok(Committed::without_duties(ProviderSignIn::Unrecognised(why)));
        let Settled { member, plans_are_void } = match tx.settled(connection, person, &rules).await? {
            Ok(settled) => settled,
            Err(why) => return unrecognised(why),
        };
        let tx = tx.acting_as(Actor::Member(member));
        let Some(role) = tx.signs_in_as(member).await? else {
            return tx.ended(plans_are_void, ProviderSignIn::NotAllowed(member)).await;
        };
        // The member's row is locked now: another first sign-in may have tied the member meanwhile.
        let recognised = match tx.recognise(connection, person).await? {
            Ok(recognised) if recognised.member() == member => recognised,
            Ok(_) => return Err(StoreError::Conflict("the member was changed at this moment: sign in again".into())),
            Err(why) => return unrecognised(why),
        };
        let identity = tx.tie(connection, person, recognised).await?;
        let session = person.session.map(str::to_owned);
        let by = ByProvider { identity, session, authenticated_at: person.authenticated_at };
        let session = tx.start_session(member, role, SignInWay::Provider, client, Some(by)).await?;
        tx.forget_ended().await?;
        let ended = tx.end_oldest_sessions(member).await?;
        Ok(tx.ended(plans_are_void, ProviderSignIn::SignedIn(session)).await?.revoking(ended))
    }

    /// The member whom a sign-in of this person would sign in, and the role; nothing is written.
    ///
    /// # Errors
    /// As [`sign_in_by_provider`](Self::sign_in_by_provider).
    #[tracing::instrument(name = "store.sign_in.would_sign_in", skip_all)]
    pub async fn would_sign_in(
        &self,
        connection: &OpenConnection,
        person: &ProviderPerson<'_>,
    ) -> Result<Trial, StoreError> {
        let tx = self.read(&TenantScope::new(connection.tenant, Actor::System)).await?;
        let rules = Rules::of(&tx.connection(connection.id).await?, person.claims, person.unanswered)?;
        let mut groups = GroupsTried::default();
        let outcome = match tx.recognise(connection, person).await? {
            Ok(recognised) => {
                let member = recognised.member();
                let role = match tx.authority_of(member).await? {
                    Some(now) => {
                        groups = tx.group_changes(member, rules.groups.as_ref()).await?.tried();
                        tx.keep_the_last(member, now, now.under(&rules.ruled)).await?.signs_in_as()
                    }
                    None => None,
                };
                role.map_or(ProviderSignIn::NotAllowed(member), |role| ProviderSignIn::SignedIn((Some(member), role)))
            }
            Err(Unrecognised::NoMember(email)) if rules.may_join() => {
                match tx.refuse_to_join(person.subject, &connection.issuer, &email).await? {
                    Some(why) => ProviderSignIn::Unrecognised(why),
                    None => ProviderSignIn::SignedIn((None, rules.ruled.role.unwrap_or(Role::Member))),
                }
            }
            Err(unrecognised) => ProviderSignIn::Unrecognised(unrecognised),
        };
        Ok(Trial { outcome, ruled: rules.ruled, groups })
    }

    /// The people who are this member.
    #[tracing::instrument(name = "store.sign_in.identities", skip_all)]
    pub async fn identities(&self, scope: &AdminScope, member: MemberId) -> Result<Vec<Identity>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let of_member = identities::Column::MemberId.eq(member.0);
        tx.find::<identities::Entity>().filter(of_member).ascending(identities::Column::Id).all().await
    }

    /// Releases a member from the people of providers, and ends the sessions that they started: the next person with the member's
    /// address is tied anew.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is none.
    #[tracing::instrument(name = "store.sign_in.release_identities", skip_all)]
    pub async fn release_identities(&self, scope: &AdminScope, member: MemberId) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.member_row(member).await?;
        let of_member = identities::Column::MemberId.eq(member.0);
        let gone = tx.delete::<identities::Entity>(of_member).returning().await?;
        if gone.is_empty() {
            return Err(StoreError::NotFound("identity of this member"));
        }
        let mut ended = Vec::new();
        for identity in gone {
            let by = Condition::all().add(credentials::Column::IdentityId.eq(identity.id));
            ended.extend(tx.end(by.add(credentials::Column::RevokedAt.is_null()), SessionEnd::IdentityReleased).await?);
            let detail = IdentityDetail { issuer: identity.issuer, subject: identity.subject, email: identity.email };
            tx.tx.batch(vec![tx.event(&Event::IdentityReleased(member, detail)).into()]).await?;
        }
        tx.commit().await?;
        Ok(Committed::without_duties(()).revoking(ended))
    }
}

/// The member who a person is, with the authority that the rules of the connection say.
struct Settled {
    member: MemberId,
    /// The roster may have changed, and a worker looks again.
    plans_are_void: bool,
}

impl TenantTx {
    async fn settled(
        &self,
        connection: &OpenConnection,
        person: &ProviderPerson<'_>,
        rules: &Rules,
    ) -> Result<Result<Settled, Unrecognised>, StoreError> {
        let mut recognised = self.recognise(connection, person).await?;
        let plans_are_void = self.may_change(&recognised, rules).await?;
        if plans_are_void {
            // The lease before the member, as every change of a member takes them.
            self.stop_the_planning().await?;
            recognised = self.recognise(connection, person).await?;
        }
        let member = match recognised {
            Ok(recognised) => recognised.member(),
            Err(Unrecognised::NoMember(email)) if plans_are_void && rules.may_join() => {
                match self.join_by_rule(person.subject, &connection.issuer, &email, rules).await? {
                    Ok(member) => member,
                    Err(why) => return Ok(Err(why)),
                }
            }
            Err(why) => return Ok(Err(why)),
        };
        self.settle_authority(member, rules, plans_are_void).await?;
        if self.authority_of(member).await?.is_some() {
            let changes = self.group_changes(member, rules.groups.as_ref()).await?;
            if !changes.is_empty() && !plans_are_void {
                return Err(StoreError::Conflict("the groups were changed at this moment: sign in again".into()));
            }
            self.settle_groups(member, rules.groups.as_ref(), &changes).await?;
        }
        Ok(Ok(Settled { member, plans_are_void }))
    }

    /// Commits a sign-in, also one that only took a role back.
    async fn ended<T>(self, plans_are_void: bool, outcome: T) -> Result<Committed<T>, StoreError> {
        if plans_are_void {
            return self.commit_and_wake(outcome).await;
        }
        self.commit().await?;
        Ok(Committed::without_duties(outcome))
    }

    async fn recognise(
        &self,
        connection: &OpenConnection,
        person: &ProviderPerson<'_>,
    ) -> Result<Result<Recognised, Unrecognised>, StoreError> {
        let ProviderPerson { subject, asserted, .. } = *person;
        if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX {
            return Err(StoreError::Invalid(format!(
                "a subject of an identity provider has 1 to {SUBJECT_BYTES_MAX} bytes"
            )));
        }
        let tied = self.tied_member(&connection.issuer, subject).await?;
        if tied.is_some() {
            return Ok(recognise(&connection.issuer, asserted, connection.email_trusted, false, tied, None));
        }
        let (mut proven, mut named) = (false, None);
        if let Some(email) = asserted.email {
            if let Some(domain) = domain_of(email) {
                proven = self.domain_is_proven(&domain).await?;
            }
            named = self.named_member(&connection.issuer, email).await?;
        }
        if named.is_some_and(|named| named.tied) {
            // The member was tied between the two look-ups, perhaps to this person.
            let tied = self.tied_member(&connection.issuer, subject).await?;
            return Ok(recognise(&connection.issuer, asserted, connection.email_trusted, proven, tied, named));
        }
        Ok(recognise(&connection.issuer, asserted, connection.email_trusted, proven, None, named))
    }

    /// The member whom this person is. A member who was removed for good is nobody's.
    async fn tied_member(&self, issuer: &str, subject: &str) -> Result<Option<MemberId>, StoreError> {
        let member: Option<Uuid> = self
            .find::<identities::Entity>()
            .filter(person(issuer, subject))
            .value(identities::Column::MemberId)
            .await?;
        let Some(member) = member else { return Ok(None) };
        let there = members::Column::Id.eq(member).and(members::Column::Status.is_not("removed"));
        let there = self.find::<members::Entity>().filter(there).exists().await?;
        Ok(there.then_some(member.into()))
    }

    async fn named_member(&self, issuer: &str, email: &str) -> Result<Option<NamedMember>, StoreError> {
        let named = members::Column::EmailFolded.eq(fold(email)).and(members::Column::Status.is_not("removed"));
        let id: Option<Uuid> = self.find::<members::Entity>().filter(named).value(members::Column::Id).await?;
        let Some(id) = id else { return Ok(None) };
        let other = identities::Column::MemberId.eq(id).and(identities::Column::Issuer.eq(issuer));
        let tied = self.find::<identities::Entity>().filter(other).exists().await?;
        Ok(Some(NamedMember { id: id.into(), tied }))
    }

    async fn tie(
        &self,
        connection: &OpenConnection,
        who: &ProviderPerson<'_>,
        recognised: Recognised,
    ) -> Result<IdentityId, StoreError> {
        use identities::{Column, Entity};
        let (issuer, now) = (&connection.issuer, self.clock.now());
        let this_person = person(issuer, who.subject);
        let member = match recognised {
            Recognised::Tied(_) => {
                let used = self.update::<Entity>(this_person).set(Column::LastUsedAt, now).returning().await?;
                let released = || StoreError::Conflict("the member was released at this moment: sign in again".into());
                let used = used.into_iter().next().ok_or_else(released)?;
                return Ok(used.id.into());
            }
            Recognised::New(member) => member,
        };
        // The person may have been a member who was removed for good.
        self.delete::<Entity>(this_person).exec().await?;
        let id: IdentityId = self.clock.new_id();
        let row = identities::ActiveModel {
            id: Set(id.0),
            member_id: Set(member.0),
            issuer: Set(issuer.clone()),
            subject: Set(who.subject.into()),
            email: Set(who.asserted.email.map(Into::into)),
            created_at: Set(now),
            last_used_at: Set(now),
            ..Default::default()
        };
        let email = who.asserted.email.map(str::to_owned);
        let event =
            Event::IdentityTied(member, IdentityDetail { issuer: issuer.clone(), subject: who.subject.into(), email });
        self.tx.batch(vec![self.insert(row).into(), self.event(&event).into()]).await?;
        Ok(id)
    }
}

fn person(issuer: &str, subject: &str) -> Condition {
    Condition::all().add(identities::Column::Issuer.eq(issuer)).add(identities::Column::Subject.eq(subject))
}
