//! Checks a value against a schema of an OpenAPI 3.1 document: the part of JSON Schema that such a document of the hub uses. A
//! keyword that is not known here is a fault too, so that nothing goes unchecked. The documents' own tests include this file.

use serde_json::Value as Json;

/// Keywords that say nothing about which values are valid.
const NOTES: [&str; 6] = ["description", "title", "default", "example", "examples", "$schema"];

/// A document, and whether an object may have fields that its schema does not tell.
pub(crate) struct Schemas<'d> {
    pub(crate) document: &'d Json,
    pub(crate) strict: bool,
}

impl Schemas<'_> {
    /// The faults of a value, each with its place; none for a valid one.
    pub(crate) fn faults(&self, value: &Json, schema: &Json) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(value, schema, "$", self.strict, &mut faults);
        faults
    }

    fn check(&self, value: &Json, schema: &Json, place: &str, strict: bool, faults: &mut Vec<String>) {
        let Some(rules) = schema.as_object() else {
            if schema != &Json::Bool(true) {
                faults.push(format!("{place}: {schema} is no schema"));
            }
            return;
        };
        if let Some(path) = rules.get("$ref").and_then(Json::as_str) {
            match self.document.pointer(path.trim_start_matches('#')) {
                Some(named) => self.check(value, named, place, strict, faults),
                None => faults.push(format!("{place}: nothing is at {path}")),
            }
        }
        // The parts of a whole have fields that the other parts tell.
        let of_parts = strict && !rules.contains_key("allOf");
        for (keyword, rule) in rules {
            match keyword.as_str() {
                "$ref" => {}
                "allOf" => self.check_parts(value, rule, place, strict, faults),
                "oneOf" | "anyOf" => self.check_options(value, keyword, rule, place, strict, faults),
                "properties" => self.check_fields(value, rules, rule, place, of_parts, faults),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(item, rule, &format!("{place}[{index}]"), strict, faults);
                    }
                }
                "additionalProperties" => self.check_others(value, rules, rule, place, faults),
                known if NOTES.contains(&known) => {}
                _ => check_plain(value, keyword, rule, place, faults),
            }
        }
    }

    fn check_parts(&self, value: &Json, parts: &Json, place: &str, strict: bool, faults: &mut Vec<String>) {
        let parts: Vec<&Json> = parts.as_array().into_iter().flatten().collect();
        for part in &parts {
            self.check(value, part, place, false, faults);
        }
        let told: Vec<&String> = parts.iter().flat_map(|part| self.fields_of(part)).collect();
        for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
            if strict && !told.contains(&name) {
                faults.push(format!("{place}.{name} is not described"));
            }
        }
    }

    fn fields_of<'s>(&'s self, schema: &'s Json) -> Vec<&'s String> {
        let named = schema["$ref"].as_str().and_then(|path| self.document.pointer(path.trim_start_matches('#')));
        let schema = named.unwrap_or(schema);
        let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| self.fields_of(part));
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name).chain(parts).collect()
    }

    fn check_options(
        &self,
        value: &Json,
        keyword: &str,
        options: &Json,
        place: &str,
        strict: bool,
        faults: &mut Vec<String>,
    ) {
        let of_each: Vec<Vec<String>> = options
            .as_array()
            .into_iter()
            .flatten()
            .map(|option| {
                let mut faults = Vec::new();
                self.check(value, option, place, strict, &mut faults);
                faults
            })
            .collect();
        let valid = of_each.iter().filter(|faults| faults.is_empty()).count();
        if valid == 0 || (valid > 1 && keyword == "oneOf") {
            let nearest = of_each.into_iter().min_by_key(Vec::len).unwrap_or_default();
            faults.push(format!("{place}: {valid} of {keyword} fit {value}: {}", nearest.join("; ")));
        }
    }

    fn check_fields(
        &self,
        value: &Json,
        rules: &serde_json::Map<String, Json>,
        fields: &Json,
        place: &str,
        strict: bool,
        faults: &mut Vec<String>,
    ) {
        for (name, field) in value.as_object().into_iter().flatten() {
            match fields.get(name) {
                Some(schema) => self.check(field, schema, &format!("{place}.{name}"), self.strict, faults),
                None if strict && !rules.contains_key("additionalProperties") => {
                    faults.push(format!("{place}.{name} is not described"));
                }
                None => {}
            }
        }
    }

    fn check_others(
        &self,
        value: &Json,
        rules: &serde_json::Map<String, Json>,
        rule: &Json,
        place: &str,
        faults: &mut Vec<String>,
    ) {
        let told = rules.get("properties");
        for (name, field) in value.as_object().into_iter().flatten() {
            if told.is_some_and(|told| told.get(name).is_some()) {
                continue;
            }
            match rule {
                Json::Bool(true) => {}
                Json::Bool(false) => faults.push(format!("{place}.{name} is not allowed")),
                schema => self.check(field, schema, &format!("{place}.{name}"), self.strict, faults),
            }
        }
    }
}

/// The keywords about the value itself.
fn check_plain(value: &Json, keyword: &str, rule: &Json, place: &str, faults: &mut Vec<String>) {
    let number = |json: &Json| json.as_f64();
    let length = || value.as_str().map(|text| text.chars().count() as f64);
    let count = || value.as_array().map(|items| items.len() as f64);
    let within = |size: Option<f64>, fits: fn(f64, f64) -> bool| {
        size.zip(number(rule)).is_none_or(|(size, limit)| fits(size, limit))
    };
    let valid = match keyword {
        "type" => match rule {
            Json::Array(kinds) => kinds.iter().any(|kind| is_of(value, kind)),
            kind => is_of(value, kind),
        },
        "enum" => rule.as_array().is_some_and(|values| values.contains(value)),
        "const" => value == rule,
        "required" => {
            let names = rule.as_array().into_iter().flatten().filter_map(Json::as_str);
            value.as_object().is_none_or(|object| names.clone().all(|name| object.contains_key(name)))
        }
        "format" => value.as_str().is_none_or(|text| has_format(text, rule)),
        "minimum" => within(number(value), |size, limit| size >= limit),
        "maximum" => within(number(value), |size, limit| size <= limit),
        "minLength" => within(length(), |size, limit| size >= limit),
        "maxLength" => within(length(), |size, limit| size <= limit),
        "minItems" => within(count(), |size, limit| size >= limit),
        "maxItems" => within(count(), |size, limit| size <= limit),
        "propertyNames" => true,
        unknown => {
            faults.push(format!("{place}: the keyword {unknown} is not known to this test"));
            true
        }
    };
    if !valid {
        faults.push(format!("{place}: {value} against {keyword} {rule}"));
    }
}

fn is_of(value: &Json, kind: &Json) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}

fn has_format(text: &str, format: &Json) -> bool {
    let digits = |part: Option<&str>, count: usize| {
        part.is_some_and(|part| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_date = |text: &str| {
        let mut parts = text.split('-');
        digits(parts.next(), 4) && digits(parts.next(), 2) && digits(parts.next(), 2) && parts.next().is_none()
    };
    match format.as_str() {
        Some("uuid") => uuid::Uuid::try_parse(text).is_ok() && text.len() == 36,
        Some("date") => is_date(text),
        Some("date-time") => text
            .split_once('T')
            .is_some_and(|(date, time)| is_date(date) && time.len() >= 9 && time.ends_with(['Z', '0', '5'])),
        Some("uri") => text.contains("://"),
        _ => false,
    }
}
