//! The sort key of a list (RFC 7644 §3.4.2.3).

use crate::engine::fragment::{Fragment, fragment};
use rollcall_scim::AttrPath;

use super::Translation;
use super::element::{Elements, List};
use super::place::Place;
use super::scalar::Scalar;

/// The key of a resource without a value to sort by.
const NO_KEY: &str = "CAST(NULL AS text)";

impl Translation<'_, '_> {
    pub(super) fn order_by(&mut self, path: &AttrPath) -> Fragment {
        let key = match self.place(path) {
            Place::Scalar(scalar) => self.comparable(scalar, path.case_exact),
            Place::List(list) => self.preferred(list, path),
            Place::Custom => {
                let text = self.custom_sort_text(path);
                self.comparable(self.own_text(text), false)
            }
            Place::Object(_) => NO_KEY.into(),
        };
        // Postgres sorts NULL last in ascending order. In SQLite NULL is the least value of all; this blob is greater than
        // any number, text, or UUID in use.
        if self.is_postgres() { key } else { fragment!("coalesce({}, x'ffffffffffffffffffffffffffffffff')", key) }
    }

    /// The value in the order that clients see.
    fn comparable(&self, scalar: Scalar, case_exact: bool) -> Fragment {
        let text = match scalar {
            Scalar::Text { text, owner } if !case_exact => self.fold_text(&text, &owner),
            Scalar::Text { text, .. } | Scalar::Folded(text) | Scalar::Exact(text) => text,
            Scalar::Id(sql) | Scalar::Flag(sql) | Scalar::Time(sql) => return sql,
            Scalar::Nothing => return NO_KEY.into(),
        };
        if self.is_postgres() { fragment!("({}) COLLATE \"C\"", text) } else { fragment!("({})", text) }
    }

    /// The primary or else the first value of a list; for memberships the one with the least id.
    fn preferred(&mut self, list: List, path: &AttrPath) -> Fragment {
        let sub = path.sub.as_deref().or((list != List::Schemas).then_some("value"));
        let scalar = self.element_scalar(list, path, sub);
        let key = self.comparable(scalar, path.case_exact);
        let elements = self.elements(list, path, Elements::Numbered);
        match list {
            List::Json if self.is_postgres() => {
                let primary = self.json_flag("e.v", &["primary"]);
                fragment!("(SELECT {} FROM {} ORDER BY coalesce({}, FALSE) DESC, e.n LIMIT 1)", key, elements, primary)
            }
            List::Json => {
                let primary = self.json_flag("e.value", &["primary"]);
                fragment!(
                    "(SELECT {} FROM {} ORDER BY coalesce({}, FALSE) DESC, e.key LIMIT 1)",
                    key,
                    elements,
                    primary
                )
            }
            List::Memberships => fragment!("(SELECT {} FROM {} ORDER BY o.id LIMIT 1)", key, elements),
            List::Schemas => fragment!("(SELECT max({}) FROM {})", key, elements),
            List::Custom => NO_KEY.into(),
        }
    }
}
