//! Discovery (RFC 7644 §4): every advertised feature is served, and the endpoints are read-only.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{ENTERPRISE, GROUP, LIST, USER};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        service_provider_config_advertises_what_is_served,
        resource_types_are_users_and_groups,
        schemas_describe_user_group_and_enterprise_user,
        discovery_is_read_only,
        filtering_discovery_is_forbidden,
        an_unknown_route_is_a_scim_404,
        a_wrong_method_is_a_scim_405,
        ds6_test_connection_works_before_anything_is_synced,
        ds1_the_printed_endpoint_is_the_one_served,
    ]
}

async fn service_provider_config_advertises_what_is_served(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let answer = source.get("/ServiceProviderConfig").await.expect(200);
    assert!(answer.content_type().starts_with("application/scim+json"), "{}", answer.describe());
    assert_eq!(answer.at("/patch/supported"), true);
    assert_eq!(answer.at("/filter/supported"), true);
    assert!(answer.at("/filter/maxResults").as_u64().is_some_and(|limit| limit >= 100), "{}", answer.describe());
    for feature in ["bulk", "changePassword", "sort", "etag"] {
        assert!(answer.at(&format!("/{feature}/supported")).is_boolean(), "{feature}: {}", answer.describe());
    }
    assert_eq!(answer.at("/authenticationSchemes/0/type"), "oauthbearertoken", "{}", answer.describe());
}

async fn resource_types_are_users_and_groups(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let all = source.get("/ResourceTypes").await.expect(200);
    assert_eq!(all.at("/schemas"), &json!([LIST]), "{}", all.describe());
    let mut endpoints: Vec<&str> =
        all.at("/Resources").as_array().unwrap().iter().filter_map(|kind| kind["endpoint"].as_str()).collect();
    endpoints.sort_unstable();
    assert_eq!(endpoints, ["/Groups", "/Users"], "{}", all.describe());
    let user = source.get("/ResourceTypes/User").await.expect(200);
    assert_eq!(user.at("/schema"), USER);
    source.get("/ResourceTypes/Device").await.expect_scim_error(404, None);
}

async fn schemas_describe_user_group_and_enterprise_user(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let all = source.get("/Schemas").await.expect(200);
    assert_eq!(all.at("/schemas"), &json!([LIST]), "{}", all.describe());
    let mut ids: Vec<&str> =
        all.at("/Resources").as_array().unwrap().iter().filter_map(|schema| schema["id"].as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [GROUP, USER, ENTERPRISE], "{}", all.describe());
    assert!(!has_null(&all.json), "Entra refuses null members in /Schemas: {}", all.describe());
    for id in ids {
        let one = source.get(&format!("/Schemas/{id}")).await.expect(200);
        assert_eq!(one.at("/id"), id);
        let attributes = one.at("/attributes").as_array().cloned().unwrap_or_default();
        assert!(!attributes.is_empty(), "{}", one.describe());
        let lists_external_id = attributes.iter().any(|attribute| attribute["name"] == "externalId");
        assert_eq!(lists_external_id, id != ENTERPRISE, "Entra looks for what it maps: {}", one.describe());
    }
    source.get("/Schemas/urn:nobody:knows").await.expect_scim_error(404, None);
}

async fn discovery_is_read_only(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            source.send(method, path, &json!({})).await.expect_scim_error(405, None);
        }
    }
}

async fn filtering_discovery_is_forbidden(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"] {
        source.get(&format!("{path}?filter=id+eq+%22User%22")).await.expect_scim_error(403, None);
    }
}

async fn an_unknown_route_is_a_scim_404(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    for path in ["/Devices", "/Users/1/2", "/nothing/at/all"] {
        source.get(path).await.expect_scim_error(404, None);
    }
}

async fn a_wrong_method_is_a_scim_405(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let id = source.user("ann").await;
    source.send(Method::DELETE, "/Users", &json!({})).await.expect_scim_error(405, None);
    source.send(Method::PATCH, "/Groups", &json!({})).await.expect_scim_error(405, None);
    source.send(Method::POST, &format!("/Users/{id}"), &json!({})).await.expect_scim_error(405, None);
    source.get(&format!("/Users/{id}")).await.expect(200);
}

async fn ds6_test_connection_works_before_anything_is_synced(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let random = crate::verbs::unknown_id();
    // Entra, Okta, OneLogin, in this order.
    let probes = [
        format!("/Users?filter=userName+eq+%22{random}%22"),
        "/Users?count=1&startIndex=1".to_owned(),
        "/Users?filter=userName%20eq%20%22never-existing-user%22".to_owned(),
        "/Users/?startIndex=1&count=100".to_owned(),
        format!("/Groups?excludedAttributes=members&filter=displayName+eq+%22{random}%22"),
    ];
    for probe in probes {
        let answer = source.get(&probe).await.expect(200);
        assert!(answer.content_type().starts_with("application/scim+json"), "{}", answer.describe());
        assert_eq!(answer.at("/schemas"), &json!([LIST]), "{}", answer.describe());
        assert_eq!(answer.at("/totalResults"), 0, "{}", answer.describe());
    }
}

async fn ds1_the_printed_endpoint_is_the_one_served(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let path = format!("/scim/v2/{}", source.id);
    assert!(source.endpoint.trim_end_matches('/').ends_with(&path), "printed {}, served {path}", source.endpoint);
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}
