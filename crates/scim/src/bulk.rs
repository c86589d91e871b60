//! `/Bulk` (RFC 7644 §3.7): many requests in one body, which may refer to each other's resources.
//!
//! The pure half: reading the body, ordering the operations so that references resolve, filling them in, and writing the
//! answer. The caller runs an operation like a single request.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::discovery::BulkCapability;
use crate::error::ScimError;
use crate::etag::etag;
use crate::json::{check_value, check_write};
use crate::schema::{ResourceKind, get_ignore_case};

/// Schema of a bulk answer.
pub const BULK_RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// Prefix of a reference to another operation's resource.
const REFERENCE: &str = "bulkId:";

/// A bulk body.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// Stop after this many failed operations; never when `None`.
    pub fail_on_errors: Option<usize>,
    pub operations: Vec<BulkOperation>,
}

/// One operation as sent. One that cannot be read fails alone.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    /// In capitals.
    pub method: String,
    pub bulk_id: Option<String>,
    pub call: Result<BulkCall, ScimError>,
}

/// The request of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkCall {
    pub verb: BulkVerb,
    pub kind: ResourceKind,
    /// As `If-Match`.
    pub version: Option<String>,
    /// `Null` for DELETE.
    pub data: Value,
}

/// The verb and, except for POST, the id of the resource. The id may be a reference until [`BulkCall::resolve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkVerb {
    Post,
    Put(String),
    Patch(String),
    Delete(String),
}

impl BulkRequest {
    /// Reads a bulk body.
    ///
    /// # Errors
    /// `invalidSyntax`, and 413 for more operations than the server takes.
    pub fn parse(body: Value, limits: BulkCapability) -> Result<Self, ScimError> {
        let Value::Object(mut body) = body else {
            return Err(ScimError::invalid_syntax("a bulk body must be a JSON object with Operations"));
        };
        let fail_on_errors = match get_ignore_case(&body, "failOnErrors") {
            None | Some(Value::Null) => None,
            Some(number) => {
                let wrong = || ScimError::invalid_value("failOnErrors must be a positive integer");
                let number = number.as_u64().filter(|number| *number > 0).ok_or_else(wrong)?;
                usize::try_from(number).ok()
            }
        };
        let key = body.keys().find(|key| key.eq_ignore_ascii_case("Operations")).cloned();
        let Some(Value::Array(operations)) = key.and_then(|key| body.remove(&key)) else {
            return Err(ScimError::invalid_syntax("Operations must be a list"));
        };
        if operations.len() > limits.max_operations {
            return Err(ScimError::too_large(format!(
                "at most {} operations are taken in one bulk",
                limits.max_operations
            )));
        }
        let operations = operations.into_iter().map(BulkOperation::read).collect::<Result<_, _>>()?;
        Ok(Self { fail_on_errors, operations })
    }

    /// Indexes of the operations in an order in which each comes after those it refers to, otherwise as sent. In a cycle of
    /// references one comes too early, and resolving it answers 409 (RFC 7644 §3.7.1).
    #[must_use]
    pub fn execution_order(&self) -> Vec<usize> {
        let makers: HashMap<&str, usize> = self
            .operations
            .iter()
            .enumerate()
            .filter_map(|(place, operation)| Some((operation.bulk_id.as_deref()?, place)))
            .collect();
        let needs: Vec<Vec<usize>> = self.operations.iter().map(|operation| needs_of(operation, &makers)).collect();
        let mut order = Vec::with_capacity(needs.len());
        let mut seen = vec![false; needs.len()];
        for start in 0..needs.len() {
            // Depth first without recursion: a chain of references may be as long as the bulk.
            let mut path = vec![(start, 0)];
            while let Some((place, next)) = path.last_mut() {
                let first_visit = !std::mem::replace(&mut seen[*place], true);
                if *next == 0 && !first_visit {
                    path.pop();
                } else if let Some(needed) = needs[*place].get(*next).copied() {
                    *next += 1;
                    path.push((needed, 0));
                } else {
                    order.push(*place);
                    path.pop();
                }
            }
        }
        order
    }
}

/// The operations that this one refers to, itself excepted.
fn needs_of(operation: &BulkOperation, makers: &HashMap<&str, usize>) -> Vec<usize> {
    let Ok(call) = &operation.call else { return Vec::new() };
    let mut names = Vec::new();
    collect_references(&call.data, &mut names);
    names.extend(call.verb.id().and_then(|id| id.strip_prefix(REFERENCE)));
    names.retain(|name| operation.bulk_id.as_deref() != Some(*name));
    names.iter().filter_map(|name| makers.get(name).copied()).collect()
}

fn collect_references<'a>(value: &'a Value, names: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => names.extend(text.strip_prefix(REFERENCE)),
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, names)),
        Value::Object(members) => members.values().for_each(|value| collect_references(value, names)),
        _ => {}
    }
}

