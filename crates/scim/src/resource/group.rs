//! A group in canonical form.

use serde_json::{Map, Value};

use super::member::{MemberRef, read_members};
use super::{check_common, check_required, text};
use crate::body::read_body;
use crate::bounds::check_document;
use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::limits::{DISPLAY_NAME_CHARACTERS, Limits};
use crate::schema::ResourceKind;

/// A group: attributes in canonical form, and the members beside them, so that membership can be stored as rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupResource {
    attributes: Map<String, Value>,
    /// `None` when the body has no members (absent or null): a PUT must then leave them unchanged. `Some(vec![])` means
    /// no members. Each id is named once.
    pub members: Option<Vec<MemberRef>>,
}

impl GroupResource {
    /// Reads a POST or PUT body.
    ///
    /// # Errors
    /// `invalidSyntax` when it is not a SCIM group, `invalidValue` with the attribute, 413 for too many members.
    pub fn from_json(body: Value, limits: &Limits, quirks: &mut Quirks) -> Result<Self, ScimError> {
        let body = read_body(ResourceKind::Group, body, quirks)?;
        body.flaws.refuse()?;
        let members = match body.members {
            Some(Value::Null) => {
                quirks.note(Quirk::NullValue);
                None
            }
            Some(members) => Some(read_members(members, limits.members_per_request, quirks)?),
            None => None,
        };
        check_document("group", &body.attributes, 0)?;
        Ok(Self { members, ..Self::checked(body.attributes)? })
    }

    /// Accepts canonical attributes that make a valid group.
    pub(crate) fn checked(attributes: Map<String, Value>) -> Result<Self, ScimError> {
        check_required(&attributes, "displayName", DISPLAY_NAME_CHARACTERS)?;
        check_common(&attributes)?;
        Ok(Self::from_stored(attributes))
    }

    /// Takes attributes from [`into_attributes`](Self::into_attributes), which are trusted. `members` is `None`.
    #[must_use]
    pub fn from_stored(attributes: Map<String, Value>) -> Self {
        Self { attributes, members: None }
    }

    /// The canonical attributes, without members.
    #[must_use]
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// The canonical attributes, without members, to be stored.
    #[must_use]
    pub fn into_attributes(self) -> Map<String, Value> {
        self.attributes
    }

    /// `displayName`; never empty.
    #[must_use]
    pub fn display_name(&self) -> &str {
        text(&self.attributes, "displayName").unwrap_or_default()
    }

    /// `externalId`; never empty.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        text(&self.attributes, "externalId")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: Value) -> Result<GroupResource, ScimError> {
        GroupResource::from_json(body, &Limits::default(), &mut Quirks::new())
    }

    #[test]
    fn members_are_kept_apart_and_absent_is_not_empty() {
        let members = |body| read(body).expect("a group").members;
        assert_eq!(members(json!({ "displayName": "G" })), None);
        assert_eq!(members(json!({ "displayName": "G", "members": null })), None);
        assert_eq!(members(json!({ "displayName": "G", "members": [] })), Some(Vec::new()));
        let group = read(json!({ "displayName": "G", "externalId": "", "Members": ["u"] })).expect("a group");
        assert_eq!(Value::Object(group.attributes().clone()), json!({ "displayName": "G" }));
        assert_eq!(group.members.map(|members| members.len()), Some(1));
    }

    #[test]
    fn trap8_the_schema_of_entra_is_accepted() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group",
                "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "displayName": "G", "externalId": "8aa1", "meta": { "resourceType": "Group" },
        });
        assert_eq!(read(body).expect("a group").external_id(), Some("8aa1"));
    }

    #[test]
    fn a_group_needs_a_name() {
        for body in [json!({}), json!({ "displayName": "" }), json!({ "displayName": "x".repeat(257) })] {
            assert!(read(body).expect_err("no name").detail.starts_with("displayName"));
        }
    }
}
