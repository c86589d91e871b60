//! HTTP for all services of this hub: connections and their deadlines, the endpoint table, bounded bodies and answers, the id,
//! span and measurement of a request, and refusals of the HTTP layer. Services differ in the format of their answers only.

mod answer_bytes;
mod body;
mod connection;
mod credential;
mod endpoint;
mod observe;
mod peer;
mod problem;
mod refusal;
mod session_cookie;

pub use answer_bytes::AnswerBytes;
pub use body::Body;
pub use connection::{ConnectionLimits, Connections, ServerLimits, known_caller, listen};
pub use credential::{NoSecret, bearer_token};
pub use endpoint::{Demand, Demands, Endpoint, RouteLabel, resource, same_paths};
pub use observe::{HadTrailingSlash, MayKeep, Observer, expects_large_answer, observe, request_id};
pub use peer::{Network, Proxies, origin, peer};
pub use problem::{Code, Problem};
pub use refusal::{Refusal, whole_seconds};
pub use rollcall_core::permission::Permission;
pub use rollcall_core::roster::Role;
pub use session_cookie::{
    begun_sign_in, begun_sign_in_cookie, ended_begun_sign_in_cookie, ended_operator_session_cookie,
    ended_session_cookie, is_from_own_page, is_own_request, operator_session_cookie, operator_session_secret,
    session_cookie, session_secret,
};
