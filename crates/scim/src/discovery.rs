//! Discovery (RFC 7644 §4): exactly the served features.

use serde_json::{Value, json};

use crate::list::{ListResponse, PageLimits};
use crate::schema::{Attribute, ResourceKind, Schema};

const CONFIG_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// Served and thus advertised features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Bulk limits; `None` when `/Bulk` answers 501.
    pub bulk: Option<BulkCapability>,
    pub pages: PageLimits,
    /// Cursor lifetime in seconds when cursors are served (RFC 9865).
    pub cursor_timeout_seconds: Option<u64>,
    pub sort: bool,
    pub etag: bool,
    /// `false` for a users-only source: groups are then absent everywhere.
    pub groups: bool,
    /// A page for admins.
    pub documentation_uri: Option<String>,
}

/// Limits of `/Bulk`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkCapability {
    pub max_operations: usize,
    pub max_payload_bytes: usize,
}

impl Capabilities {
    fn kinds(&self) -> &'static [ResourceKind] {
        if self.groups { &[ResourceKind::User, ResourceKind::Group] } else { &[ResourceKind::User] }
    }

    /// The schemas served, core first.
    fn schemas(&self) -> impl Iterator<Item = &'static Schema> {
        let kinds = self.kinds();
        let extensions = kinds.iter().flat_map(|kind| kind.extensions().iter().copied());
        kinds.iter().map(|kind| kind.core()).chain(extensions)
    }
}

/// `GET /ServiceProviderConfig`. `base` is the URL before it, without a trailing slash.
#[must_use]
pub fn service_provider_config(capabilities: &Capabilities, base: &str) -> Value {
    let bulk = capabilities.bulk;
    let mut shown = json!({
        "schemas": [CONFIG_SCHEMA],
        "patch": { "supported": true },
        "bulk": {
            "supported": bulk.is_some(),
            "maxOperations": bulk.map_or(0, |bulk| bulk.max_operations),
            "maxPayloadSize": bulk.map_or(0, |bulk| bulk.max_payload_bytes),
        },
        "filter": { "supported": true, "maxResults": capabilities.pages.max },
        "changePassword": { "supported": false },
        "sort": { "supported": capabilities.sort },
        "etag": { "supported": capabilities.etag },
        // Without securityEvents (RFC 9967), even `none`, because older clients refuse unknown keys.
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token of the source, in the Authorization header",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": meta("ServiceProviderConfig", &format!("{base}/ServiceProviderConfig")),
    });
    if let Some(uri) = &capabilities.documentation_uri {
        shown["documentationUri"] = uri.as_str().into();
    }
    if let Some(timeout) = capabilities.cursor_timeout_seconds {
        shown["pagination"] = json!({
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": capabilities.pages.default,
            "maxPageSize": capabilities.pages.max,
            "cursorTimeout": timeout,
        });
    }
    shown
}

/// `GET /ResourceTypes`: a ListResponse.
#[must_use]
pub fn resource_types(capabilities: &Capabilities, base: &str) -> Value {
    listed(capabilities.kinds().iter().map(|kind| show_resource_type(*kind, base)).collect())
}

/// `GET /ResourceTypes/{name}`.
#[must_use]
pub fn resource_type(capabilities: &Capabilities, base: &str, name: &str) -> Option<Value> {
    let kind = capabilities.kinds().iter().find(|kind| kind.name() == name)?;
    Some(show_resource_type(*kind, base))
}

/// `GET /Schemas`: a ListResponse.
#[must_use]
pub fn schemas(capabilities: &Capabilities, base: &str) -> Value {
    listed(capabilities.schemas().map(|schema| show_schema(schema, base)).collect())
}

/// `GET /Schemas/{urn}`.
#[must_use]
pub fn schema(capabilities: &Capabilities, base: &str, urn: &str) -> Option<Value> {
    let schema = capabilities.schemas().find(|schema| schema.urn.eq_ignore_ascii_case(urn))?;
    Some(show_schema(schema, base))
}

fn show_resource_type(kind: ResourceKind, base: &str) -> Value {
    let extensions: Vec<_> =
        kind.extensions().iter().map(|schema| json!({ "schema": schema.urn, "required": false })).collect();
    json!({
        "schemas": [RESOURCE_TYPE_SCHEMA],
        "id": kind.name(),
        "name": kind.name(),
        "description": kind.core().description,
        "endpoint": kind.endpoint(),
        "schema": kind.core().urn,
        "schemaExtensions": extensions,
        "meta": meta("ResourceType", &format!("{base}/ResourceTypes/{}", kind.name())),
    })
}

