//! SQL that is built at run time: a piece of a statement with holes for the tenant and for parameters, so that one piece can be
//! rendered for a transaction, for a read that sets the tenant itself, and for a batch of such reads. A rendered text is never
//! searched or changed.

use std::fmt::Write;

/// A piece of SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Fragment {
    text: String,
    /// In the order of their positions in the text.
    holes: Vec<(usize, Hole)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Hole {
    Tenant,
    /// By its number; the first one is 2, since 1 is the tenant.
    Parameter(usize),
}

/// The form that a statement is rendered in: how its tenant and its parameters are named.
#[derive(Clone, Copy)]
enum Values<'s> {
    /// `$1` is the tenant, and the others follow.
    Numbered,
    /// The tenant is this expression; the others are numbered.
    WithTenant(&'s str),
    /// The tenant is this expression, and the others are columns `v2`, `v3`, … of this relation.
    Columns(&'s str, &'s str),
}

impl Fragment {
    /// The tenant's id.
    pub(crate) fn tenant() -> Self {
        Self { text: String::new(), holes: vec![(0, Hole::Tenant)] }
    }

    /// The parameter of this number.
    pub(crate) fn parameter(number: usize) -> Self {
        Self { text: String::new(), holes: vec![(0, Hole::Parameter(number))] }
    }

    /// The template with each `{}` filled in; see [`fragment!`].
    pub(crate) fn compose(template: &str, parts: &[&dyn Piece]) -> Self {
        let mut composed = Self::default();
        let mut parts = parts.iter();
        for (number, text) in template.split("{}").enumerate() {
            if number > 0 {
                let part = parts.next().expect("a part for each {}");
                part.append_to(&mut composed);
            }
            composed.text.push_str(text);
        }
        debug_assert!(parts.next().is_none(), "a {{}} for each part: {template}");
        composed
    }

    pub(crate) fn push(&mut self, piece: impl Piece) {
        piece.append_to(self);
    }

    pub(crate) fn join<'f>(pieces: impl IntoIterator<Item = &'f Self>, separator: &str) -> Self {
        let mut joined = Self::default();
        for (number, piece) in pieces.into_iter().enumerate() {
            if number > 0 {
                joined.text.push_str(separator);
            }
            joined.push(piece);
        }
        joined
    }

    /// For a transaction that has set the tenant.
    pub(crate) fn numbered(&self) -> String {
        self.render(Values::Numbered)
    }

    /// For a statement in which the expression `tenant` is the tenant's id.
    pub(super) fn with_tenant(&self, tenant: &str) -> String {
        self.render(Values::WithTenant(tenant))
    }

    /// For a statement over many sets of values: a parameter of number 7 is the column `v7` of `relation`.
    pub(super) fn with_columns(&self, tenant: &str, relation: &str) -> String {
        self.render(Values::Columns(tenant, relation))
    }

    fn render(&self, values: Values<'_>) -> String {
        let mut rendered = String::with_capacity(self.text.len() + 8 * self.holes.len());
        let mut from = 0;
        for (position, hole) in &self.holes {
            rendered.push_str(&self.text[from..*position]);
            from = *position;
            // Writing to a string does not fail.
            let _ = match (hole, values) {
                (Hole::Tenant, Values::Numbered) => write!(rendered, "$1"),
                (Hole::Tenant, Values::WithTenant(tenant) | Values::Columns(tenant, _)) => write!(rendered, "{tenant}"),
                (Hole::Parameter(number), Values::Numbered | Values::WithTenant(_)) => write!(rendered, "${number}"),
                (Hole::Parameter(number), Values::Columns(_, relation)) => write!(rendered, "{relation}.v{number}"),
            };
        }
        rendered.push_str(&self.text[from..]);
        rendered
    }
}

/// A part that fills a template's `{}`.
pub(crate) trait Piece {
    fn append_to(&self, fragment: &mut Fragment);
}

impl Piece for Fragment {
    fn append_to(&self, fragment: &mut Fragment) {
        let offset = fragment.text.len();
        fragment.text.push_str(&self.text);
        fragment.holes.extend(self.holes.iter().map(|(position, hole)| (position + offset, *hole)));
    }
}

impl Piece for str {
    fn append_to(&self, fragment: &mut Fragment) {
        fragment.text.push_str(self);
    }
}

impl Piece for String {
    fn append_to(&self, fragment: &mut Fragment) {
        fragment.text.push_str(self);
    }
}

impl<P: Piece + ?Sized> Piece for &P {
    fn append_to(&self, fragment: &mut Fragment) {
        (**self).append_to(fragment);
    }
}

impl From<&str> for Fragment {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), holes: Vec::new() }
    }
}

impl From<String> for Fragment {
    fn from(text: String) -> Self {
        Self { text, holes: Vec::new() }
    }
}

/// A [`Fragment`] from a template, in which each `{}` stands for the next part: a fragment or plain text.
macro_rules! fragment {
    ($template:literal $(, $part:expr)* $(,)?) => {
        $crate::engine::fragment::Fragment::compose($template, &[$(&$part),*])
    };
}

pub(crate) use fragment;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_rendered_for_a_transaction_for_one_read_and_for_a_batch() {
        let wanted = Fragment::parameter(3);
        let path = fragment!("jsonb_path_query(a, {})", "'$.\"x\"[*]'");
        let condition = fragment!("b = {} AND c IN (SELECT {}) AND d = {}", wanted, path, wanted);
        let select = fragment!("SELECT 1 FROM t WHERE t.tenant_id = {} AND {}", Fragment::tenant(), condition);
        let rendered = |tenant: &str, wanted: &str| {
            format!(
                "SELECT 1 FROM t WHERE t.tenant_id = {tenant} AND b = {wanted} AND \
                 c IN (SELECT jsonb_path_query(a, '$.\"x\"[*]')) AND d = {wanted}"
            )
        };
        assert_eq!(select.numbered(), rendered("$1", "$3"));
        assert_eq!(select.with_tenant("tenant.id"), rendered("tenant.id", "$3"));
        assert_eq!(select.with_columns("tenant.id", "p"), rendered("tenant.id", "p.v3"));
    }

    #[test]
    fn pieces_are_joined() {
        let pieces = [fragment!("a = {}", Fragment::parameter(2)), fragment!("b")];
        assert_eq!(Fragment::join(&pieces, " OR ").numbered(), "a = $2 OR b");
        assert_eq!(Fragment::join([], " OR "), Fragment::default());
    }
}
