//! Query strings of admins: known parameters only, without NUL.

use crate::error::AdminError;
use actix_web::HttpRequest;
use actix_web::web::Query;
use rollcall_store::PageRequest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// The only way for a handler to read its parameters.
pub(crate) fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, AdminError> {
    let text = request.query_string();
    // Postgres refuses NUL even in a comparison.
    if text.contains("%00") {
        return Err(AdminError::BadRequest("the query parameters: no value holds NUL (U+0000)".into()));
    }
    let parameters = Query::<T>::from_query(text);
    parameters.map(Query::into_inner).map_err(|e| AdminError::BadRequest(format!("the query parameters: {e}")))
}

/// The parameters of all lists; each list uses some.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListParameters {
    pub(crate) limit: Option<u64>,
    pub(crate) cursor: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) former_email: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) subject_id: Option<String>,
    pub(crate) source_id: Option<String>,
    pub(crate) member_id: Option<String>,
    pub(crate) dispute: Option<String>,
    pub(crate) ignored: Option<String>,
    pub(crate) with: Option<String>,
}

impl ListParameters {
    pub(crate) fn page(&self) -> Result<PageRequest, AdminError> {
        Ok(PageRequest::parse(self.limit, self.cursor.as_deref())?)
    }
}

pub(crate) fn parameters(request: &HttpRequest) -> Result<ListParameters, AdminError> {
    query(request)
}

/// `limit` and `cursor`.
pub(crate) fn page_of(request: &HttpRequest) -> Result<PageRequest, AdminError> {
    parameters(request)?.page()
}

pub(crate) fn parsed<T: FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, AdminError>
where
    T::Err: std::fmt::Display,
{
    text.map(str::parse).transpose().map_err(|e: T::Err| AdminError::BadRequest(format!("{name}: {e}")))
}
