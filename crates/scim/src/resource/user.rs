//! A user in canonical form.

use serde_json::{Map, Value};

use super::text;
use super::validity::{check_names, mend, says_inactive};
use crate::body::read_body;
use crate::bounds::check_document;
use crate::dialect::Quirks;
use crate::email::is_email;
use crate::error::ScimError;
use crate::schema::ResourceKind;

/// A user's attributes in canonical form: schema spelling, no nulls, no empty lists, booleans as booleans, at most one
/// primary a list, the password dropped, extensions under their URN. `active` is always there, until a PATCH unassigns it;
/// `schemas`, `id`, `meta` and `groups` are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserResource {
    attributes: Map<String, Value>,
}

impl UserResource {
    /// Reads a POST body. A new user without `active` is active.
    ///
    /// # Errors
    /// `invalidSyntax` when it is not a SCIM user, otherwise `invalidValue` with the attribute.
    pub fn from_json(body: Value, quirks: &mut Quirks) -> Result<Self, ScimError> {
        let body = read_body(ResourceKind::User, body, quirks)?;
        let mut attributes = body.attributes;
        let ends_access = says_inactive(&attributes);
        body.flaws.tolerated(ends_access, quirks)?;
        if ends_access && mend(&mut attributes, None, quirks).is_ok() {
            return Ok(Self::from_stored(attributes));
        }
        check_document("user", &attributes, 0)?;
        attributes.entry("active").or_insert(Value::Bool(true));
        Self::checked(attributes)
    }

    /// Accepts canonical attributes that make a valid user.
    pub(crate) fn checked(attributes: Map<String, Value>) -> Result<Self, ScimError> {
        check_names(&attributes).map_err(|(_, error)| error)?;
        Ok(Self::from_stored(attributes))
    }

    /// This user, ended, with what of `after` can be kept.
    pub(crate) fn ended_with(&self, mut after: Map<String, Value>, quirks: &mut Quirks) -> Self {
        let inactive = || ("active".to_owned(), Value::Bool(false));
        after.extend([inactive()]);
        if mend(&mut after, Some(&self.attributes), quirks).is_err() {
            after.clone_from(&self.attributes);
            after.extend([inactive()]);
        }
        Self::from_stored(after)
    }

    /// This user under its former name, because another one has the requested name. `None` unless the write ends a
    /// person's access, because only such a write may lose a part of itself.
    #[must_use]
    pub fn ended_under_former_name(&self, before: &Self) -> Option<Self> {
        if !says_inactive(&self.attributes) {
            return None;
        }
        let mut attributes = self.attributes.clone();
        attributes.insert("userName".to_owned(), before.attributes.get("userName")?.clone());
        Some(Self::from_stored(attributes))
    }

    /// Takes attributes from [`into_attributes`](Self::into_attributes), which are trusted.
    #[must_use]
    pub fn from_stored(attributes: Map<String, Value>) -> Self {
        Self { attributes }
    }

    /// The canonical attributes.
    #[must_use]
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// The canonical attributes, to be stored.
    #[must_use]
    pub fn into_attributes(self) -> Map<String, Value> {
        self.attributes
    }

    /// `userName`; never empty.
    #[must_use]
    pub fn user_name(&self) -> &str {
        text(&self.attributes, "userName").unwrap_or_default()
    }

