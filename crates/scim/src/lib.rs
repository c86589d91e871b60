//! SCIM 2.0 on the wire, and nothing else: what identity providers send is read into canonical resources, and canonical
//! resources are written as the RFCs say. Pure: no IO, no clock, no web framework; the caller stores and serves.
//!
//! The layer is driven by one table, the attribute definitions of RFC 7643 in [`schema`]. Discovery prints it, bodies and
//! patches are read by it, filters and projections are resolved against it. A new attribute is one line there.
//!
//! The way of a request:
//! * bytes become JSON in [`json`] (depth, NUL and length limits),
//! * a body becomes a [`UserResource`] or [`GroupResource`] ([`resource`]), a PATCH body a [`PatchRequest`] ([`patch`]),
//!   a query string a [`ListQuery`] ([`list`], [`filter`], [`projection`]),
//! * the answer is built by [`render`], [`list`], [`discovery`] or [`bulk`], an error by [`error`].
//!
//! Identity providers depart from the RFCs in known ways. Each departure is recognised by its shape, never by guessing the
//! vendor, read as its sender means it, and noted in [`Quirks`] so that an admin can see what was said ([`dialect`]).

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

/// The media type of every SCIM answer (RFC 7644 §3.1). Requests may also say `application/json`.
pub const CONTENT_TYPE: &str = "application/scim+json";
