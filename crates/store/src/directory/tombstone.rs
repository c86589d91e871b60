//! Erasure: what the row of a deleted user keeps. It says that a record was here, and nothing about the person. A return is
//! recognised by the member, who keeps the external id, and a rewind by the record's own id; the audit log tells who it was.

use crate::entity::directory_users::Column;
use rollcall_scim::UserResource;
use sea_orm::sea_query::Value;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

/// The columns of a deleted user that are overwritten.
pub(crate) fn erased(resource: &UserResource) -> Vec<(Column, Value)> {
    let nothing = || Value::String(None);
    vec![
        (Column::UserName, "".into()),
        (Column::UserNameFolded, "".into()),
        (Column::ExternalId, resource.external_id().map(digest_of).into()),
        (Column::Email, nothing()),
        (Column::EmailFolded, nothing()),
        (Column::SecondEmailFolded, nothing()),
        (Column::MoreEmails, false.into()),
        (Column::DisplayName, nothing()),
        (Column::GivenName, nothing()),
        (Column::FamilyName, nothing()),
        (Column::Active, false.into()),
        (Column::Attributes, Json::Object(Map::new()).into()),
        (Column::Folded, None::<Json>.into()),
    ]
}

/// By this a support case that knows the external id finds the row.
pub(crate) fn digest_of(external_id: &str) -> String {
    let digest = Sha256::digest(external_id.as_bytes());
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
