//! Roles by the rules of a connection: at each sign-in the member has what people gave and what the rules lend now, and a person whom a
//! rule gives a role may join (decision 0083).

use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, identities, members, tenant_leases};
use crate::reconcile::authority;
use crate::reconcile::open_items::Retouch;
use crate::sign_in::asserted_groups::AssertedGroups;
use crate::sign_in::connections::SignInConnection;
use rollcall_core::email::fold;
use rollcall_core::event::{ByRules, Difference, Event, MemberCreated, MemberDetail};
use rollcall_core::ids::MemberId;
use rollcall_core::role_rules::{Authority, Ruled};
use rollcall_core::roster::{MemberStatus, Role};
use rollcall_core::search;
use rollcall_core::sign_in::{Recognised, Unrecognised};
use rollcall_core::world::World;
use rollcall_scim::is_email;
use sea_orm::sea_query::{ExprTrait, LockType};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, DerivePartialModel};
use serde_json::{Map, Value as Json, json};

/// The rules of a connection, as they are about one person.
pub(super) struct Rules {
    pub(super) ruled: Ruled,
    /// `None` where the sign-in says nothing about groups.
    pub(super) groups: Option<AssertedGroups>,
    creates_members: bool,
    by: ByRules,
}

impl Rules {
    pub(super) fn of(
        connection: &SignInConnection,
        claims: &Map<String, Json>,
        unanswered: bool,
    ) -> Result<Self, StoreError> {
        let ruled = Ruled::by(&connection.role_rules()?, claims, unanswered);
        let by = ByRules { sign_in_connection_id: connection.id.into(), rules: ruled.rules.clone() };
        let groups = AssertedGroups::of(connection, claims, unanswered)?;
        Ok(Self { ruled, groups, creates_members: connection.creates_members, by })
    }

    /// True if the person becomes a member where nobody has the address.
    pub(super) fn may_join(&self) -> bool {
        self.creates_members && self.ruled.gives_something()
    }
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "members::Entity")]
struct AuthorityRow {
    role: String,
    billing_contact: bool,
    role_before_rule: Option<String>,
    contact_by_rule: bool,
}

impl AuthorityRow {
    fn read(self) -> Result<Authority, StoreError> {
        let Self { role, billing_contact, role_before_rule, contact_by_rule } = self;
        Ok(Authority {
            role: role.parse().map_err(StoreError::database)?,
            billing_contact,
            role_before_rule: role_before_rule.as_deref().map(str::parse).transpose().map_err(StoreError::database)?,
            contact_by_rule,
        })
    }
}

fn active(member: MemberId) -> Condition {
    Condition::all().add(members::Column::Id.eq(member.0)).add(members::Column::Status.is("active"))
}

impl TenantTx {
    /// The authority of an active member.
    pub(super) async fn authority_of(&self, member: MemberId) -> Result<Option<Authority>, StoreError> {
        let found: Option<AuthorityRow> = self.find::<members::Entity>().filter(active(member)).one().await?;
        found.map(AuthorityRow::read).transpose()
    }

    /// True if this sign-in may change the roster, so that plans which were made before are void.
    pub(super) async fn may_change(
        &self,
        recognised: &Result<Recognised, Unrecognised>,
        rules: &Rules,
    ) -> Result<bool, StoreError> {
        match recognised {
            Ok(recognised) => {
                let member = recognised.member();
                let Some(now) = self.authority_of(member).await? else { return Ok(false) };
                let moves = now.under(&rules.ruled) != now;
                Ok(moves || !self.group_changes(member, rules.groups.as_ref()).await?.is_empty())
            }
            Err(Unrecognised::NoMember(_)) => Ok(rules.may_join()),
            Err(_) => Ok(false),
        }
    }

    /// Gives an active member what the rules lend, and takes back what they lent before.
    pub(super) async fn settle_authority(
        &self,
        member: MemberId,
        rules: &Rules,
        plans_are_void: bool,
    ) -> Result<(), StoreError> {
        let row: Option<AuthorityRow> =
            self.find::<members::Entity>().filter(active(member)).lock(LockType::NoKeyUpdate).one().await?;
        let Some(before) = row.map(AuthorityRow::read).transpose()? else { return Ok(()) };
        let after = self.keep_the_last(member, before, before.under(&rules.ruled)).await?;
        if after == before {
            return Ok(());
        }
        if !plans_are_void {
            return Err(StoreError::Conflict("the member was changed at this moment: sign in again".into()));
        }
        use members::Column;
        let before_rule = after.role_before_rule.map(|role| role.as_str().to_owned());
        let update = self.update::<members::Entity>(Column::Id.eq(member.0)).set(Column::Role, after.role.as_str());
        let update = update.set(Column::BillingContact, after.billing_contact).set(Column::RoleBeforeRule, before_rule);
        let update = update.set(Column::ContactByRule, after.contact_by_rule).set(Column::ModifiedAt, self.clock.now());
        let detail = MemberDetail::Ruled { difference: difference(before, after), by: rules.by.clone() };
        let event = Event::MemberUpdated(member, detail);
        self.tx.batch(vec![update.into(), self.event(&event).into()]).await?;
        if before.signs_in_as() != after.signs_in_as() {
            self.end_access(&[member.0]).await?;
        }
        self.touch_items(Retouch::ByRole).await
    }

