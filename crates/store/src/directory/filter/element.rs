//! Lists: the client's multi-valued attributes, and those the server computes (`members`, `groups`, `schemas`).

use crate::engine::fragment::{Fragment, fragment};
use rollcall_scim::filter::{CompareOp, CompareValue};
use rollcall_scim::schema::Kind;
use rollcall_scim::{AttrPath, Filter, ResourceKind, fold};

use super::json_path::sqlite_path;
use super::scalar::Scalar;
use super::{ALWAYS, NEVER, Test, Translation, Within};

/// The kind of a list's elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Objects in the attributes of the resource.
    Json,
    /// Rows of `directory_memberships`: `members` of a group, `groups` of a user.
    Memberships,
    Schemas,
    /// Any JSON of an unknown extension; see `custom.rs`.
    Custom,
}

/// Whether a relation of elements has their positions in the list. Postgres has a column `n` then; SQLite always has `key`.
#[derive(Clone, Copy)]
pub(super) enum Elements {
    Plain,
    Numbered,
}

impl Translation<'_, '_> {
    /// A condition: any element's value passes the test.
    pub(super) fn list_test(&mut self, list: List, path: &AttrPath, test: Test<'_>) -> Fragment {
        if let (Test::Compare(CompareOp::Eq, CompareValue::String(wanted)), Some("value")) = (test, path.sub.as_deref())
        {
            let tested = self.element_test(list, path, test);
            return self.with_index(list, path, wanted, &tested);
        }
        match (list, &path.sub, test) {
            // Lists of the canonical form are never empty, nor are their elements.
            (List::Json, None, Test::Present) => fragment!("({} IS NOT NULL)", self.whole_list(path)),
            (List::Memberships, None, Test::Present) => self.exists(list, path, &ALWAYS.into()),
            (List::Schemas, None, Test::Present) => ALWAYS.into(),
            _ => {
                let tested = self.element_test(list, path, test);
                self.exists(list, path, &tested)
            }
        }
    }

    /// A condition: one element passes all of the filter.
    pub(super) fn any_element(&mut self, list: List, path: &AttrPath, filter: &Filter) -> Fragment {
        let tested = self.condition(filter, Within::Element(list));
        match wanted_value(filter) {
            Some(wanted) => self.with_index(list, path, wanted, &tested),
            None => self.exists(list, path, &tested),
        }
    }

    /// A test of one value of the current element.
    pub(super) fn element_test(&mut self, list: List, path: &AttrPath, test: Test<'_>) -> Fragment {
        let scalar = self.element_scalar(list, path, path.sub.as_deref());
        self.scalar_test(&scalar, path.case_exact, test)
    }

    pub(super) fn element_scalar(&mut self, list: List, path: &AttrPath, sub: Option<&str>) -> Scalar {
        match (list, sub) {
            (List::Json, Some(sub)) if path.kind == Kind::Boolean => {
                Scalar::Flag(self.json_flag(self.element(), &[sub]))
            }
            (List::Json, Some(sub)) => self.own_text(self.json_text(self.element(), &[sub])),
            (List::Memberships, Some(sub)) => self.membership(sub),
            (List::Schemas, None) => Scalar::Exact("e.v".into()),
            _ => Scalar::Nothing,
        }
    }

