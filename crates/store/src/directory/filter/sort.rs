//! What a list is ordered by (RFC 7644 §3.4.2.3).

use rollcall_scim::AttrPath;

use super::Translation;
use super::element::List;
use super::place::Place;
use super::scalar::Scalar;

impl Translation<'_, '_> {
    pub(super) fn order_by(&mut self, path: &AttrPath) -> String {
        let key = match self.place(path) {
            Place::Scalar(scalar) => self.comparable(scalar, path.case_exact),
            Place::List(list) => self.preferred(list, path),
            Place::Custom => {
                let text = self.custom_sort_text(path);
                self.comparable(self.own_text(text), false)
            }
            Place::Object(_) => "CAST(NULL AS text)".to_owned(),
        };
        // Postgres has NULL last in ascending order by itself. In SQLite NULL is the least value of all; this blob is greater
        // than any number, text, or UUID in use.
        if self.is_postgres() { key } else { format!("coalesce({key}, x'ffffffffffffffffffffffffffffffff')") }
    }

    /// The value that orders like what clients see.
    fn comparable(&self, scalar: Scalar, case_exact: bool) -> String {
        let text = match scalar {
            Scalar::Text { text, owner } if !case_exact => self.fold_text(&text, &owner),
            Scalar::Text { text, .. } | Scalar::Folded(text) | Scalar::Exact(text) => text,
            Scalar::Id(sql) | Scalar::Flag(sql) | Scalar::Time(sql) => return sql,
            Scalar::Nothing => return "CAST(NULL AS text)".to_owned(),
        };
        if self.is_postgres() { format!("({text}) COLLATE \"C\"") } else { format!("({text})") }
    }

    /// The primary or else the first value of a list; of memberships the one with the least id.
    fn preferred(&mut self, list: List, path: &AttrPath) -> String {
        let sub = path.sub.as_deref().or((list != List::Schemas).then_some("value"));
        let scalar = self.element_scalar(list, path, sub);
        let key = self.comparable(scalar, path.case_exact);
        let elements = self.elements(list, path);
        match list {
            List::Json if self.is_postgres() => {
                let numbered = elements.replace(" AS e(v)", " WITH ORDINALITY AS e(v, n)");
                let primary = self.json_flag("e.v", &["primary"]);
                format!("(SELECT {key} FROM {numbered} ORDER BY coalesce({primary}, FALSE) DESC, e.n LIMIT 1)")
            }
            List::Json => {
                let primary = self.json_flag("e.value", &["primary"]);
                format!("(SELECT {key} FROM {elements} ORDER BY coalesce({primary}, FALSE) DESC, e.key LIMIT 1)")
            }
            List::Memberships => format!("(SELECT {key} FROM {elements} ORDER BY o.id LIMIT 1)"),
            List::Schemas => format!("(SELECT max({key}) FROM {elements})"),
            List::Custom => "CAST(NULL AS text)".to_owned(),
        }
    }
}