fn show_schema(schema: &Schema, base: &str) -> Value {
    // Common to all resources (RFC 7643 §3.1), but Entra's validation asks for each mapped attribute.
    let kind = [ResourceKind::User, ResourceKind::Group].into_iter().find(|kind| kind.core().urn == schema.urn);
    let external_id = kind.and_then(|kind| kind.attribute("externalId"));
    json!({
        "schemas": [SCHEMA_SCHEMA],
        "id": schema.urn,
        "name": schema.name,
        "description": schema.description,
        "attributes": schema.attributes.iter().chain(external_id).map(Attribute::to_json).collect::<Vec<_>>(),
        "meta": meta("Schema", &format!("{base}/Schemas/{}", schema.urn)),
    })
}

fn meta(resource_type: &str, location: &str) -> Value {
    json!({ "resourceType": resource_type, "location": location })
}

fn listed(resources: Vec<Value>) -> Value {
    let total = Some(resources.len() as u64);
    json!(ListResponse { total, start_index: Some(1), ..ListResponse::of(resources) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_USER, GROUP, USER};

    fn everything() -> Capabilities {
        Capabilities {
            bulk: Some(BulkCapability { max_operations: 1_000, max_payload_bytes: 1_048_576 }),
            pages: PageLimits { default: 100, max: 200 },
            cursor_timeout_seconds: Some(3_600),
            sort: true,
            etag: true,
            groups: true,
            documentation_uri: Some("https://h/docs".into()),
        }
    }

    fn nothing() -> Capabilities {
        Capabilities {
            bulk: None,
            cursor_timeout_seconds: None,
            sort: false,
            etag: false,
            groups: false,
            documentation_uri: None,
            ..everything()
        }
    }

    #[test]
    fn what_is_advertised_is_what_is_served() {
        let all = service_provider_config(&everything(), "https://h/s");
        assert_eq!(all["bulk"], json!({ "supported": true, "maxOperations": 1_000, "maxPayloadSize": 1_048_576 }));
        assert_eq!(all["pagination"]["defaultPaginationMethod"], "index");
        assert_eq!(all["meta"]["location"], "https://h/s/ServiceProviderConfig");
        assert_eq!(all.get("securityEvents"), None);
        let none = service_provider_config(&nothing(), "https://h/s");
        assert_eq!(none["bulk"]["supported"], false);
        for absent in ["pagination", "documentationUri"] {
            assert!(none.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn ds3_a_users_only_source_knows_no_groups() {
        let shown = [resource_types(&nothing(), ""), schemas(&nothing(), "")];
        assert!(shown.iter().all(|list| !list.to_string().contains(GROUP)), "{shown:?}");
        assert_eq!(resource_type(&nothing(), "", "Group"), None);
        assert_eq!(schema(&nothing(), "", GROUP), None);
        assert_eq!(resource_types(&everything(), "")["totalResults"], 2);
    }

    #[test]
    fn schemas_list_what_clients_map_and_no_nested_groups() {
        let attribute = |urn: &str, name: &str| {
            let schema = schema(&everything(), "https://h/s", urn).expect("a schema");
            let found =
                schema["attributes"].as_array().expect("a list").iter().find(|one| one["name"] == name).cloned();
            found.unwrap_or_default()
        };
        for urn in [USER, GROUP] {
            let external_id = attribute(urn, "externalId");
            assert_eq!(external_id["caseExact"], true, "{external_id}");
            assert_eq!((&external_id["mutability"], &external_id["uniqueness"]), (&json!("readWrite"), &json!("none")));
        }
        assert_eq!(attribute(ENTERPRISE_USER, "externalId"), Value::Null);
        let members = attribute(GROUP, "members");
        assert_eq!(members["subAttributes"][1]["referenceTypes"], json!(["User"]), "{members}");
        assert_eq!(members["subAttributes"][3]["canonicalValues"], json!(["User"]), "{members}");
    }

    #[test]
    fn schemas_show_every_attribute_without_nulls() {
        fn has_null(value: &Value) -> bool {
            match value {
                Value::Null => true,
                Value::Array(items) => items.iter().any(has_null),
                Value::Object(members) => members.values().any(has_null),
                _ => false,
            }
        }
        let shown = schemas(&everything(), "https://h/s");
        assert!(!has_null(&shown));
        let urns: Vec<_> =
            shown["Resources"].as_array().into_iter().flatten().map(|schema| schema["id"].clone()).collect();
        assert_eq!(urns, [USER, GROUP, ENTERPRISE_USER]);
        let user = schema(&everything(), "https://h/s", USER).expect("the user schema");
        let user_name = &user["attributes"][0];
        assert_eq!(
            *user_name,
            json!({
                "name": "userName", "type": "string", "multiValued": false, "required": true, "caseExact": false,
                "mutability": "readWrite", "returned": "default", "uniqueness": "server",
                "description": "Unique name the user signs in with, usually an email address",
            })
        );
        let attributes = user["attributes"].as_array().expect("a list");
        assert_eq!(attributes.len(), 22, "RFC 7643 §4.1 has 21 attributes, and externalId is common");
        let password = attributes.iter().find(|attribute| attribute["name"] == "password").expect("password");
        assert_eq!((&password["returned"], &password["mutability"]), (&json!("never"), &json!("writeOnly")));
    }
}