impl BulkOperation {
    fn read(operation: Value) -> Result<Self, ScimError> {
        let Value::Object(mut operation) = operation else {
            return Err(ScimError::invalid_syntax("each of Operations must be an object"));
        };
        let data = operation.remove("data").unwrap_or(Value::Null);
        check_value(&Value::Object(operation.clone()), "an operation", 0)?;
        operation.insert("data".to_owned(), data);
        let method = text(&operation, "method").unwrap_or_default().to_ascii_uppercase();
        let bulk_id = text(&operation, "bulkId").map(str::to_owned);
        let call = BulkCall::read(&method, &mut operation);
        Ok(Self { method, bulk_id, call })
    }
}

impl BulkVerb {
    /// The id of the resource, if there is one yet.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Post => None,
            Self::Put(id) | Self::Patch(id) | Self::Delete(id) => Some(id),
        }
    }

    fn id_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Post => None,
            Self::Put(id) | Self::Patch(id) | Self::Delete(id) => Some(id),
        }
    }
}

impl BulkCall {
    fn read(method: &str, operation: &mut Map<String, Value>) -> Result<Self, ScimError> {
        let path = text(operation, "path").ok_or_else(|| ScimError::invalid_syntax("the operation has no path"))?;
        let mut parts = path.trim_matches('/').splitn(2, '/');
        let collection = parts.next().unwrap_or_default();
        let kind = [ResourceKind::User, ResourceKind::Group]
            .into_iter()
            .find(|kind| kind.endpoint().trim_start_matches('/').eq_ignore_ascii_case(collection))
            .ok_or_else(|| ScimError::invalid_path("path must be /Users, /Groups, or one of their resources"))?;
        let id = parts.next().filter(|id| !id.is_empty()).map(str::to_owned);
        let verb = match (method, id) {
            ("POST", None) => BulkVerb::Post,
            ("PUT", Some(id)) => BulkVerb::Put(id),
            ("PATCH", Some(id)) => BulkVerb::Patch(id),
            ("DELETE", Some(id)) => BulkVerb::Delete(id),
            ("POST" | "PUT" | "PATCH" | "DELETE", _) => {
                return Err(ScimError::invalid_path(format!("{method} does not go with this path")));
            }
            _ => return Err(ScimError::invalid_syntax("method must be POST, PUT, PATCH or DELETE")),
        };
        let version = text(operation, "version").map(str::to_owned);
        let data = operation.remove("data").unwrap_or(Value::Null);
        if data.is_null() && !matches!(verb, BulkVerb::Delete(_)) {
            return Err(ScimError::invalid_syntax(format!("{method} needs data")));
        }
        check_write(kind, &data)?;
        Ok(Self { verb, kind, version, data })
    }

    /// Replaces the references to resources of earlier operations by ids.
    ///
    /// # Errors
    /// 409 when the other operation has not made its resource: it failed, is missing, or refers back.
    pub fn resolve(&mut self, made: &HashMap<String, String>) -> Result<(), ScimError> {
        if let Some(id) = self.verb.id_mut() {
            resolve_text(id, made)?;
        }
        resolve_value(&mut self.data, made)
    }
}

fn resolve_value(value: &mut Value, made: &HashMap<String, String>) -> Result<(), ScimError> {
    match value {
        Value::String(text) => resolve_text(text, made),
        Value::Array(items) => items.iter_mut().try_for_each(|item| resolve_value(item, made)),
        Value::Object(members) => members.values_mut().try_for_each(|value| resolve_value(value, made)),
        _ => Ok(()),
    }
}

fn resolve_text(text: &mut String, made: &HashMap<String, String>) -> Result<(), ScimError> {
    let Some(name) = text.strip_prefix(REFERENCE) else { return Ok(()) };
    match made.get(name) {
        Some(id) => {
            text.clone_from(id);
            Ok(())
        }
        None => Err(ScimError::conflict("a bulkId that this operation refers to was not created before it")),
    }
}

/// Result of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOutcome {
    pub method: String,
    pub bulk_id: Option<String>,
    /// Full URL of the resource, unless a POST failed.
    pub location: Option<String>,
    pub version: Option<i64>,
    /// The status of success, or the error.
    pub result: Result<u16, ScimError>,
}

/// The bulk answer. `status` is a string; only failures have a `response`.
#[must_use]
pub fn bulk_response(outcomes: &[BulkOutcome]) -> Value {
    let operations: Vec<_> = outcomes.iter().map(BulkOutcome::to_json).collect();
    json!({ "schemas": [BULK_RESPONSE_SCHEMA], "Operations": operations })
}

impl BulkOutcome {
    fn to_json(&self) -> Value {
        let mut shown = json!({ "method": self.method });
        if let Some(bulk_id) = &self.bulk_id {
            shown["bulkId"] = bulk_id.as_str().into();
        }
        if let Some(location) = &self.location {
            shown["location"] = location.as_str().into();
        }
        if let Some(version) = self.version {
            shown["version"] = etag(version).into();
        }
        match &self.result {
            Ok(status) => shown["status"] = status.to_string().into(),
            Err(error) => {
                shown["status"] = error.status.to_string().into();
                shown["response"] = error.to_json();
            }
        }
        shown
    }
}