    /// `externalId`; never empty.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        text(&self.attributes, "externalId")
    }

    /// `displayName`.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        text(&self.attributes, "displayName")
    }

    /// `active`, also after it was unassigned: it is then stored as null if the user was disabled.
    #[must_use]
    pub fn active(&self) -> bool {
        !matches!(self.attributes.get("active"), Some(Value::Bool(false) | Value::Null))
    }

    /// The user's address: the primary email, else the first, else `userName`; none when the first of these is not an
    /// address, because another one may be somebody else's.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        Some(self.preferred_email().unwrap_or_else(|| self.user_name())).filter(|email| is_email(email))
    }

    /// `name.givenName`.
    #[must_use]
    pub fn given_name(&self) -> Option<&str> {
        self.attributes.get("name")?.get("givenName")?.as_str()
    }

    /// `name.familyName`.
    #[must_use]
    pub fn family_name(&self) -> Option<&str> {
        self.attributes.get("name")?.get("familyName")?.as_str()
    }

    fn preferred_email(&self) -> Option<&str> {
        let emails = self.attributes.get("emails")?.as_array()?;
        let primary = emails.iter().find(|email| email.get("primary") == Some(&Value::Bool(true)));
        primary.and_then(email_value).or_else(|| emails.iter().find_map(email_value))
    }
}

