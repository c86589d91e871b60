//! What admins ask for in the query string: parameters that are known, in text that can be looked for.

use crate::error::AdminError;
use actix_web::HttpRequest;
use actix_web::web::Query;
use serde::de::DeserializeOwned;

/// The only way in which a handler reads its parameters.
pub(crate) fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, AdminError> {
    let text = request.query_string();
    // Postgres takes no NUL, not even to compare with.
    if text.contains("%00") {
        return Err(AdminError::BadRequest("the query parameters: no value holds NUL (U+0000)".into()));
    }
    let parameters = Query::<T>::from_query(text);
    parameters.map(Query::into_inner).map_err(|e| AdminError::BadRequest(format!("the query parameters: {e}")))
}
