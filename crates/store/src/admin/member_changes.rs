//! Changes of a member by an admin: role, billing contact, and the product's own attributes (DA7, PE6).

use crate::admin::members::Member;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::members;
use crate::log::changes::{Lane, Touched};
use crate::reconcile::authority::AuthorityRow;
use crate::reconcile::open_items::Retouch;
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::event::{self, Event, MemberDetail};
use rollcall_core::ids::MemberId;
use rollcall_core::policy::LocalAttribute;
use rollcall_core::roster::{MemberStatus, Role, former_address};
use rollcall_core::search;
use sea_orm::sea_query::Value;
use sea_orm::{ColumnTrait, IdenStatic};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Longest local attribute, in characters: as long as a name of the directory may be.
const TEXT_CHARACTERS_MAX: usize = 256;

/// The fields to change; the others stay.
#[derive(Clone, Debug, Default)]
pub struct MemberChanges {
    pub role: Option<Role>,
    pub billing_contact: Option<bool>,
    /// `None` removes the value.
    pub local: BTreeMap<LocalAttribute, Option<String>>,
    /// The member's `modified_at` that was read, so that another change in between is not overwritten.
    pub seen: Option<DateTime<Utc>>,
}

impl MemberChanges {
    fn check(&self) -> Result<(), StoreError> {
        self.local.iter().try_for_each(|(attribute, value)| check_name(attribute.as_str(), value.as_deref()))
    }
}

/// Checks a name of a person.
pub(super) fn check_name(attribute: &str, name: Option<&str>) -> Result<(), StoreError> {
    let fits = |text: &str| text.chars().count() <= TEXT_CHARACTERS_MAX;
    let usable = |text: &str| !text.trim().is_empty() && fits(text) && !text.chars().any(char::is_control);
    if name.is_none_or(usable) {
        return Ok(());
    }
    Err(StoreError::Invalid(format!(
        "{attribute} is null or text of 1 to {TEXT_CHARACTERS_MAX} characters, none of them a control character"
    )))
}

/// The fields that differ: columns with their new values, and both sides for the log.
#[derive(Default)]
struct Difference {
    columns: Vec<(members::Column, Value)>,
    before: Map<String, Json>,
    after: Map<String, Json>,
}

impl Difference {
    fn note(&mut self, column: members::Column, value: Value, before: Json, after: Json) {
        if before != after {
            self.before.insert(column.as_str().into(), before);
            self.after.insert(column.as_str().into(), after);
            self.columns.push((column, value));
        }
    }

    fn of(before: &Member, changes: &MemberChanges) -> Self {
        use members::Column;
        let mut found = Self::default();
        if let Some(role) = changes.role {
            found.note(Column::Role, role.as_str().into(), json!(before.role), json!(role));
            if found.changes("role") {
                // A person's word takes the place of a rule's.
                found.columns.push((Column::RoleBeforeRule, None::<String>.into()));
            }
        }
        if let Some(contact) = changes.billing_contact {
            found.note(Column::BillingContact, contact.into(), json!(before.billing_contact), json!(contact));
            if found.changes("billing_contact") {
                found.columns.push((Column::ContactByRule, false.into()));
            }
        }
        for (attribute, value) in &changes.local {
            let (column, now) = match attribute {
                LocalAttribute::DisplayName => (Column::DisplayName, &before.display_name),
                LocalAttribute::GivenName => (Column::GivenName, &before.given_name),
                LocalAttribute::FamilyName => (Column::FamilyName, &before.family_name),
            };
            found.note(column, value.clone().into(), json!(now), json!(value));
        }
        if LocalAttribute::ALL.iter().any(|attribute| found.changes(attribute.as_str())) {
            found.columns.push((Column::SearchText, search_text_after(before, changes).into()));
        }
        found
    }

    fn changes(&self, name: &str) -> bool {
        self.after.contains_key(name)
    }
}

/// The words by which the member is found after these changes.
fn search_text_after(before: &Member, changes: &MemberChanges) -> String {
    let name = |attribute, now: &Option<String>| changes.local.get(&attribute).unwrap_or(now).clone();
    let names = [
        name(LocalAttribute::DisplayName, &before.display_name),
        name(LocalAttribute::GivenName, &before.given_name),
        name(LocalAttribute::FamilyName, &before.family_name),
    ];
    let email = former_address(before.id.into(), &before.email).unwrap_or(&before.email);
    search::text(email, names.iter().map(Option::as_deref))
}

/// The authority with which the member signs in. While it stays, sessions and recovery codes do: an owner's are not an admin's to end.
fn signs_in_as(member: &Member) -> Result<Option<Role>, StoreError> {
    let role: Role = member.role.parse().map_err(StoreError::database)?;
    Ok(role.signs_in_as(member.billing_contact))
}

