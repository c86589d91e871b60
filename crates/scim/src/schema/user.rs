//! The core User (RFC 7643 §4.1).

use super::define::{DISPLAY, PRIMARY, binary, boolean, complex, reference, string, type_of};
use super::{Attribute, Schema, USER};

const WORK_HOME_OTHER: &[&str] = &["work", "home", "other"];

pub(super) static SCHEMA: Schema =
    Schema { urn: USER, name: "User", description: "User Account", attributes: ATTRIBUTES };

const ATTRIBUTES: &[Attribute] = &[
    string("userName", "Unique name the user signs in with, usually an email address").required().unique(),
    complex(
        "name",
        "Components of the user's name",
        &[
            string("formatted", "Full name, formatted for display"),
            string("familyName", "Family name"),
            string("givenName", "Given name"),
            string("middleName", "Middle names"),
            string("honorificPrefix", "Title, such as Dr."),
            string("honorificSuffix", "Suffix, such as III"),
        ],
    ),
    string("displayName", "Name of the user for people to read"),
    string("nickName", "Casual name"),
    reference("profileUrl", "URL of the user's profile page", &["external"]),
    string("title", "Job title"),
    string("userType", "Relationship to the organisation, such as Contractor"),
    string("preferredLanguage", "Preferred written or spoken language, such as en-US"),
    string("locale", "Locale for dates, numbers and currency, such as en-US"),
    string("timezone", "Time zone in IANA form, such as Europe/Berlin"),
    boolean("active", "Whether the user may sign in"),
    string("password", "Accepted for compatibility and dropped").exact().secret(),
    complex(
        "emails",
        "Email addresses",
        &[string("value", "Email address"), DISPLAY, type_of(WORK_HOME_OTHER), PRIMARY],
    )
    .multi(),
    complex(
        "phoneNumbers",
        "Telephone numbers",
        &[
            string("value", "Telephone number"),
            DISPLAY,
            type_of(&["work", "home", "mobile", "fax", "pager", "other"]),
            PRIMARY,
        ],
    )
    .multi(),
    complex(
        "ims",
        "Instant messaging addresses",
        &[
            string("value", "Instant messaging address"),
            DISPLAY,
            type_of(&["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
            PRIMARY,
        ],
    )
    .multi(),
    complex(
        "photos",
        "Pictures of the user",
        &[reference("value", "URL of a picture", &["external"]), DISPLAY, type_of(&["photo", "thumbnail"]), PRIMARY],
    )
    .multi(),
    complex(
        "addresses",
        "Postal addresses",
        &[
            string("formatted", "Full address, formatted for display"),
            string("streetAddress", "Street, house number, post office box"),
            string("locality", "City"),
            string("region", "State or region"),
            string("postalCode", "Postal code"),
            string("country", "Country, as an ISO 3166-1 alpha-2 code"),
            type_of(WORK_HOME_OTHER),
            PRIMARY,
        ],
    )
    .multi(),
    complex(
        "groups",
        "Groups the user is a member of; changed through the groups",
        &[
            string("value", "Identifier of the group").exact().read_only(),
            reference("$ref", "URI of the group", &["Group"]).read_only(),
            string("display", "Name of the group").read_only(),
            Attribute {
                canonical_values: &["direct", "indirect"],
                ..string("type", "How the user is a member").read_only()
            },
        ],
    )
    .multi()
    .read_only(),
    complex(
        "entitlements",
        "Things the user is entitled to",
        &[string("value", "Entitlement"), DISPLAY, type_of(&[]), PRIMARY],
    )
    .multi(),
    complex("roles", "Roles of the user", &[string("value", "Role"), DISPLAY, type_of(&[]), PRIMARY]).multi(),
    complex(
        "x509Certificates",
        "Certificates of the user",
        &[binary("value", "DER certificate in base64"), DISPLAY, type_of(&[]), PRIMARY],
    )
    .multi(),
];
