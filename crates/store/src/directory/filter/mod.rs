//! SCIM filters and sort paths as SQL, so that a list is filtered, ordered and paged by the database.
//!
//! The SQL answers exactly as [`Filter::matches`] does on the rendered resource. How:
//! * A condition may be NULL, which counts as false. `AND` and `OR` keep that meaning; every negation is written
//!   `(…) IS NOT TRUE`, which ends it. So `ne` and `not` are true for what is unassigned.
//! * Strings are compared folded as [`rollcall_scim::fold()`] folds, which no SQL function does; see [`folded`].
//! * Texts of clients are parameters, names of unknown extensions included. The text of a statement depends on
//!   the shape of the filter alone, so it is prepared once.
//! * Attributes that identity providers look up for every user have an index: `userName`, `externalId`, `emails`,
//!   `displayName` of groups, `id`, `members`.

pub(crate) mod cost;
mod custom;
mod element;
pub(crate) mod folded;
mod json_path;
mod place;
mod scalar;
mod sort;
#[cfg(test)]
pub(crate) mod tests;

use crate::engine::engine_kind::EngineKind;
use crate::engine::fragment::{Fragment, fragment};
use rollcall_scim::filter::{CompareOp, CompareValue};
use rollcall_scim::{AttrPath, Filter, ResourceKind};
use sea_orm::sea_query::Value;

use element::List;
use place::Place;

/// The statement that a condition becomes a part of. Its parameter 2 is the source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) kind: ResourceKind,
    pub(crate) engine: EngineKind,
    /// Alias of `directory_users` or `directory_groups`.
    pub(crate) alias: &'a str,
    /// Beginning of `meta.location` and `$ref`: the SCIM endpoint of the source, without a slash at the end.
    pub(crate) base: &'a str,
}

impl Target<'_> {
    /// The filter as a condition; its parameters are appended to `values`.
    pub(crate) fn condition(&self, filter: &Filter, values: &mut Vec<Value>) -> Fragment {
        Translation { target: *self, values }.condition(filter, Within::Resource)
    }

    /// True if at most one resource fulfils the filter, because it names the value of a unique attribute.
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

    /// The expression to order by: a string is folded unless it is case-exact, a list counts by its primary or first value, and
    /// unassigned values come last in ascending order (RFC 7644 §3.4.2.3).
    pub(crate) fn sort_key(&self, path: &AttrPath, values: &mut Vec<Value>) -> Fragment {
        Translation { target: *self, values }.order_by(path)
    }
}

/// The object that the names in a filter belong to.
#[derive(Clone, Copy)]
enum Within {
    Resource,
    /// Inside brackets: one element of this list.
    Element(List),
}

/// A condition on a value.
#[derive(Clone, Copy)]
enum Test<'f> {
    Present,
    Compare(CompareOp, &'f CompareValue),
}

/// The translation of one filter.
struct Translation<'t, 'v> {
    target: Target<'t>,
    values: &'v mut Vec<Value>,
}

/// True and false in both dialects.
const ALWAYS: &str = "TRUE";
const NEVER: &str = "FALSE";

impl Translation<'_, '_> {
    /// Adds a parameter and returns its name.
    fn bind(&mut self, value: impl Into<Value>) -> Fragment {
        self.values.push(value.into());
        Fragment::parameter(self.values.len())
    }

    fn is_postgres(&self) -> bool {
        self.target.engine == EngineKind::Postgres
    }

    fn condition(&mut self, filter: &Filter, within: Within) -> Fragment {
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

    fn joined(&mut self, filters: &[Filter], operator: &str, within: Within) -> Fragment {
        let parts: Vec<Fragment> = filters.iter().map(|filter| self.condition(filter, within)).collect();
        fragment!("({})", Fragment::join(&parts, operator))
    }

    fn test(&mut self, path: &AttrPath, test: Test<'_>, within: Within) -> Fragment {
        match within {
            Within::Element(List::Custom) => self.custom_in_element(path, test),
            Within::Element(list) => self.element_test(list, path, test),
            Within::Resource => match self.place(path) {
                Place::Scalar(scalar) => self.scalar_test(&scalar, path.case_exact, test),
                Place::Object(exists) => match test {
                    Test::Present => exists,
                    Test::Compare(..) => NEVER.into(),
                },
                Place::List(list) => self.list_test(list, path, test),
                Place::Custom => self.custom_test(path, test),
            },
        }
    }

    fn value_path(&mut self, path: &AttrPath, filter: &Filter) -> Fragment {
        match self.place(path) {
            Place::List(list) => self.any_element(list, path, filter),
            Place::Custom => self.any_custom_element(path, filter),
            // The brackets after a single value test that value, if it is assigned.
            Place::Object(exists) => fragment!("({} AND {})", exists, self.condition(filter, Within::Resource)),
            Place::Scalar(_) => NEVER.into(),
        }
    }
}

/// The exact opposite: NULL counts as false.
fn negated(condition: &Fragment) -> Fragment {
    fragment!("(({}) IS NOT TRUE)", condition)
}