impl Store {
    /// Changes a member. Plans that a worker has not applied are void: they counted the admins of before, and would write the
    /// member back as it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Changed`] when `seen` is not the latest; [`StoreError::Forbidden`] for a role
    /// that the key may not give; [`StoreError::Conflict`] for the last active owner, admin or billing contact (DA7), a removed
    /// member, and an attribute that the directory owns (PE6); [`StoreError::Invalid`] for a text that is none.
    #[tracing::instrument(name = "store.member_changes.change_member", skip_all)]
    pub async fn change_member(
        &self,
        scope: &AdminScope,
        id: MemberId,
        changes: &MemberChanges,
    ) -> Result<Committed<Member>, StoreError> {
        changes.check()?;
        let tx = self.write(&scope.scope).await?;
        tx.stop_the_planning().await?;
        let before = tx.member_row(id).await?;
        if changes.seen.is_some_and(|seen| seen != before.modified_at) {
            return Err(StoreError::Changed);
        }
        let difference = Difference::of(&before, changes);
        if difference.columns.is_empty() {
            return Ok(Committed::waking(tx.tenant, before));
        }
        if before.status == MemberStatus::Removed.as_str() {
            return Err(StoreError::Conflict("the member was removed".into()));
        }
        tx.refuse_role(scope.role(), &before, &difference, changes).await?;
        tx.refuse_owned_by_directory(&before, &difference).await?;
        let other_authority = difference.changes("role") || difference.changes("billing_contact");
        tx.write_difference(id, difference).await?;
        let after = tx.member_row(id).await?;
        if signs_in_as(&before)? != signs_in_as(&after)? {
            tx.end_access(&[id.0]).await?;
        }
        if other_authority {
            // The address of a leaver without authority may go to the person who asks for it.
            let left = before.status == MemberStatus::Suspended.as_str();
            let record = before.directory_user_id.filter(|_| left).map(|record| Touched::User(record.into()));
            tx.write_changes(None, Lane::Push, record).await?;
        }
        if changes.role.is_some() || changes.billing_contact == Some(true) {
            // An item may be held for this member's role, or for the last admin or billing contact.
            tx.touch_items(Retouch::ByRole).await?;
        }
        tx.commit_and_wake(after).await
    }
}

impl TenantTx {
    /// Checks who may give which role, and that an active owner, admin and billing contact remain (DA7).
    async fn refuse_role(
        &self,
        by: Role,
        member: &Member,
        difference: &Difference,
        changes: &MemberChanges,
    ) -> Result<(), StoreError> {
        let role: Role = member.role.parse().map_err(StoreError::database)?;
        if let Some(after) = changes.role
            && !by.may_change(role, after)
        {
            let why = "only an owner makes an owner, or changes the role of one";
            return Err(StoreError::Forbidden(why.into()));
        }
        if member.status != MemberStatus::Active.as_str() {
            return Ok(());
        }
        let leaves = difference.changes("role") && role == Role::Owner;
        if leaves && !self.has_other(member.id, AuthorityRow::is_owner).await? {
            let why = "the member is the last active owner: make another active member an owner first";
            return Err(StoreError::Conflict(why.into()));
        }
        let leaves = role.is_admin() && changes.role.is_some_and(|role| !role.is_admin());
        if leaves && !self.has_other(member.id, AuthorityRow::is_admin).await? {
            let why = "the member is the last active admin: make another active member an admin first";
            return Err(StoreError::Conflict(why.into()));
        }
        let leaves = difference.changes("billing_contact") && changes.billing_contact == Some(false);
        if leaves && !self.has_other(member.id, |other| other.billing_contact).await? {
            let why = "the member is the last billing contact: make another active member the billing contact first";
            return Err(StoreError::Conflict(why.into()));
        }
        Ok(())
    }

    /// True if another active member has the authority.
    pub(crate) async fn has_other(
        &self,
        member: Uuid,
        authority: fn(&AuthorityRow) -> bool,
    ) -> Result<bool, StoreError> {
        let others = self.active_with_authority().await?;
        Ok(others.iter().any(|other| other.id != member && authority(other)))
    }

    async fn refuse_owned_by_directory(&self, member: &Member, difference: &Difference) -> Result<(), StoreError> {
        let mut changed =
            LocalAttribute::ALL.iter().filter(|attribute| difference.changes(attribute.as_str())).peekable();
        let (Some(source), Some(_)) = (member.managed_by, changed.peek()) else { return Ok(()) };
        let policy = self.policy_in_force().await?.of_source(source.into()).map_err(StoreError::database)?;
        match changed.find(|attribute| !policy.local_attributes.contains(attribute)) {
            Some(owned) => Err(StoreError::Conflict(format!(
                "the directory owns {owned} of this member: change it there, or add it to `local_attributes` in the policy"
            ))),
            None => Ok(()),
        }
    }

    async fn write_difference(&self, id: MemberId, difference: Difference) -> Result<(), StoreError> {
        let Difference { columns, before, after } = difference;
        let update = self.update::<members::Entity>(members::Column::Id.eq(id.0));
        let update = update.set(members::Column::ModifiedAt, self.clock.now());
        let update = columns.into_iter().fold(update, |update, (column, value)| update.set(column, value));
        let event = Event::MemberUpdated(id, MemberDetail::Fields(event::Difference { before, after }));
        self.tx.batch(vec![update.into(), self.event(&event).into()]).await
    }
}
