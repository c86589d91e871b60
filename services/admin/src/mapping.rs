//! `/api/v1/policy/mapping`: preview of expressions on real records.

use crate::answer::{Answer, whole};
use crate::auth::ApiAuth;
use crate::body::body;
use crate::error::AdminError;
use crate::tokens::given;
use crate::view::List;
use crate::view::mapping as view;
use rollcall_core::ids::{DirectoryUserId, SourceId};
use rollcall_core::policy::Mapping;
use rollcall_store::{PreviewOf, PreviewedReading};
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

/// Number of records when the body does not name any.
const SAMPLE: u32 = 5;

#[derive(Deserialize, ToSchema)]
#[schema(as = PreviewMappingRequest)]
#[serde(deny_unknown_fields)]
struct Preview {
    /// The mapping in force, when it is left out.
    #[schema(value_type = Option<crate::view::policy::Mapping>)]
    mapping: Option<Mapping>,
    /// As the policy's key of this name; the one in force, when it is left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    email_attribute: Option<Option<String>>,
    #[schema(value_type = Uuid)]
    source_id: SourceId,
    #[schema(value_type = Option<Uuid>)]
    user_id: Option<DirectoryUserId>,
    sample: Option<u32>,
}

#[utoipa::path(
    post, path = "/api/v1/policy/mapping/preview", tag = "policy", operation_id = "mapping_preview_mapping", summary = "What a mapping or an email attribute makes of records",
    request_body = Preview,
    responses((status = 200, body = List<view::PreviewedRecord>)),
)]
pub(crate) async fn preview_mapping(auth: ApiAuth, payload: Body) -> Answer {
    let asked: Preview = body(payload).await?;
    let of = match (asked.user_id, asked.sample) {
        (Some(_), Some(_)) => return Err(AdminError::BadRequest("give user_id or sample, not both".into())),
        (Some(user), None) => PreviewOf::User(user),
        (None, sample) => PreviewOf::Sample(sample.unwrap_or(SAMPLE)),
    };
    let reading = PreviewedReading { mapping: asked.mapping, email_attribute: asked.email_attribute };
    let records = auth.admin.hub.store.preview_mapping(&auth.scope, asked.source_id, of, reading).await?;
    whole::<view::PreviewedRecord>(records)
}

#[cfg(test)]
mod tests {
    use rollcall_core::policy::RECORD_ATTRIBUTES;
    use rollcall_scim::ResourceKind;
    use std::collections::BTreeSet;

    /// The core has no schema of its own; the password is dropped, and the groups are read from elsewhere.
    #[test]
    fn pe13_an_expression_may_name_what_a_record_can_have_and_nothing_else() {
        let of_schema = ResourceKind::User.core().attributes.iter().map(|attribute| attribute.name);
        let kept = of_schema.filter(|name| !["password", "groups"].contains(name)).chain(["externalId"]);
        assert_eq!(kept.collect::<BTreeSet<_>>(), RECORD_ATTRIBUTES.iter().copied().collect());
    }
}