fn email_value(email: &Value) -> Option<&str> {
    email.get("value")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Quirk;
    use crate::error::ScimType;
    use crate::resource::UserReplacement;
    use crate::schema::{ENTERPRISE_USER, USER};
    use serde_json::json;

    fn read(body: Value) -> (UserResource, Quirks) {
        let mut quirks = Quirks::new();
        let user = UserResource::from_json(body, &mut quirks).expect("a valid user");
        (user, quirks)
    }

    fn refusal(body: Value) -> ScimError {
        UserResource::from_json(body, &mut Quirks::new()).expect_err("must be refused")
    }

    #[test]
    fn canonical_form_is_reached_from_any_spelling() {
        let (user, _) = read(json!({
            "schemas": [USER], "ID": "x", "meta": {"version": 1}, "groups": [{"value": "g"}],
            "USERNAME": "ada@x.de", "Name": {"GIVENNAME": "Ada", "familyName": null}, "Emails": {"VALUE": "ada@x.de"},
            "password": "secret", "nickName": null, "photos": [], "shoeSize": 43,
        }));
        assert_eq!(
            Value::Object(user.into_attributes()),
            json!({ "userName": "ada@x.de", "active": true, "name": { "givenName": "Ada" }, "emails": [{ "value": "ada@x.de" }] })
        );
    }

    #[test]
    fn trap4_string_booleans_are_read_as_booleans() {
        let (user, quirks) =
            read(json!({ "userName": "a", "active": "False", "emails": [{"value": "a@x.de", "primary": "True"}] }));
        assert!(!user.active());
        assert_eq!(user.attributes()["emails"][0]["primary"], json!(true));
        assert_eq!(quirks.count(Quirk::StringBoolean), 2);
        assert_eq!(refusal(json!({ "userName": "a", "active": "perhaps" })).detail, "active must be true or false");
    }

    #[test]
    fn active_is_always_said_and_only_a_word_changes_it() {
        for unsaid in [json!({ "userName": "a" }), json!({ "userName": "a", "active": null })] {
            assert_eq!(read(unsaid.clone()).0.attributes()["active"], json!(true), "a new user is active");
            for active in [true, false] {
                let before = read(json!({ "userName": "b", "active": active })).0;
                let put = UserReplacement::from_json(unsaid.clone(), &mut Quirks::new()).expect("a user");
                assert_eq!(
                    put.over(&before, &mut Quirks::new()).attributes(),
                    read(json!({ "userName": "a", "active": active })).0.attributes()
                );
            }
        }
        for active in [true, false] {
            let before = read(json!({ "userName": "a", "active": !active })).0;
            let body = json!({ "userName": "a", "active": active.to_string() });
            let put = UserReplacement::from_json(body, &mut Quirks::new()).expect("a user");
            assert_eq!(put.over(&before, &mut Quirks::new()).active(), active);
        }
        let stored = Map::from_iter([("userName".to_owned(), json!("a"))]);
        assert!(UserResource::from_stored(stored).active(), "stored by an earlier version");
    }

    #[test]
    fn an_empty_string_is_no_value() {
        let (user, quirks) = read(json!({
            "userName": "a", "displayName": "", "externalId": "", "title": "", "profileUrl": "",
            "name": { "givenName": "", "familyName": "Byron" },
            "emails": [{ "value": "a@x.de", "type": "", "display": "" }, { "value": "", "type": "home" }, ""],
            "addresses": [{ "country": "", "type": "work" }], "x509Certificates": [{ "value": "" }],
            ENTERPRISE_USER: { "department": "", "manager": { "value": "", "$ref": "" } },
            "urn:acme:1.0:User": { "floor": "", "tags": ["", "x"] },
        }));
        assert_eq!(
            Value::Object(user.into_attributes()),
            json!({ "userName": "a", "active": true, "name": { "familyName": "Byron" }, "emails": [{ "value": "a@x.de" }],
                "urn:acme:1.0:User": { "tags": ["x"] } })
        );
        assert_eq!(quirks.count(Quirk::EmptyValue), 16);
        assert_eq!(refusal(json!({ "userName": "" })).detail, "userName is required");
    }

    #[test]
    fn trap6_the_manager_has_one_form() {
        let forms = [
            (json!({ "userName": "a", ENTERPRISE_USER: { "manager": "m" } }), Some(Quirk::ManagerString)),
            (json!({ "userName": "a", ENTERPRISE_USER: { "manager": { "value": "m" } } }), None),
            (json!({ "userName": "a", ENTERPRISE_USER: { "manager": [{ "value": "m" }] } }), Some(Quirk::ManagerArray)),
            (json!({ "userName": "a", "manager": { "value": "m" } }), Some(Quirk::BareExtensionAttribute)),
            (json!({ "userName": "a", format!("{ENTERPRISE_USER}:manager"): "m" }), Some(Quirk::UrnKey)),
        ];
        for (body, quirk) in forms {
            let (user, quirks) = read(body.clone());
            assert_eq!(user.attributes()[ENTERPRISE_USER], json!({ "manager": { "value": "m" } }), "{body}");
            assert!(quirk.is_none_or(|quirk| quirks.count(quirk) == 1), "{body}");
        }
    }

    #[test]
    fn trap8_nulls_unknown_urns_and_unknown_attributes_do_no_harm() {
        let (user, quirks) = read(json!({
            "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
            "userName": "a", "externalId": null, "emails": null, "addresses": null, "manager": null, "shoe": 1,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0User": { "department": "D" },
        }));
        assert_eq!(
            Value::Object(user.into_attributes()),
            json!({ "userName": "a", "active": true, ENTERPRISE_USER: { "department": "D" } })
        );
        assert_eq!(quirks.count(Quirk::NullValue), 4);
        assert_eq!(quirks.count(Quirk::UnknownAttribute), 1);
        assert_eq!(quirks.count(Quirk::UnknownSchemaUrn), 1);
    }

    #[test]
    fn unknown_extensions_are_kept() {
        let (user, _) = read(json!({
            "userName": "a", "urn:acme:1.0:User": { "badge": { "no": 7, "old": null } }, "urn:acme:1.0:User:floor": 3,
        }));
        assert_eq!(user.attributes()["urn:acme:1.0:User"], json!({ "badge": { "no": 7 }, "floor": 3 }));
    }

    #[test]
    fn of_two_primaries_one_is_kept() {
        let (user, quirks) = read(json!({ "userName": "a", "emails": [
                {"value": "1@x.de"}, {"value": "2@x.de", "primary": true}, {"value": "3@x.de", "primary": true}] }));
        assert_eq!(user.email(), Some("2@x.de"));
        assert_eq!(user.attributes()["emails"][2]["primary"], json!(false));
        assert_eq!(quirks.count(Quirk::TwoPrimaries), 1);
    }

    #[test]
    fn roles_as_json_strings_are_kept_as_they_are() {
        let role = r#"{"id":"1","value":"25","displayName":"Role1234"}"#;
        let (user, quirks) = read(json!({ "userName": "a", "roles": [{ "value": role }, "plain"] }));
        assert_eq!(user.attributes()["roles"], json!([{ "value": role }, { "value": "plain" }]));
        assert_eq!(quirks.iter().collect::<Vec<_>>(), [(Quirk::BareElement, 1), (Quirk::RoleJsonString, 1)]);
    }

    #[test]
    fn the_email_is_the_primary_else_the_first_else_the_user_name() {
        let emails = json!([{"value": "1@x.de"}, {"value": "2@x.de", "primary": true}]);
        assert_eq!(read(json!({ "userName": "u@x.de", "emails": emails })).0.email(), Some("2@x.de"));
        assert_eq!(read(json!({ "userName": "u@x.de", "emails": ["1@x.de"] })).0.email(), Some("1@x.de"));
        assert_eq!(read(json!({ "userName": "u@x.de" })).0.email(), Some("u@x.de"));
        assert_eq!(read(json!({ "userName": "u" })).0.email(), None);
        for none in ["nobody", "a@", "@x.de", "a@x.de\r\nBcc: b@x.de"] {
            let user = read(json!({ "userName": "u@x.de", "emails": [none, "2@x.de"] })).0;
            assert_eq!(user.email(), None, "{none}");
            assert_eq!(user.attributes()["emails"][0]["value"], none, "kept as it came");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = |n: usize| "x".repeat(n);
        for (body, detail) in [
            (json!({}), "userName is required"),
            (json!({ "userName": " " }), "userName is required"),
            (json!({ "userName": null }), "userName is required"),
            (json!({ "userName": ["a", "b"] }), "userName must be a string"),
            (json!({ "userName": [] }), "userName is required"),
            (json!({ "userName": "ß".repeat(321) }), "userName is longer than 320 characters"),
            (json!({ "userName": "a", "displayName": "ü".repeat(257) }), "displayName is longer than 256 characters"),
            (json!({ "userName": "a", "externalId": long(513) }), "externalId is longer than 512 characters"),
            (
                json!({ "userName": "a", "name": { "givenName": long(8193) } }),
                "name.givenName is longer than 8192 characters",
            ),
            (json!({ "userName": "a", "emails": [long(8193)] }), "emails.value is longer than 8192 characters"),
            (json!({ "userName": "a\0" }), "userName contains a NUL character"),
            (json!({ "userName": "a", "name": "Ada" }), "name must be an object"),
            (json!({ "userName": "a", "name": { "givenName": {} } }), "name: givenName must be a string"),
            (json!({ "userName": "a", "displayName": true }), "displayName must be a string"),
            (json!({ "userName": "a", "emails": [true] }), "emails must be an object"),
            (json!({ "userName": "a", ENTERPRISE_USER: 1 }), &format!("{ENTERPRISE_USER} must be an object")),
            (json!({ "userName": "a", "roles": vec!["r"; 501] }), "roles has 501 values; at most 500 are kept"),
        ] {
            let error = refusal(body);
            assert_eq!((error.scim_type, error.detail.as_str()), (Some(ScimType::InvalidValue), detail));
        }
        assert_eq!(refusal(json!([])).scim_type, Some(ScimType::InvalidSyntax));
        let scim_1 = refusal(json!({ "schemas": ["urn:scim:schemas:core:1.0"], "userName": "a" }));
        assert!(scim_1.detail.contains("SCIM 1.1"), "{}", scim_1.detail);
    }

    #[test]
    fn reading_its_own_output_changes_nothing() {
        let (user, _) = read(json!({
            "userName": "a", "roles": ["r"], "manager": "m", "active": "true", "urn:x:y:z": { "k": [1] }, "emails": [{"value": "a@x.de", "type": "work"}],
        }));
        let (again, quirks) = read(Value::Object(user.attributes().clone()));
        assert_eq!(again, user);
        assert!(quirks.is_empty(), "{quirks:?}");
    }
}
