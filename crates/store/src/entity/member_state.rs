//! A member as the planner and `explain` read it.

use crate::engine::error::StoreError;
use rollcall_core::roster::{MemberState, Profile};
use sea_orm::DerivePartialModel;
use uuid::Uuid;

/// The columns of a [`MemberRow`] over `members m`.
macro_rules! member_columns {
    ($record:literal) => {
        concat!(
            "m.id, m.email, m.display_name, m.given_name, m.family_name, m.external_id, m.status, m.role, \
             m.billing_contact, m.managed_by, ",
            $record,
            ", m.former_record_id, m.suspended_from, m.waiting_for, m.approval, m.blocked_from, m.seated, m.held"
        )
    };
}

pub(crate) use member_columns;

pub(crate) const MEMBER_COLUMNS: &str = member_columns!("m.directory_user_id");

#[derive(DerivePartialModel)]
#[sea_orm(entity = "super::members::Entity")]
pub(crate) struct MemberRow {
    id: Uuid,
    email: String,
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    external_id: Option<String>,
    status: String,
    role: String,
    billing_contact: bool,
    managed_by: Option<Uuid>,
    directory_user_id: Option<Uuid>,
    former_record_id: Option<Uuid>,
    suspended_from: Option<String>,
    waiting_for: Option<String>,
    approval: Option<String>,
    blocked_from: Option<String>,
    seated: bool,
    held: bool,
}

impl MemberRow {
    pub(crate) fn into_state(self) -> Result<MemberState, StoreError> {
        fn word<T: std::str::FromStr<Err = String>>(text: &str) -> Result<T, StoreError> {
            text.parse().map_err(StoreError::database)
        }
        Ok(MemberState {
            id: self.id.into(),
            profile: Profile {
                email: self.email,
                display_name: self.display_name,
                given_name: self.given_name,
                family_name: self.family_name,
                external_id: self.external_id,
            },
            status: word(&self.status)?,
            role: word(&self.role)?,
            billing_contact: self.billing_contact,
            managed_by: self.managed_by.map(Into::into),
            directory_user: self.directory_user_id.map(Into::into),
            former_record: self.former_record_id.map(Into::into),
            suspended_from: self.suspended_from.as_deref().map(word).transpose()?,
            waiting_for: self.waiting_for.as_deref().map(word).transpose()?,
            approval: self.approval.as_deref().map(word).transpose()?,
            blocked_from: self.blocked_from.as_deref().map(word).transpose()?,
            seated: self.seated,
            held: self.held,
        })
    }
}
