//! Attributes of extensions that this server does not define: any JSON, under names in any case.
//!
//! Their names come from clients and are parameters. The rules are those of the reference evaluator: the exact spelling of a
//! name goes first, a list means each of its items, a plain value is its own `value`.

use rollcall_scim::filter::{CompareOp, CompareValue};
use rollcall_scim::{AttrPath, Filter};

use super::element::List;
use super::scalar::{Scalar, operator};
use super::{NEVER, Test, Translation, Within};

impl Translation<'_, '_> {
    /// Asks whether any value of the path passes the test.
    pub(super) fn custom_test(&mut self, path: &AttrPath, test: Test<'_>) -> String {
        let attribute = self.custom_attribute(path);
        let Some(sub) = &path.sub else {
            return self.any_value(&attribute, test);
        };
        let value = self.sub_value(sub);
        let tested = self.value_test(test);
        format!(
            "EXISTS (SELECT 1 FROM {} WHERE EXISTS (SELECT 1 FROM {} WHERE {tested}))",
            self.items(&attribute, "e"),
            self.only(&value, "c")
        )
    }

    /// Asks whether one item of the attribute passes all of the filter.
    pub(super) fn any_custom_element(&mut self, path: &AttrPath, filter: &Filter) -> String {
        let attribute = self.custom_attribute(path);
        let tested = self.condition(filter, Within::Element(List::Custom));
        format!("EXISTS (SELECT 1 FROM {} WHERE {tested})", self.items(&attribute, "e"))
    }

    /// A test of a sub-attribute of the item `e`.
    pub(super) fn custom_in_element(&mut self, path: &AttrPath, test: Test<'_>) -> String {
        let Some(sub) = &path.sub else { return NEVER.to_owned() };
        let value = self.sub_value(sub);
        self.any_value(&value, test)
    }

    /// The text to sort by: of the attribute itself or of its sub-attribute. Lists and objects have none.
    pub(super) fn custom_sort_text(&mut self, path: &AttrPath) -> String {
        let mut value = self.custom_attribute(path);
        if let Some(sub) = &path.sub {
            value = self.member(&value, sub);
        }
        if self.is_postgres() {
            return format!("(CASE WHEN jsonb_typeof({value}) NOT IN ('array', 'object') THEN {value} #>> '{{}}' END)");
        }
        format!(
            "(CASE json_type({value}) WHEN 'text' THEN {value} ->> '$' WHEN 'array' THEN NULL WHEN 'object' THEN NULL ELSE {value} END)"
        )
    }

    fn any_value(&mut self, value: &str, test: Test<'_>) -> String {
        let tested = self.value_test(test);
        format!("EXISTS (SELECT 1 FROM {} WHERE {tested})", self.items(value, "c"))
    }

    fn custom_attribute(&mut self, path: &AttrPath) -> String {
        let urn = path.extension.as_deref().unwrap_or_default();
        let extension = self.member(&format!("{}.attributes", self.target.alias), urn);
        self.member(&extension, &path.attribute)
    }

    /// A member of a JSON object, by a name in any case; NULL when it is none or has none.
    fn member(&mut self, object: &str, name: &str) -> String {
        let name = self.bind(name);
        if self.is_postgres() {
            return format!(
                "(SELECT k.value FROM (SELECT {object} AS j) AS h, \
                 jsonb_each(CASE WHEN jsonb_typeof(h.j) = 'object' THEN h.j END) AS k \
                 WHERE lower(k.key COLLATE \"C\") = lower({name} COLLATE \"C\") \
                 ORDER BY k.key = {name} DESC, k.key COLLATE \"C\" LIMIT 1)"
            );
        }
        format!(
            "(SELECT h.j -> k.fullkey FROM (SELECT {object} AS j) AS h, json_each(h.j) AS k \
             WHERE lower(k.key) = lower({name}) ORDER BY k.key = {name} DESC, k.key LIMIT 1)"
        )
    }

    /// The sub-attribute of the item `e`, as JSON; a plain item is its own `value`.
    fn sub_value(&mut self, sub: &str) -> String {
        let plain = sub == "value";
        if self.is_postgres() {
            let member = self.member("e.v", sub);
            return if plain {
                format!("CASE WHEN jsonb_typeof(e.v) = 'object' THEN {member} ELSE e.v END")
            } else {
                member
            };
        }
        let member = self.member("CASE WHEN e.type = 'object' THEN e.value END", sub);
        if !plain {
            return member;
        }
        format!(
            "CASE e.type WHEN 'object' THEN {member} WHEN 'text' THEN json_quote(e.value) WHEN 'true' THEN 'true' \
             WHEN 'false' THEN 'false' ELSE e.value END"
        )
    }

    /// The items of a list, or whatever else it is by itself, as a relation.
    fn items(&self, json: &str, alias: &str) -> String {
        if self.is_postgres() {
            return format!("jsonb_path_query({json}, '$[*]') AS {alias}(v)");
        }
        format!(
            "(SELECT {json} AS j) AS {alias}h, json_each(CASE WHEN json_type({alias}h.j) = 'object' \
             THEN '[' || {alias}h.j || ']' ELSE {alias}h.j END) AS {alias}"
        )
    }

    /// A value as a relation of one row, also when it is a list.
    fn only(&self, json: &str, alias: &str) -> String {
        if self.is_postgres() {
            return format!("(SELECT {json} AS v) AS {alias}");
        }
        format!("(SELECT {json} AS j) AS {alias}h, json_each('[' || {alias}h.j || ']') AS {alias}")
    }

    /// A test of the value `c`, which may be of any type.
    fn value_test(&mut self, test: Test<'_>) -> String {
        let postgres = self.is_postgres();
        match test {
            Test::Present if postgres => "(c.v <> '\"\"')".to_owned(),
            Test::Present => "(c.type <> 'text' OR c.value <> '')".to_owned(),
            Test::Compare(_, CompareValue::String(_)) => {
                let text = if postgres {
                    "(CASE WHEN jsonb_typeof(c.v) = 'string' THEN c.v #>> '{}' END)"
                } else {
                    "(CASE WHEN c.type = 'text' THEN c.value END)"
                };
                let scalar = self.own_text(text.to_owned());
                self.scalar_test(&scalar, false, test)
            }
            Test::Compare(_, CompareValue::Boolean(wanted)) if postgres => {
                format!("(c.v = to_jsonb({}))", self.bind(*wanted))
            }
            Test::Compare(_, CompareValue::Boolean(wanted)) => {
                let flag = Scalar::Flag("(CASE c.type WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END)".to_owned());
                self.scalar_test(&flag, false, Test::Compare(CompareOp::Eq, &CompareValue::Boolean(*wanted)))
            }
            Test::Compare(op, CompareValue::Number(wanted)) => {
                let wanted = self.bind(wanted.as_f64());
                let number = if postgres {
                    "CASE WHEN jsonb_typeof(c.v) = 'number' THEN CAST(c.v AS double precision) END"
                } else {
                    "CASE WHEN c.type IN ('integer', 'real') THEN CAST(c.value AS real) END"
                };
                format!("(({number}) {} {wanted})", operator(op))
            }
            Test::Compare(_, CompareValue::DateTime(_)) => NEVER.to_owned(),
        }
    }
}