    /// The last active admin and the last billing contact stay (DA7).
    pub(super) async fn keep_the_last(
        &self,
        member: MemberId,
        now: Authority,
        after: Authority,
    ) -> Result<Authority, StoreError> {
        let mut kept = after;
        if now.role.is_admin()
            && !after.role.is_admin()
            && !self.has_other(member.0, authority::AuthorityRow::is_admin).await?
        {
            (kept.role, kept.role_before_rule) = (now.role, now.role_before_rule);
        }
        let leaves = now.billing_contact && !after.billing_contact;
        if leaves && !self.has_other(member.0, |other| other.billing_contact).await? {
            (kept.billing_contact, kept.contact_by_rule) = (true, now.contact_by_rule);
        }
        Ok(kept)
    }

    /// Makes a member of a person whom a rule gives a role and whose address is nobody's, unless something is against it.
    pub(super) async fn join_by_rule(
        &self,
        subject: &str,
        issuer: &str,
        email: &str,
        rules: &Rules,
    ) -> Result<Result<MemberId, Unrecognised>, StoreError> {
        if let Some(why) = self.refuse_to_join(subject, issuer, email).await? {
            return Ok(Err(why));
        }
        let (id, now): (MemberId, _) = (self.clock.new_id(), self.clock.now());
        let authority = Authority::given(Role::Member, false).under(&rules.ruled);
        let member = members::ActiveModel {
            id: Set(id.0),
            email: Set(email.into()),
            email_folded: Set(fold(email)),
            search_text: Set(search::text(email, [])),
            status: Set(MemberStatus::Active.as_str().into()),
            role: Set(authority.role.as_str().into()),
            billing_contact: Set(authority.billing_contact),
            role_before_rule: Set(authority.role_before_rule.map(|role| role.as_str().into())),
            contact_by_rule: Set(authority.contact_by_rule),
            seated: Set(true),
            held: Set(false),
            created_at: Set(now),
            modified_at: Set(now),
            ..Default::default()
        };
        let Authority { role, billing_contact, .. } = authority;
        let made = MemberCreated { email: email.to_owned(), role, billing_contact, by: Some(rules.by.clone()) };
        let event = Event::MemberCreated(id, made);
        self.tx.batch(vec![self.insert(member).into(), self.event(&event).into()]).await?;
        use tenant_leases::Column;
        let counts = self.update_own::<tenant_leases::Entity>();
        counts.set(Column::SeatsUsed, Column::SeatsUsed.into_expr().add(1_i64)).exec().await?;
        // An item may be held for want of another admin.
        self.touch_items(Retouch::ByRole).await?;
        Ok(Ok(id))
    }

    /// The reason for which a person does not join: somebody who was removed comes back by the directory or by an admin alone, and a
    /// seat is needed.
    pub(super) async fn refuse_to_join(
        &self,
        subject: &str,
        issuer: &str,
        email: &str,
    ) -> Result<Option<Unrecognised>, StoreError> {
        if !is_email(email) {
            return Ok(Some(Unrecognised::NoAddress(email.to_owned())));
        }
        let this_person = identities::Column::Issuer.eq(issuer).and(identities::Column::Subject.eq(subject));
        let was_tied = self.find::<identities::Entity>().filter(this_person).exists().await?;
        let removed = members::Column::EmailFolded.eq(fold(email)).and(members::Column::Status.is("removed"));
        if was_tied || self.find::<members::Entity>().filter(removed).exists().await? {
            return Ok(Some(Unrecognised::WasRemoved(email.to_owned())));
        }
        let mut world = World::default();
        self.read_standing(&mut world).await?;
        let is_free = world.standing.seats_used < world.standing.seats_bought;
        Ok((!is_free).then(|| Unrecognised::NoSeat(email.to_owned())))
    }
}

/// The fields that differ for people.
fn difference(before: Authority, after: Authority) -> Difference<Map<String, Json>> {
    let mut sides = [Map::new(), Map::new()];
    let mut note = |name: &str, values: [Json; 2]| {
        if values[0] != values[1] {
            sides.iter_mut().zip(values).for_each(|(side, value)| drop(side.insert(name.to_owned(), value)));
        }
    };
    note("role", [json!(before.role), json!(after.role)]);
    note("billing_contact", [json!(before.billing_contact), json!(after.billing_contact)]);
    let [before, after] = sides;
    Difference { before, after }
}

#[cfg(test)]
pub(super) mod tests;
