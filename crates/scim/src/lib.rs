//! SCIM 2.0 on the wire: requests of identity providers are read into canonical resources, and canonical resources are
//! written as the RFCs require. Pure: no I/O, no clock, no web framework; the caller stores and serves.
//!
//! One table drives the crate, the attribute definitions of RFC 7643 in [`schema`]. Discovery prints it; bodies, patches,
//! filters and projections are read by it. A new attribute is one line there.
//!
//! The path of a request:
//! * bytes become JSON in [`json`] (depth, NUL and length limits),
//! * a body becomes a [`UserResource`] or [`GroupResource`] ([`resource`]), a PATCH body a [`PatchRequest`] ([`patch`]),
//!   a query string a [`ListQuery`] ([`list`], [`filter`], [`projection`]),
//! * the answer is built by [`render`], [`list`], [`discovery`] or [`bulk`], an error by [`error`].
//!
//! Identity providers depart from the RFCs in known ways. Each departure is recognised by its shape, never by the vendor,
//! read with the sender's meaning, and noted in [`Quirks`] so that an admin can see it ([`dialect`]).

mod body;
mod bounds;
pub mod bulk;
mod canonical;
mod custom;
pub mod dialect;
pub mod discovery;
pub mod email;
pub mod error;
pub mod etag;
pub mod filter;
mod flaws;
pub mod fold;
pub mod json;
pub mod limits;
pub mod list;
pub mod patch;
pub mod path;
pub mod projection;
pub mod query;
pub mod render;
pub mod resource;
mod scalars;
pub mod schema;
pub mod text_path;
mod untyped;

pub use dialect::{Quirk, Quirks};
pub use email::is_email;
pub use error::{ScimError, ScimType};
pub use filter::Filter;
pub use fold::fold;
pub use json::{parse_json, parse_unchecked, parse_write};
pub use limits::Limits;
pub use list::ListQuery;
pub use patch::{GroupChange, PatchRequest};
pub use path::AttrPath;
pub use projection::Projection;
pub use resource::{GroupResource, MemberKind, MemberRef, UserReplacement, UserResource};
pub use schema::ResourceKind;
pub use text_path::TextPath;

/// The media type of every SCIM answer (RFC 7644 §3.1). Requests may also use `application/json`.
pub const CONTENT_TYPE: &str = "application/scim+json";
