//! Attributes of extensions that this server does not define: any JSON, under names in any case.
//!
//! Their names come from clients and are parameters. The rules are those of the reference evaluator: the exact spelling of a
//! name goes first, a list means each of its items, a plain value is its own `value`.

use crate::engine::fragment::{Fragment, fragment};
use rollcall_scim::filter::{CompareOp, CompareValue};
use rollcall_scim::{AttrPath, Filter};

use super::element::List;
use super::scalar::{Scalar, operator};
use super::{NEVER, Test, Translation, Within};

/// The path of a whole JSON value on Postgres.
const WHOLE: &str = "'{}'";

impl Translation<'_, '_> {
    /// A condition: any value of the path passes the test.
    pub(super) fn custom_test(&mut self, path: &AttrPath, test: Test<'_>) -> Fragment {
        let attribute = self.custom_attribute(path);
        let Some(sub) = &path.sub else {
            return self.any_value(&attribute, test);
        };
        let value = self.sub_value(sub);
        let tested = self.value_test(test);
        fragment!(
            "EXISTS (SELECT 1 FROM {} WHERE EXISTS (SELECT 1 FROM {} WHERE {}))",
            self.items(&attribute, "e"),
            self.only(&value, "c"),
            tested
        )
    }

    /// A condition: one item of the attribute passes all of the filter.
    pub(super) fn any_custom_element(&mut self, path: &AttrPath, filter: &Filter) -> Fragment {
        let attribute = self.custom_attribute(path);
        let tested = self.condition(filter, Within::Element(List::Custom));
        fragment!("EXISTS (SELECT 1 FROM {} WHERE {})", self.items(&attribute, "e"), tested)
    }

    /// A test of a sub-attribute of the item `e`.
    pub(super) fn custom_in_element(&mut self, path: &AttrPath, test: Test<'_>) -> Fragment {
        let Some(sub) = &path.sub else { return NEVER.into() };
        let value = self.sub_value(sub);
        self.any_value(&value, test)
    }

    /// The string to sort by: that of the attribute itself or of its sub-attribute. Lists and objects have none.
    pub(super) fn custom_sort_text(&mut self, path: &AttrPath) -> Fragment {
        let mut value = self.custom_attribute(path);
        if let Some(sub) = &path.sub {
            value = self.member(&value, sub);
        }
        if self.is_postgres() {
            return fragment!(
                "(CASE WHEN jsonb_typeof({}) NOT IN ('array', 'object') THEN {} #>> {} END)",
                value,
                value,
                WHOLE
            );
        }
        fragment!(
            "(CASE json_type({}) WHEN 'text' THEN {} ->> '$' WHEN 'array' THEN NULL WHEN 'object' THEN NULL ELSE {} END)",
            value,
            value,
            value
        )
    }

    fn any_value(&mut self, value: &Fragment, test: Test<'_>) -> Fragment {
        let tested = self.value_test(test);
        fragment!("EXISTS (SELECT 1 FROM {} WHERE {})", self.items(value, "c"), tested)
    }

    fn custom_attribute(&mut self, path: &AttrPath) -> Fragment {
        let urn = path.extension.as_deref().unwrap_or_default();
        let extension = self.member(&format!("{}.attributes", self.target.alias).into(), urn);
        self.member(&extension, &path.attribute)
    }

    /// A member of a JSON object, by a name in any case; NULL without one. On Postgres the exact spelling, which nearly every
    /// record has, is found without looking at the other members.
    fn member(&mut self, object: &Fragment, name: &str) -> Fragment {
        let name = self.bind(name);
        if self.is_postgres() {
            return fragment!(
                "coalesce({} -> CAST({} AS text), (SELECT k.value FROM (SELECT {} AS j) AS h, \
                 jsonb_each(CASE WHEN jsonb_typeof(h.j) = 'object' THEN h.j END) AS k \
                 WHERE lower(k.key COLLATE \"C\") = lower({} COLLATE \"C\") \
                 ORDER BY k.key COLLATE \"C\" LIMIT 1))",
                object,
                name,
                object,
                name
            );
        }
        fragment!(
            "(SELECT h.j -> k.fullkey FROM (SELECT {} AS j) AS h, json_each(h.j) AS k \
             WHERE lower(k.key) = lower({}) ORDER BY k.key = {} DESC, k.key LIMIT 1)",
            object,
            name,
            name
        )
    }

