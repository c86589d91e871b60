//! Single values in clients' forms. A value with one interpretation is read: a number as a string, a single value as a list of
//! one, a string as a boolean. A value without one is refused with its attribute's name.

use serde_json::{Number, Value};

use crate::dialect::{Quirk, Quirks};

/// Numbers beyond this lost digits when they were parsed as JSON, so the sent value is unknown.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// A single value out of a list of one or out of an object that has nothing but `value`; `None` for an empty list.
pub(crate) fn unwrapped(value: Value, quirks: &mut Quirks) -> Option<Value> {
    let value = match value {
        Value::Array(list) if list.len() <= 1 => {
            quirks.note(Quirk::WrappedValue);
            list.into_iter().next()?
        }
        other => other,
    };
    match value {
        Value::Object(members) if members.len() == 1 && members.keys().all(|key| key.eq_ignore_ascii_case("value")) => {
            quirks.note(Quirk::WrappedValue);
            members.into_iter().next().map(|(_, value)| value)
        }
        other => Some(other),
    }
}

/// An object out of a list of one.
pub(crate) fn only_object(value: Value, quirks: &mut Quirks) -> Value {
    match value {
        Value::Array(mut list) if list.len() == 1 && list[0].is_object() => {
            quirks.note(Quirk::WrappedValue);
            list.remove(0)
        }
        other => other,
    }
}

/// A number as the text that was written, as far as that is known.
pub(crate) fn text_of(number: &Number) -> Option<String> {
    let is_exact = number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.abs() < EXACT_FLOAT);
    is_exact.then(|| number.to_string())
}

/// `true` and `false` in any case.
pub(crate) fn boolean_of(text: &str) -> Option<bool> {
    match text.len() {
        4 if text.eq_ignore_ascii_case("true") => Some(true),
        5 if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A boolean in any of its string forms, for attributes that can only be boolean.
pub(crate) fn truth_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => truth_of_text(text.trim()),
        Value::Number(number) => match number.as_f64()? {
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        },
        _ => None,
    }
}

fn truth_of_text(text: &str) -> Option<bool> {
    let is_any = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_any(&["true", "yes", "on", "1", "t", "y", "active", "enabled"]) {
        return Some(true);
    }
    is_any(&["false", "no", "off", "0", "f", "n", "inactive", "disabled"]).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn r7_truth_has_many_words() {
        for (value, truth) in [
            (json!("False"), Some(false)),
            (json!(" TRUE "), Some(true)),
            (json!(0), Some(false)),
            (json!(1.0), Some(true)),
            (json!("no"), Some(false)),
            (json!("Y"), Some(true)),
            (json!("perhaps"), None),
            (json!(""), None),
            (json!(2), None),
            (json!({}), None),
        ] {
            assert_eq!(truth_of(&value), truth, "{value}");
        }
    }

    #[test]
    fn r7_numbers_are_texts_while_no_digit_was_lost() {
        for (text, read) in [
            ("80027", Some("80027")),
            ("-7", Some("-7")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("12.5", Some("12.5")),
            ("184467440737095516150", None),
            ("1e300", None),
        ] {
            let number: Number = text.parse().expect("a number");
            assert_eq!(text_of(&number).as_deref(), read, "{text}");
        }
    }

    #[test]
    fn r7_single_values_come_wrapped() {
        let mut quirks = Quirks::new();
        for (sent, read) in [
            (json!([false]), Some(json!(false))),
            (json!([]), None),
            (json!({ "Value": "x" }), Some(json!("x"))),
            (json!([{ "value": "x" }]), Some(json!("x"))),
            (json!(["a", "b"]), Some(json!(["a", "b"]))),
            (json!({ "value": "x", "type": "y" }), Some(json!({ "value": "x", "type": "y" }))),
            (json!("x"), Some(json!("x"))),
        ] {
            assert_eq!(unwrapped(sent.clone(), &mut quirks), read, "{sent}");
        }
        assert_eq!(quirks.count(Quirk::WrappedValue), 5);
    }
}