    fn element(&self) -> &'static str {
        if self.is_postgres() { "e.v" } else { "e.value" }
    }

    /// A member of a group, or a group of a user.
    fn membership(&mut self, sub: &str) -> Scalar {
        match (self.target.kind, sub) {
            (ResourceKind::Group, "value") => Scalar::Id("m.user_id".into()),
            (ResourceKind::Group, "$ref") => Scalar::Exact(self.location(ResourceKind::User, &"m.user_id".into())),
            (ResourceKind::Group, "display") => {
                Scalar::Text { text: "coalesce(o.display_name, o.user_name)".into(), owner: "o".to_owned() }
            }
            (ResourceKind::Group, "type") => Scalar::Folded("CAST('user' AS text)".into()),
            (ResourceKind::User, "value") => Scalar::Id("m.group_id".into()),
            (ResourceKind::User, "$ref") => Scalar::Exact(self.location(ResourceKind::Group, &"m.group_id".into())),
            (ResourceKind::User, "display") => Scalar::Folded("o.display_name_folded".into()),
            (ResourceKind::User, "type") => Scalar::Folded("CAST('direct' AS text)".into()),
            _ => Scalar::Nothing,
        }
    }

    fn exists(&self, list: List, path: &AttrPath, tested: &Fragment) -> Fragment {
        fragment!("EXISTS (SELECT 1 FROM {} WHERE {})", self.elements(list, path, Elements::Plain), tested)
    }

    /// The elements of the current resource as a relation: `e`, or `m` joined with the other side `o`.
    pub(super) fn elements(&self, list: List, path: &AttrPath, elements: Elements) -> Fragment {
        let alias = self.target.alias;
        let sql = match list {
            List::Json if self.is_postgres() => {
                let named = match elements {
                    Elements::Plain => "AS e(v)",
                    Elements::Numbered => "WITH ORDINALITY AS e(v, n)",
                };
                format!("jsonb_path_query({alias}.attributes, '$.\"{}\"[*]') {named}", path.attribute)
            }
            List::Json => format!("json_each({alias}.attributes, '{}') AS e", sqlite_path(&[&path.attribute])),
            List::Memberships => {
                let (own, _) = self.membership_columns();
                format!("{} AND m.tenant_id = {alias}.tenant_id AND m.{own} = {alias}.id", self.memberships())
            }
            List::Schemas => self.schemas(),
            List::Custom => NEVER.to_owned(),
        };
        sql.into()
    }

    /// Memberships with the other side `o`, unless that is a tombstone; ends in a join condition.
    fn memberships(&self) -> String {
        let (_, other) = self.membership_columns();
        let table = if other == "user_id" { "directory_users" } else { "directory_groups" };
        format!(
            "directory_memberships m JOIN {table} o ON o.tenant_id = m.tenant_id AND o.id = m.{other} \
             AND o.deleted_at IS NULL"
        )
    }

    /// The columns of this side and of the other.
    fn membership_columns(&self) -> (&'static str, &'static str) {
        match self.target.kind {
            ResourceKind::Group => ("group_id", "user_id"),
            ResourceKind::User => ("user_id", "group_id"),
        }
    }

    /// The core schema, and the extensions with attributes.
    fn schemas(&self) -> String {
        let alias = self.target.alias;
        let core = self.target.kind.core().urn;
        let extensions = if self.is_postgres() {
            format!(
                "SELECT k.v FROM jsonb_object_keys({alias}.attributes) AS k(v) WHERE lower(left(k.v, 4) COLLATE \"C\") = 'urn:'"
            )
        } else {
            format!("SELECT k.key FROM json_each({alias}.attributes) AS k WHERE lower(substr(k.key, 1, 4)) = 'urn:'")
        };
        format!("(SELECT CAST('{core}' AS text) AS v UNION ALL {extensions}) AS e")
    }

    fn whole_list(&self, path: &AttrPath) -> Fragment {
        self.json_text(&format!("{}.attributes", self.target.alias), &[&path.attribute])
    }

    /// Elements that pass a test, one of which requires that their `value` equals `wanted`: found by an index, if there
    /// is one.
    fn with_index(&mut self, list: List, path: &AttrPath, wanted: &str, tested: &Fragment) -> Fragment {
        match list {
            List::Memberships => {
                let (own, _) = self.membership_columns();
                let found = self.memberships();
                fragment!(
                    "({}.id IN (SELECT m.{} FROM {} WHERE m.tenant_id = {} AND {}))",
                    self.target.alias,
                    own,
                    found,
                    Fragment::tenant(),
                    tested
                )
            }
            List::Json if path.core().is_some_and(|(attribute, _)| attribute == "emails") => {
                let address = self.bind(fold(wanted));
                fragment!("({} AND {})", self.has_email(&address), self.exists(list, path, tested))
            }
            _ => self.exists(list, path, tested),
        }
    }

    /// A condition that every user with this address fulfils, and nearly no other: see [`super::folded::Emails`].
    fn has_email(&self, address: &Fragment) -> Fragment {
        let alias = self.target.alias;
        if self.is_postgres() {
            return fragment!(
                "({}.email_folded = {} OR {}.second_email_folded = {} OR {}.more_emails = TRUE)",
                alias,
                address,
                alias,
                address,
                alias
            );
        }
        // SQLite reads an OR by index only under conditions that a sub-select does not need.
        let found = |condition: Fragment| {
            fragment!(
                "SELECT s.id FROM directory_users s WHERE s.tenant_id = {} AND s.source_id = {} \
                 AND s.deleted_at IS NULL AND {}",
                Fragment::tenant(),
                Fragment::parameter(2),
                condition
            )
        };
        let arms = [
            found(fragment!("s.email_folded = {}", address)),
            found(fragment!("s.second_email_folded = {}", address)),
            found("s.more_emails = TRUE".into()),
        ];
        fragment!("{}.id IN ({})", alias, Fragment::join(&arms, " UNION ALL "))
    }
}

/// The value that an element must have to fulfil a filter, if the filter requires one.
fn wanted_value(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::And(filters) => filters.iter().find_map(wanted_value),
        Filter::Compare { path, op: CompareOp::Eq, value: CompareValue::String(wanted) } => {
            (path.sub.as_deref() == Some("value")).then_some(wanted)
        }
        _ => None,
    }
}
