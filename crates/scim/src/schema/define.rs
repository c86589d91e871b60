//! Constructors of attribute definitions: the type, then the departures from the RFC's defaults (readWrite, returned by
//! default, not required, not unique, case-insensitive).

use super::{Attribute, Kind, Mutability, Returned, Uniqueness};

/// Attributes of every resource (RFC 7643 §3.1). `/Schemas` lists only `externalId` of them, because clients map it.
pub(super) const COMMON: &[Attribute] = &[
    string("id", "Identifier given by this server, never re-used").exact().read_only().always(),
    string("externalId", "Identifier given by the provisioning client").exact(),
    reference("schemas", "URNs of the schemas of the resource", &["uri"]).multi().always(),
    complex(
        "meta",
        "What the server knows about the resource",
        &[
            string("resourceType", "Name of the resource type").exact().read_only(),
            date_time("created", "When the resource was added").read_only(),
            date_time("lastModified", "When the resource last changed").read_only(),
            reference("location", "URI of the resource", &["uri"]).read_only(),
            string("version", "Version of the resource, the value of the ETag header").exact().read_only(),
        ],
    )
    .read_only(),
];

const fn attribute(name: &'static str, description: &'static str, kind: Kind) -> Attribute {
    Attribute {
        name,
        description,
        kind,
        multi: false,
        required: false,
        case_exact: false,
        mutability: Mutability::ReadWrite,
        returned: Returned::Default,
        uniqueness: Uniqueness::None,
        canonical_values: &[],
        reference_types: &[],
        sub: &[],
    }
}

pub(super) const fn string(name: &'static str, description: &'static str) -> Attribute {
    attribute(name, description, Kind::String)
}

pub(super) const fn boolean(name: &'static str, description: &'static str) -> Attribute {
    attribute(name, description, Kind::Boolean)
}

pub(super) const fn date_time(name: &'static str, description: &'static str) -> Attribute {
    attribute(name, description, Kind::DateTime)
}

pub(super) const fn binary(name: &'static str, description: &'static str) -> Attribute {
    attribute(name, description, Kind::Binary).exact()
}

pub(super) const fn reference(
    name: &'static str,
    description: &'static str,
    reference_types: &'static [&'static str],
) -> Attribute {
    Attribute { reference_types, ..attribute(name, description, Kind::Reference).exact() }
}

pub(super) const fn complex(name: &'static str, description: &'static str, sub: &'static [Attribute]) -> Attribute {
    Attribute { sub, ..attribute(name, description, Kind::Complex) }
}

/// The sub-attribute `display` of a multi-valued attribute (RFC 7643 §2.4).
pub(super) const DISPLAY: Attribute = string("display", "Name for people to read");

/// The sub-attribute `primary` of a multi-valued attribute (RFC 7643 §2.4).
pub(super) const PRIMARY: Attribute = boolean("primary", "Whether this is the preferred value; at most one value is");

/// The sub-attribute `type` of a multi-valued attribute (RFC 7643 §2.4).
pub(super) const fn type_of(canonical_values: &'static [&'static str]) -> Attribute {
    Attribute { canonical_values, ..string("type", "Label of the value's function") }
}

impl Attribute {
    pub(super) const fn multi(self) -> Self {
        Self { multi: true, ..self }
    }

    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) const fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    pub(super) const fn always(self) -> Self {
        Self { returned: Returned::Always, ..self }
    }

    pub(super) const fn on_request(self) -> Self {
        Self { returned: Returned::Request, ..self }
    }

    pub(super) const fn unique(self) -> Self {
        Self { uniqueness: Uniqueness::Server, ..self }
    }

    pub(super) const fn read_only(self) -> Self {
        Self { mutability: Mutability::ReadOnly, ..self }
    }

    pub(super) const fn immutable(self) -> Self {
        Self { mutability: Mutability::Immutable, ..self }
    }

    /// Written, never returned: a password.
    pub(super) const fn secret(self) -> Self {
        Self { mutability: Mutability::WriteOnly, returned: Returned::Never, ..self }
    }
}
