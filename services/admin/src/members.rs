//! `PATCH /api/v1/members/{id}`: what admins change of a member.

use crate::auth::AdminAuth;
use crate::body::body;
use crate::resources::{Answer, id_in_path};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use rollcall_core::policy::LocalAttribute;
use rollcall_core::roster::Role;
use rollcall_store::MemberChanges;
use serde::{Deserialize, Deserializer};

/// Keys that are left out change nothing; a name that is null is taken away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberPatch {
    #[serde(default, deserialize_with = "present")]
    role: Option<Role>,
    #[serde(default, deserialize_with = "present")]
    billing_contact: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    display_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    given_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    family_name: Option<Option<String>>,
    /// As it was read; another's change in between is not overwritten.
    modified_at: Option<DateTime<Utc>>,
}

/// Tells a key that is null from one that is not there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(json: D) -> Result<Option<T>, D::Error> {
    T::deserialize(json).map(Some)
}

impl From<MemberPatch> for MemberChanges {
    fn from(patch: MemberPatch) -> Self {
        let local = [
            (LocalAttribute::DisplayName, patch.display_name),
            (LocalAttribute::GivenName, patch.given_name),
            (LocalAttribute::FamilyName, patch.family_name),
        ];
        Self {
            role: patch.role,
            billing_contact: patch.billing_contact,
            local: local.into_iter().filter_map(|(attribute, value)| Some((attribute, value?))).collect(),
            seen: patch.modified_at,
        }
    }
}

pub(crate) async fn change_member(request: HttpRequest, auth: AdminAuth, payload: web::Payload) -> Answer {
    let AdminAuth(auth) = auth;
    let id = id_in_path(&request, "member")?;
    // Another tenant's member is nobody, whatever the body says.
    auth.admin.store.member(&auth.scope, id).await?;
    let patch: MemberPatch = body(payload).await?;
    let member = auth.admin.store.change_member(&auth.scope, id, &patch.into()).await?;
    auth.admin.wake(&auth.scope);
    Ok(HttpResponse::Ok().json(member))
}
