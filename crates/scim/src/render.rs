//! Renders resources: the stored attributes, plus those of the server, minus those not requested.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::etag::etag;
use crate::projection::Projection;
use crate::resource::{MemberKind, MemberRef};
use crate::schema::{ResourceKind, is_urn};

/// Input of a user's answer.
#[derive(Debug, Clone)]
pub struct UserParts<'a> {
    pub id: &'a str,
    /// As from [`crate::UserResource::into_attributes`].
    pub attributes: Map<String, Value>,
    /// Id and name of each group of the user. May be empty when [`Projection::wants_groups`] is false.
    pub groups: &'a [(String, String)],
    pub created: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
    pub version: i64,
    /// Full URL of the user: `https://…/Users/{id}`.
    pub location: &'a str,
}

/// Input of a group's answer.
#[derive(Debug, Clone)]
pub struct GroupParts<'a> {
    pub id: &'a str,
    /// As from [`crate::GroupResource::into_attributes`].
    pub attributes: Map<String, Value>,
    /// Ignored when [`Projection::wants_members`] is false; else no members means that the group is empty. `display` is shown only
    /// on request by name.
    pub members: &'a [MemberRef],
    pub created: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
    pub version: i64,
    /// Full URL of the group: `https://…/Groups/{id}`.
    pub location: &'a str,
}

/// A user in its rendered form.
#[must_use]
pub fn render_user(user: UserParts<'_>, projection: &Projection) -> Value {
    let meta = Meta::of_user(&user);
    let mut shown = render(ResourceKind::User, user.id, user.attributes, &meta, projection);
    if !user.groups.is_empty() && projection.wants("groups") {
        let base = base_of(user.location, ResourceKind::User);
        let groups = user.groups.iter().map(|(id, display)| {
            json!({ "value": id, "$ref": format!("{base}/Groups/{id}"), "display": display, "type": "direct" })
        });
        insert_cut(&mut shown, "groups", groups.collect(), projection);
    }
    Value::Object(shown)
}

/// A group in its rendered form.
#[must_use]
pub fn render_group(group: GroupParts<'_>, projection: &Projection) -> Value {
    let meta = Meta::of_group(&group);
    let mut shown = render(ResourceKind::Group, group.id, group.attributes, &meta, projection);
    if group.members.is_empty() && projection.wants("members") {
        // Some clients add members only to a list that is there.
        shown.insert("members".into(), Value::Array(Vec::new()));
    } else if projection.wants("members") {
        let base = base_of(group.location, ResourceKind::Group);
        let with_names = projection.wants_member_names();
        let members = group.members.iter().map(|member| render_member(member, base, with_names));
        insert_cut(&mut shown, "members", members.collect(), projection);
    }
    Value::Object(shown)
}

fn render_member(member: &MemberRef, base: &str, with_name: bool) -> Value {
    let mut shown = Map::new();
    shown.insert("value".into(), member.value.as_str().into());
    let kind = match member.kind {
        MemberKind::User => Some(ResourceKind::User),
        MemberKind::Group => Some(ResourceKind::Group),
        MemberKind::Unknown => None,
    };
    if let Some(kind) = kind {
        shown.insert("type".into(), kind.name().into());
        shown.insert("$ref".into(), format!("{base}{}/{}", kind.endpoint(), member.value).into());
    }
    if let Some(display) = member.display.as_deref().filter(|_| with_name) {
        shown.insert("display".into(), display.into());
    }
    Value::Object(shown)
}

/// Attributes that only the server knows.
struct Meta<'a> {
    created: DateTime<Utc>,
    last_modified: DateTime<Utc>,
    version: i64,
    location: &'a str,
}

impl<'a> Meta<'a> {
    fn of_user(user: &UserParts<'a>) -> Self {
        let UserParts { created, last_modified, version, location, .. } = *user;
        Self { created, last_modified, version, location }
    }

    fn of_group(group: &GroupParts<'a>) -> Self {
        let GroupParts { created, last_modified, version, location, .. } = *group;
        Self { created, last_modified, version, location }
    }

    fn to_json(&self, kind: ResourceKind) -> Value {
        json!({
            "resourceType": kind.name(),
            "created": timestamp(self.created),
            "lastModified": timestamp(self.last_modified),
            "location": self.location,
            "version": etag(self.version),
        })
    }
}