    /// The sub-attribute of the item `e`, as JSON; a plain item is its own `value`.
    fn sub_value(&mut self, sub: &str) -> Fragment {
        let plain = sub == "value";
        if self.is_postgres() {
            let member = self.member(&"e.v".into(), sub);
            return if plain {
                fragment!("CASE WHEN jsonb_typeof(e.v) = 'object' THEN {} ELSE e.v END", member)
            } else {
                member
            };
        }
        let member = self.member(&"CASE WHEN e.type = 'object' THEN e.value END".into(), sub);
        if !plain {
            return member;
        }
        fragment!(
            "CASE e.type WHEN 'object' THEN {} WHEN 'text' THEN json_quote(e.value) WHEN 'true' THEN 'true' \
             WHEN 'false' THEN 'false' ELSE e.value END",
            member
        )
    }

    /// The items of a list, or another value as the only item, as a relation.
    fn items(&self, json: &Fragment, alias: &str) -> Fragment {
        if self.is_postgres() {
            return fragment!("jsonb_path_query({}, '$[*]') AS {}(v)", json, alias);
        }
        let list = format!(
            "json_each(CASE WHEN json_type({alias}h.j) = 'object' \
             THEN '[' || {alias}h.j || ']' ELSE {alias}h.j END) AS {alias}"
        );
        fragment!("(SELECT {} AS j) AS {}h, {}", json, alias, list)
    }

    /// A value as a relation of one row, also when it is a list.
    fn only(&self, json: &Fragment, alias: &str) -> Fragment {
        if self.is_postgres() {
            return fragment!("(SELECT {} AS v) AS {}", json, alias);
        }
        let list = format!("json_each('[' || {alias}h.j || ']') AS {alias}");
        fragment!("(SELECT {} AS j) AS {}h, {}", json, alias, list)
    }

    /// A test of the value `c`, which may be of any type.
    fn value_test(&mut self, test: Test<'_>) -> Fragment {
        let postgres = self.is_postgres();
        match test {
            Test::Present if postgres => "(c.v <> '\"\"')".into(),
            Test::Present => "(c.type <> 'text' OR c.value <> '')".into(),
            Test::Compare(_, CompareValue::String(_)) => {
                let text = if postgres {
                    "(CASE WHEN jsonb_typeof(c.v) = 'string' THEN c.v #>> '{}' END)"
                } else {
                    "(CASE WHEN c.type = 'text' THEN c.value END)"
                };
                let scalar = self.own_text(text.into());
                self.scalar_test(&scalar, false, test)
            }
            Test::Compare(_, CompareValue::Boolean(wanted)) if postgres => {
                fragment!("(c.v = to_jsonb({}))", self.bind(*wanted))
            }
            Test::Compare(_, CompareValue::Boolean(wanted)) => {
                let flag = Scalar::Flag("(CASE c.type WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END)".into());
                self.scalar_test(&flag, false, Test::Compare(CompareOp::Eq, &CompareValue::Boolean(*wanted)))
            }
            Test::Compare(op, CompareValue::Number(wanted)) => {
                let wanted = self.bind(wanted.as_f64());
                let number = if postgres {
                    "CASE WHEN jsonb_typeof(c.v) = 'number' THEN CAST(c.v AS double precision) END"
                } else {
                    "CASE WHEN c.type IN ('integer', 'real') THEN CAST(c.value AS real) END"
                };
                fragment!("(({}) {} {})", number, operator(op), wanted)
            }
            Test::Compare(_, CompareValue::DateTime(_)) => NEVER.into(),
        }
    }
}
