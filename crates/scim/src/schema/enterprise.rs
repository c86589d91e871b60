//! The Enterprise User extension (RFC 7643 §4.3).

use super::define::{complex, reference, string};
use super::{Attribute, ENTERPRISE_USER, Schema};

pub(super) static SCHEMA: Schema =
    Schema { urn: ENTERPRISE_USER, name: "EnterpriseUser", description: "Enterprise User", attributes: ATTRIBUTES };

const ATTRIBUTES: &[Attribute] = &[
    string("employeeNumber", "Number or code of the employee"),
    string("costCenter", "Cost centre"),
    string("organization", "Organisation"),
    string("division", "Division"),
    string("department", "Department"),
    complex(
        "manager",
        "The user's manager",
        &[
            string("value", "Identifier of the manager").exact(),
            reference("$ref", "URI of the manager", &["User"]),
            string("displayName", "Name of the manager").read_only(),
        ],
    ),
];