fn text<'a>(operation: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    get_ignore_case(operation, name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BulkCapability = BulkCapability { max_operations: 4, max_payload_bytes: 1_048_576 };

    fn parse(operations: Value) -> BulkRequest {
        BulkRequest::parse(json!({ "failOnErrors": 1, "Operations": operations }), LIMITS).expect("a bulk request")
    }

    fn post(bulk_id: &str, members: &[&str]) -> Value {
        let members: Vec<_> = members.iter().map(|id| json!({ "value": format!("bulkId:{id}") })).collect();
        json!({ "method": "post", "path": "/Groups", "bulkId": bulk_id, "data": { "displayName": bulk_id, "members": members } })
    }

    #[test]
    fn operations_are_ordered_by_their_references_otherwise_as_sent() {
        let remove = json!({ "method": "DELETE", "path": "/Users/bulkId:b" });
        let bulk = parse(json!([post("a", &["c"]), post("b", &[]), post("c", &["b", "b"]), remove]));
        assert_eq!(bulk.execution_order(), [1, 2, 0, 3]);
        assert_eq!(bulk.fail_on_errors, Some(1));
    }

    #[test]
    fn a_circle_is_run_once_each_and_ends_in_a_conflict() {
        let mut bulk = parse(json!([post("a", &["b"]), post("b", &["a"]), post("s", &["s"])]));
        assert_eq!(bulk.execution_order(), [1, 0, 2]);
        let mut call = bulk.operations.remove(1).call.expect("a call");
        assert_eq!(call.resolve(&HashMap::new()).expect_err("a circle").status, 409);
    }

    #[test]
    fn references_become_ids() {
        let made = HashMap::from([("b".to_owned(), "id-b".to_owned())]);
        let mut bulk = parse(json!([post("a", &["b"]), { "method": "PATCH", "path": "/Groups/bulkId:b", "data": {} }]));
        let calls: Vec<_> = bulk
            .operations
            .drain(..)
            .map(|operation| {
                let mut call = operation.call.expect("a call");
                call.resolve(&made).expect("known references");
                call
            })
            .collect();
        assert_eq!(calls[0].data["members"], json!([{ "value": "id-b" }]));
        assert_eq!(calls[1].verb, BulkVerb::Patch("id-b".into()));
    }

    #[test]
    fn one_bad_operation_fails_alone() {
        let bulk = parse(json!([
            { "method": "POST", "path": "/Users/1", "data": {} },
            { "method": "GET", "path": "/Users/1" },
            { "method": "PUT", "path": "/Shoes/1", "data": {} },
            { "method": "POST", "path": "/Users" },
        ]));
        assert!(bulk.operations.iter().all(|operation| operation.call.is_err()));
        assert_eq!(bulk.execution_order(), [0, 1, 2, 3]);
    }

    #[test]
    fn limits_and_shape_are_checked() {
        let five: Vec<_> = (0..5).map(|n| post(&n.to_string(), &[])).collect();
        assert_eq!(BulkRequest::parse(json!({ "Operations": five }), LIMITS).expect_err("too many").status, 413);
        for bad in [json!([]), json!({}), json!({ "Operations": [1] }), json!({ "Operations": [], "failOnErrors": 0 })]
        {
            assert_eq!(BulkRequest::parse(bad.clone(), LIMITS).expect_err("bad").status, 400, "{bad}");
        }
    }

    #[test]
    fn a_chain_as_long_as_the_bulk_is_no_recursion() {
        let chain: Vec<_> = (0..20_000).map(|n| post(&n.to_string(), &[&(n + 1).to_string()])).collect();
        let limits = BulkCapability { max_operations: 20_000, ..LIMITS };
        let bulk = BulkRequest::parse(json!({ "Operations": chain }), limits).expect("a bulk request");
        assert!(bulk.execution_order().into_iter().eq((0..20_000).rev()));
    }

    #[test]
    fn outcomes_are_shown_with_string_status() {
        let outcome = |result| BulkOutcome {
            method: "POST".into(),
            bulk_id: Some("a".into()),
            location: Some("https://h/Users/1".into()),
            version: Some(1),
            result,
        };
        let shown = bulk_response(&[
            outcome(Ok(201)),
            BulkOutcome { location: None, version: None, ..outcome(Err(ScimError::uniqueness("taken"))) },
        ]);
        assert_eq!(
            shown["Operations"][0],
            json!({ "method": "POST", "bulkId": "a", "location": "https://h/Users/1", "version": "W/\"1\"", "status": "201" })
        );
        assert_eq!(shown["Operations"][1]["status"], "409");
        assert_eq!(shown["Operations"][1]["response"]["scimType"], "uniqueness");
    }
}
