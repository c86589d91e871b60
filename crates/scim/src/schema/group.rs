//! The core Group (RFC 7643 §4.2).

use super::define::{complex, reference, string};
use super::{Attribute, GROUP, Schema};

pub(super) static SCHEMA: Schema = Schema { urn: GROUP, name: "Group", description: "Group", attributes: ATTRIBUTES };

const ATTRIBUTES: &[Attribute] = &[
    string("displayName", "Name of the group for people to read").required(),
    // Users only: nested groups are refused.
    complex(
        "members",
        "Members of the group",
        &[
            string("value", "Identifier of the member").exact().immutable(),
            reference("$ref", "URI of the member", &["User"]).immutable(),
            // Returned on request only, because it needs a read of every member. Sent values are ignored.
            string("display", "Name of the member for people to read").read_only().on_request(),
            Attribute { canonical_values: &["User"], ..string("type", "Kind of the member").immutable() },
        ],
    )
    .multi(),
];
