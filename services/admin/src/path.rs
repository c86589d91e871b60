//! The ids in the path of a request.

use crate::error::AdminError;
use actix_web::HttpRequest;
use std::str::FromStr;

/// The id in the path; a string that is not a UUID names nothing.
pub(crate) fn id_in_path<T: FromStr>(request: &HttpRequest, what: &str) -> Result<T, AdminError> {
    let id = request.match_info().get("id").and_then(|id| id.parse().ok());
    id.ok_or_else(|| AdminError::NotFound(format!("{what} not found")))
}

/// The second id of a path; a string that is not a UUID names nothing.
pub(crate) fn second_id<T: FromStr>(request: &HttpRequest, name: &str, what: &str) -> Result<T, AdminError> {
    let id = request.match_info().get(name).and_then(|id| id.parse().ok());
    id.ok_or_else(|| AdminError::NotFound(format!("{what} not found")))
}