/// The common part of users and groups.
fn render(
    kind: ResourceKind,
    id: &str,
    attributes: Map<String, Value>,
    meta: &Meta<'_>,
    projection: &Projection,
) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut schemas = vec![Value::from(kind.core().urn)];
    for (name, value) in attributes {
        match value {
            Value::Object(members) if is_urn(&name) => {
                if let Some(kept) = projection.cut_extension(&name, members) {
                    schemas.push(Value::from(name.as_str()));
                    shown.insert(name, kept);
                }
            }
            Value::Null => {}
            value => insert_cut(&mut shown, name, value, projection),
        }
    }
    shown.insert("schemas".into(), Value::Array(schemas));
    shown.insert("id".into(), id.into());
    if projection.wants("meta") {
        insert_cut(&mut shown, "meta", meta.to_json(kind), projection);
    }
    shown
}

fn insert_cut(shown: &mut Map<String, Value>, name: impl Into<String>, value: Value, projection: &Projection) {
    let name = name.into();
    if let Some(value) = projection.cut(&name, value) {
        shown.insert(name, value);
    }
}

/// RFC 3339 with milliseconds, in UTC.
fn timestamp(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The URL before `/Users` or `/Groups`.
fn base_of(location: &str, kind: ResourceKind) -> &str {
    location.rfind(kind.endpoint()).and_then(|end| location.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_USER, USER};

    fn attributes() -> Map<String, Value> {
        match json!({
            "userName": "ada@x.de", "displayName": "Ada", "name": { "givenName": "Ada", "familyName": "L" },
            "emails": [{ "value": "ada@x.de", "type": "work" }, { "value": "a@y.de" }],
            ENTERPRISE_USER: { "department": "D", "manager": { "value": "m", "$ref": "r" } },
            "urn:acme:1.0:User": { "floor": 7 },
        }) {
            Value::Object(attributes) => attributes,
            other => unreachable!("{other}"),
        }
    }

    fn projection(kind: ResourceKind, included: Option<&str>, excluded: Option<&str>) -> Projection {
        Projection::parse(kind, included, excluded).expect("few names")
    }

    #[test]
    fn as_many_names_as_are_compared_with_every_attribute_are_limited() {
        let names = |count| vec!["title"; count].join(",");
        let parse = |count| Projection::parse(ResourceKind::User, None, Some(&names(count)));
        assert!(parse(100).is_ok());
        assert_eq!(parse(101).expect_err("too many").status, 400);
    }

    fn shown(included: Option<&str>, excluded: Option<&str>) -> Value {
        let at = |seconds| DateTime::from_timestamp(seconds, 5_000_000).expect("in range");
        let user = UserParts {
            id: "u1",
            attributes: attributes(),
            groups: &[("g1".to_owned(), "G".to_owned())],
            created: at(1_700_000_000),
            last_modified: at(1_700_000_060),
            version: 3,
            location: "https://h/scim/v2/s/Users/u1",
        };
        render_user(user, &projection(ResourceKind::User, included, excluded))
    }

    #[test]
    fn by_default_everything_is_shown() {
        let mut expected = Value::Object(attributes());
        expected["schemas"] = json!([USER, "urn:acme:1.0:User", ENTERPRISE_USER]);
        expected["id"] = "u1".into();
        expected["groups"] =
            json!([{ "value": "g1", "$ref": "https://h/scim/v2/s/Groups/g1", "display": "G", "type": "direct" }]);
        expected["meta"] = json!({
            "resourceType": "User", "created": "2023-11-14T22:13:20.005Z", "lastModified": "2023-11-14T22:14:20.005Z",
            "location": "https://h/scim/v2/s/Users/u1", "version": "W/\"3\"",
        });
        let mut all = shown(None, Some(" "));
        let urns = |schemas: &Value| {
            let mut urns: Vec<_> = schemas.as_array().into_iter().flatten().map(ToString::to_string).collect();
            urns.sort();
            urns
        };
        assert_eq!(urns(&all["schemas"]), urns(&expected["schemas"]));
        all["schemas"] = expected["schemas"].clone();
        assert_eq!(all, expected);
    }

    #[test]
    fn attributes_select_and_id_and_schemas_stay() {
        for (names, expected) in [
            ("userName", json!({ "userName": "ada@x.de" })),
            ("USERNAME, unknown", json!({ "userName": "ada@x.de" })),
            ("unknown", json!({})),
            ("name.givenName,emails.type", json!({ "name": { "givenName": "Ada" }, "emails": [{ "type": "work" }] })),
            (r#"emails[type eq "a,]b"].value"#, json!({ "emails": [{ "value": "ada@x.de" }, { "value": "a@y.de" }] })),
            ("meta.version,groups.value", json!({ "meta": { "version": "W/\"3\"" }, "groups": [{ "value": "g1" }] })),
            ("phoneNumbers,name.middleName", json!({})),
        ] {
            let mut expected = expected;
            expected["schemas"] = json!([USER]);
            expected["id"] = "u1".into();
            assert_eq!(shown(Some(names), None), expected, "{names}");
        }
    }

    #[test]
    fn extensions_are_selected_by_urn_or_by_attribute() {
        for (names, key, expected) in [
            (
                ENTERPRISE_USER.to_owned(),
                ENTERPRISE_USER,
                json!({ "department": "D", "manager": { "value": "m", "$ref": "r" } }),
            ),
            (format!("{ENTERPRISE_USER}:department"), ENTERPRISE_USER, json!({ "department": "D" })),
            ("manager.value".to_owned(), ENTERPRISE_USER, json!({ "manager": { "value": "m" } })),
            ("urn:acme:1.0:User".to_owned(), "urn:acme:1.0:User", json!({ "floor": 7 })),
            ("urn:acme:1.0:user:FLOOR".to_owned(), "urn:acme:1.0:User", json!({ "floor": 7 })),
        ] {
            let expected = json!({ "schemas": [USER, key], "id": "u1", key: expected });
            assert_eq!(shown(Some(&names), None), expected, "{names}");
        }
    }

    #[test]
    fn excluded_attributes_go_but_for_id_and_schemas() {
        let left = shown(
            None,
            Some(&format!("id,schemas,groups,emails.type,name,{ENTERPRISE_USER}:manager,meta,urn:acme:1.0:User")),
        );
        assert_eq!(
            left,
            json!({
                "schemas": [USER, ENTERPRISE_USER], "id": "u1", "userName": "ada@x.de", "displayName": "Ada",
                "emails": [{ "value": "ada@x.de" }, { "value": "a@y.de" }], ENTERPRISE_USER: { "department": "D" },
            })
        );
        assert!(shown(None, Some(&format!("{USER},{ENTERPRISE_USER}"))).get("userName").is_none());
    }

    #[test]
    fn a_group_shows_members_and_their_names_only_on_request() {
        let attributes = Map::from_iter([("displayName".to_owned(), json!("G"))]);
        let member = |value: &str, kind| MemberRef { value: value.into(), kind, display: Some("N".into()) };
        let group = GroupParts {
            id: "g1",
            attributes,
            members: &[
                member("u1", MemberKind::User),
                member("g2", MemberKind::Group),
                member("x", MemberKind::Unknown),
            ],
            created: DateTime::UNIX_EPOCH,
            last_modified: DateTime::UNIX_EPOCH,
            version: 1,
            location: "https://h/s/Groups/g1",
        };
        let show =
            |included, excluded| render_group(group.clone(), &projection(ResourceKind::Group, included, excluded));
        assert_eq!(
            show(None, None)["members"],
            json!([
                { "value": "u1", "type": "User", "$ref": "https://h/s/Users/u1" },
                { "value": "g2", "type": "Group", "$ref": "https://h/s/Groups/g2" },
                { "value": "x" },
            ])
        );
        assert_eq!(
            show(Some("members.display"), None)["members"],
            json!([{ "display": "N" }, { "display": "N" }, { "display": "N" }])
        );
        assert!(show(None, Some("MEMBERS")).get("members").is_none());
    }

    #[test]
    fn the_store_is_told_what_it_need_not_read() {
        let group = |included, excluded| projection(ResourceKind::Group, included, excluded);
        assert!(!group(None, Some("members")).wants_members());
        assert!(!group(Some("displayName"), None).wants_members());
        assert!(group(Some("members.value"), None).wants_members());
        assert!(group(None, Some("members.type")).wants_members());
        assert!(Projection::all().wants_members());
        assert!(!projection(ResourceKind::User, None, Some("groups")).wants_groups());
    }
}
