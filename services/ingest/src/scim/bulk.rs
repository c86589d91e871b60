//! `/Bulk` (RFC 7644 §3.7). Each operation has the effect of the single request, in a transaction of its own; references to
//! resources of other operations are filled in as those are made.

use super::write::{apply, read_bulk};
use super::{answer, base_url, groups, users};
use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::budget::Budget;
use rollcall_hub::Performed;
use rollcall_scim::bulk::{BulkCall, BulkOperation, BulkOutcome, BulkRequest, BulkVerb, bulk_response};
use rollcall_scim::{ResourceKind, ScimError};
use rollcall_web::Body;
use std::collections::HashMap;
use uuid::Uuid;

/// Operations of a bulk for each further rate token of its source: they run one after the other, so a bulk costs less at a
/// time than as many requests.
const OPERATIONS_A_PLACE: usize = 10;

pub(crate) async fn run(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let bulk = BulkRequest::parse(read_bulk(&auth, body).await?, auth.ingest.config.bulk())?;
    auth.charge(bulk.operations.len() / OPERATIONS_A_PLACE).await?;
    let base = base_url(&request, &auth);
    let order = bulk.execution_order();
    let fail_on_errors = bulk.fail_on_errors.unwrap_or(usize::MAX);
    let mut operations: Vec<Option<BulkOperation>> = bulk.operations.into_iter().map(Some).collect();
    let mut outcomes: Vec<Option<BulkOutcome>> = operations.iter().map(|_| None).collect();
    let mut made = HashMap::new();
    let (mut errors, budget) = (0, auth.budget());
    for place in order {
        // After too many errors the remaining operations get no answer (RFC 7644 §3.7.3).
        if errors >= fail_on_errors {
            break;
        }
        let Some(operation) = operations.get_mut(place).and_then(Option::take) else { continue };
        let (path, named) = (operation.call.as_ref().map(path_of).unwrap_or_default(), named_by(&operation));
        let outcome = perform((&auth, &*budget), &base, operation, &mut made).await;
        auth.noted.operation(&outcome.method, &path, named, outcome.result.as_ref().copied());
        errors += usize::from(outcome.result.is_err());
        if let Some(slot) = outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
    }
    budget.settle().await;
    let outcomes: Vec<BulkOutcome> = outcomes.into_iter().flatten().collect();
    Ok(answer(StatusCode::OK, &bulk_response(&outcomes)))
}

/// Performs one operation and remembers its resource under its bulkId.
async fn perform(
    (auth, budget): (&SourceAuth, &Budget),
    base: &str,
    operation: BulkOperation,
    made: &mut HashMap<String, String>,
) -> BulkOutcome {
    let BulkOperation { method, bulk_id, call } = operation;
    let mut outcome = BulkOutcome { method, bulk_id, location: None, version: None, result: Ok(204) };
    let mut call = match call {
        Ok(call) => call,
        Err(error) => return BulkOutcome { result: Err(error), ..outcome },
    };
    if outcome.bulk_id.is_none() && call.verb == BulkVerb::Post {
        let error = ScimError::invalid_value("POST needs a bulkId");
        return BulkOutcome { result: Err(error), ..outcome };
    }
    if let Err(error) = call.resolve(made) {
        return BulkOutcome { result: Err(error), ..outcome };
    }
    outcome.location = call.verb.id().map(|id| format!("{base}{}/{id}", call.kind.endpoint()));
    let (path, body) = (path_of(&call), call.data.to_string());
    let success = match (&call.verb, call.kind) {
        (BulkVerb::Post, _) => 201,
        (BulkVerb::Delete(_), _) | (BulkVerb::Patch(_), ResourceKind::Group) => 204,
        _ => 200,
    };
    match apply(auth, call, budget).await {
        Ok(performed) => {
            outcome.result = Ok(success);
            describe(&mut outcome, performed, base, made);
        }
        Err(error) => {
            let error = error.into_scim();
            auth.noted.rejected_part(&outcome.method, path, body.into_bytes(), &error);
            outcome.result = Err(error);
        }
    }
    outcome
}

fn named_by(operation: &BulkOperation) -> Option<Uuid> {
    operation.call.as_ref().ok()?.verb.id()?.parse().ok()
}

fn path_of(call: &BulkCall) -> String {
    match call.verb.id() {
        Some(id) => format!("{}/{id}", call.kind.endpoint()),
        None => call.kind.endpoint().to_owned(),
    }
}

fn describe(outcome: &mut BulkOutcome, performed: Performed, base: &str, made: &mut HashMap<String, String>) {
    let (id, location, version) = match performed {
        Performed::User(user) => {
            let user = user.value;
            (user.id.to_string(), users::location(base, user.id), user.shown_version())
        }
        Performed::Group(group) => {
            let group = group.value;
            (group.id.to_string(), groups::location(base, group.id), group.version)
        }
        Performed::Deleted => return,
    };
    outcome.location = Some(location);
    outcome.version = Some(version);
    if let Some(bulk_id) = outcome.bulk_id.clone() {
        made.insert(bulk_id, id);
    }
}
