//! HTTP for all services of this hub: the endpoint table, bounded bodies, the id, span and measurement of a request, and
//! refusals of the HTTP layer. Services differ in the format of their answers only.

mod body;
mod credential;
mod endpoint;
mod observe;
mod problem;
mod refusal;

pub use body::Body;
pub use credential::{bearer_token, peer};
pub use endpoint::{Endpoint, LeastRoles, RouteLabel, resource, same_paths};
pub use observe::{HadTrailingSlash, Observer, observe, request_id};
pub use problem::Problem;
pub use refusal::Refusal;
pub use rollcall_core::roster::Role;
