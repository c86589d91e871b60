//! SCIM filters and sort paths as SQL, so that a list is filtered, ordered and paged by the database.
//!
//! The SQL answers exactly as [`Filter::matches`] does on the rendered resource. How:
//! * A condition may be NULL, which counts as false. `AND` and `OR` keep that meaning; every negation is written
//!   `(…) IS NOT TRUE`, which ends it. So `ne` and `not` are true for what is unassigned.
//! * Strings are compared folded as [`rollcall_scim::fold()`] folds, which no SQL function does; see [`folded`].
//! * What clients send travels in parameters, names of unknown extensions included. The text of a statement depends on
//!   the shape of the filter alone, so it is prepared once.
//! * What identity providers look up for every user is served by an index: `userName`, `externalId`, `emails`,
//!   `displayName` of groups, `id`, `members`.

mod custom;
mod element;
pub(crate) mod folded;
mod place;
mod scalar;
mod sort;
#[cfg(test)]
pub(crate) mod tests;

use rollcall_scim::filter::{CompareOp, CompareValue};
use rollcall_scim::{AttrPath, Filter, ResourceKind};
use sea_orm::sea_query::Value;

use element::List;
use place::Place;

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
}

/// The statement a condition becomes part of: one of `Store::read_single`, in which `{tenant}` is the tenant and `$2` the source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) kind: ResourceKind,
    pub(crate) dialect: Dialect,
    /// Alias of `directory_users` or `directory_groups`.
    pub(crate) alias: &'a str,
    /// What `meta.location` and `$ref` begin with: the SCIM endpoint of the source, without a slash at the end.
    pub(crate) base: &'a str,
}

impl Target<'_> {
    /// The filter as a condition; its parameters are appended to `values`.
    pub(crate) fn condition(&self, filter: &Filter, values: &mut Vec<Value>) -> String {
        Translation { target: *self, values }.condition(filter, Within::Resource)
    }

    /// Whether one resource at most fulfils the filter, because it names the value of a unique attribute.
    pub(crate) fn finds_one(&self, filter: &Filter) -> bool {
        match filter {
            Filter::And(filters) => filters.iter().any(|filter| self.finds_one(filter)),
            Filter::Compare { path, op: CompareOp::Eq, .. } => match path.core() {
                Some(("id", None)) => true,
                Some(("userName", None)) => self.kind == ResourceKind::User,
                _ => false,
            },
            _ => false,
        }
    }

    /// What to order by, ascending or descending: strings folded unless they are case-exact, of a list its primary or
    /// first value, and what is unassigned last in ascending order (RFC 7644 §3.4.2.3).
    pub(crate) fn sort_key(&self, path: &AttrPath, values: &mut Vec<Value>) -> String {
        Translation { target: *self, values }.order_by(path)
    }
}

/// Where the names in a filter are looked up.
#[derive(Clone, Copy)]
enum Within {
    Resource,
    /// Inside brackets: one element of this list.
    Element(List),
}

/// What is asked of a value.
#[derive(Clone, Copy)]
enum Test<'f> {
    Present,
    Compare(CompareOp, &'f CompareValue),
}

/// A filter on its way to SQL.
struct Translation<'t, 'v> {
    target: Target<'t>,
    values: &'v mut Vec<Value>,
}

/// True and false in both dialects.
const ALWAYS: &str = "TRUE";
const NEVER: &str = "FALSE";

impl Translation<'_, '_> {
    /// Adds a parameter and gives its name.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn is_postgres(&self) -> bool {
        self.target.dialect == Dialect::Postgres
    }

    fn condition(&mut self, filter: &Filter, within: Within) -> String {
        match filter {
            Filter::And(filters) => self.joined(filters, " AND ", within),
            Filter::Or(filters) => self.joined(filters, " OR ", within),
            Filter::Not(filter) => negated(&self.condition(filter, within)),
            Filter::Present(path) => self.test(path, Test::Present, within),
            Filter::Compare { path, op: CompareOp::Ne, value } => {
                negated(&self.test(path, Test::Compare(CompareOp::Eq, value), within))
            }
            Filter::Compare { path, op, value } => self.test(path, Test::Compare(*op, value), within),
            Filter::ValuePath { path, filter } => self.value_path(path, filter),
        }
    }

    fn joined(&mut self, filters: &[Filter], word: &str, within: Within) -> String {
        let parts: Vec<String> = filters.iter().map(|filter| self.condition(filter, within)).collect();
        format!("({})", parts.join(word))
    }

    fn test(&mut self, path: &AttrPath, test: Test<'_>, within: Within) -> String {
        match within {
            Within::Element(List::Custom) => self.custom_in_element(path, test),
            Within::Element(list) => self.element_test(list, path, test),
            Within::Resource => match self.place(path) {
                Place::Scalar(scalar) => self.scalar_test(&scalar, path.case_exact, test),
                Place::Object(exists) => match test {
                    Test::Present => exists,
                    Test::Compare(..) => NEVER.to_owned(),
                },
                Place::List(list) => self.list_test(list, path, test),
                Place::Custom => self.custom_test(path, test),
            },
        }
    }

    fn value_path(&mut self, path: &AttrPath, filter: &Filter) -> String {
        match self.place(path) {
            Place::List(list) => self.any_element(list, path, filter),
            Place::Custom => self.any_custom_element(path, filter),
            // The brackets behind a single value ask that value, when there is one.
            Place::Object(exists) => format!("({exists} AND {})", self.condition(filter, Within::Resource)),
            Place::Scalar(_) => NEVER.to_owned(),
        }
    }
}

/// The exact opposite: NULL counts as false.
fn negated(condition: &str) -> String {
    format!("(({condition}) IS NOT TRUE)")
}
