//! Parses JSON within limits, before any reader sees a body.

use serde_json::Value;

use crate::error::ScimError;
use crate::limits::{JSON_DEPTH, NAME_BYTES};
use crate::scalars::truth_of;
use crate::schema::{ResourceKind, get_ignore_case};

/// The UTF-8 byte order mark, with which some editors and libraries begin a file; it is not part of the text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The byte order marks of UTF-16.
const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Reads a body: at most [`JSON_DEPTH`] deep, without NUL characters (which no database text can hold), without names over
/// [`NAME_BYTES`]. The size of the whole is for the caller to bound before reading it.
///
/// # Errors
/// `invalidSyntax` when it is not JSON or too deep, `invalidValue` for NUL characters and long names.
pub fn parse_json(body: &[u8]) -> Result<Value, ScimError> {
    let value = parse_unchecked(body)?;
    check_value(&value, "the body", 0)?;
    Ok(value)
}

/// Reads the body of a write. One that ends a user's access may hold anything: its readers leave out what cannot be kept.
///
/// # Errors
/// As [`parse_json`].
pub fn parse_write(kind: ResourceKind, body: &[u8]) -> Result<Value, ScimError> {
    let value = parse_unchecked(body)?;
    check_write(kind, &value)?;
    Ok(value)
}

/// Reads the body of a bulk, whose operations are checked one by one ([`crate::bulk::BulkRequest::parse`]).
///
/// # Errors
/// `invalidSyntax` when it is not JSON.
pub fn parse_unchecked(body: &[u8]) -> Result<Value, ScimError> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if UTF_16_MARKS.iter().any(|mark| body.starts_with(mark)) {
        return Err(ScimError::invalid_syntax("the body is UTF-16; JSON is sent as UTF-8 (RFC 8259 §8.1)"));
    }
    if body.trim_ascii().is_empty() {
        return Err(ScimError::invalid_syntax("the request has no body"));
    }
    serde_json::from_slice(body)
        .map_err(|error| ScimError::invalid_syntax(format!("the body cannot be read as JSON: {error}")))
}

/// Checks a body as [`parse_write`] does.
pub(crate) fn check_write(kind: ResourceKind, body: &Value) -> Result<(), ScimError> {
    match check_value(body, "the body", 0) {
        Err(_) if kind == ResourceKind::User && says_inactive(body) => Ok(()),
        checked => checked,
    }
}

/// True if the last `active` of a body or a PATCH is false, in any of its forms.
fn says_inactive(body: &Value) -> bool {
    let Value::Object(body) = body else { return false };
    let inactive = |value: &Value| truth_of(bare(value)) == Some(false);
    let Some(Value::Array(operations)) = get_ignore_case(body, "Operations") else {
        return get_ignore_case(body, "active").is_some_and(inactive);
    };
    let said = operations.iter().rev().filter_map(Value::as_object).find_map(|operation| {
        let value = get_ignore_case(operation, "value")?;
        match get_ignore_case(operation, "path").and_then(Value::as_str) {
            Some(path) if !path.is_empty() => {
                let name = path.rsplit([':', '.']).next().unwrap_or_default();
                name.eq_ignore_ascii_case("active").then(|| inactive(value))
            }
            _ => get_ignore_case(only(value).as_object()?, "active").map(inactive),
        }
    });
    said == Some(true)
}

/// A value out of a list of one and out of an object with a `value`.
fn bare(value: &Value) -> &Value {
    let value = only(value);
    value.as_object().and_then(|members| get_ignore_case(members, "value")).unwrap_or(value)
}

/// A value out of a list of one.
fn only(value: &Value) -> &Value {
    match value {
        Value::Array(list) if list.len() == 1 => &list[0],
        other => other,
    }
}

/// Checks depth, NUL and length of names of everything in `value`; `name` is for the message.
pub(crate) fn check_value(value: &Value, name: &str, depth: usize) -> Result<(), ScimError> {
    match value {
        Value::String(text) => check_string(name, text),
        Value::Array(_) | Value::Object(_) if depth >= JSON_DEPTH => {
            Err(ScimError::invalid_syntax(format!("the body is nested deeper than {JSON_DEPTH} levels")))
        }
        Value::Array(items) => items.iter().try_for_each(|item| check_value(item, name, depth + 1)),
        Value::Object(members) => members.iter().try_for_each(|(key, value)| {
            check_key(key)?;
            check_value(value, key, depth + 1)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Checks a name that a client made up.
pub(crate) fn check_key(name: &str) -> Result<(), ScimError> {
    if name.len() > NAME_BYTES {
        return Err(ScimError::invalid_value(format!("an attribute name is longer than {NAME_BYTES} bytes")));
    }
    check_string("an attribute name", name)
}

/// Checks one string for NUL.
pub(crate) fn check_string(name: &str, text: &str) -> Result<(), ScimError> {
    if text.as_bytes().contains(&0) {
        return Err(ScimError::invalid_value(format!("{} contains a NUL character", name.replace('\0', "\\u0000"))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;

    fn refusal(body: &[u8]) -> Option<ScimType> {
        parse_json(body).expect_err("must be refused").scim_type
    }

    #[test]
    fn plain_json_passes() {
        assert_eq!(parse_json(br#"{"a":[1]}"#), Ok(serde_json::json!({ "a": [1] })));
    }

    #[test]
    fn what_is_not_json_is_invalid_syntax() {
        for body in [&b""[..], b"  ", b"{", b"userName=a", b"{\"a\":\"\xff\"}", b"{} {}"] {
            assert_eq!(refusal(body), Some(ScimType::InvalidSyntax), "{body:?}");
        }
    }

    #[test]
    fn depth_is_limited_also_beyond_what_the_parser_allows() {
        for depth in [33, 128, 100_000] {
            let body = [vec![b'['; depth], vec![b']'; depth]].concat();
            assert_eq!(refusal(&body), Some(ScimType::InvalidSyntax), "{depth}");
        }
        assert!(parse_json(&[vec![b'['; 32], vec![b']'; 32]].concat()).is_ok());
    }

    #[test]
    fn nul_is_refused_in_values_and_names_but_its_spelling_is_not() {
        for body in [r#"{"a":"x\u0000"}"#, r#"{"a\u0000":1}"#, r#"{"a":[{"b":["\u0000"]}]}"#] {
            assert_eq!(refusal(body.as_bytes()), Some(ScimType::InvalidValue), "{body}");
        }
        assert!(parse_json(br#"{"a":"\\u0000"}"#).is_ok());
    }

    #[test]
    fn r15_a_byte_order_mark_is_no_part_of_the_body() {
        assert_eq!(parse_json(b"\xef\xbb\xbf{\"a\":1}"), Ok(serde_json::json!({ "a": 1 })));
        assert_eq!(refusal(b"\xef\xbb\xbf"), Some(ScimType::InvalidSyntax));
        for marked in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}"] {
            let error = parse_json(marked).expect_err("UTF-16");
            assert!(error.detail.contains("UTF-8"), "{}", error.detail);
        }
    }

    #[test]
    fn r7_only_a_write_that_ends_access_may_hold_anything() {
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        for flaw in ["\"a\\u0000b\"", &deep] {
            for (ends, body) in [
                (true, format!(r#"{{"active":"False","title":{flaw}}}"#)),
                (
                    true,
                    format!(
                        r#"{{"Operations":[{{"op":"replace","path":"active","value":[false]}},{{"op":"add","path":"title","value":{flaw}}}]}}"#
                    ),
                ),
                (true, format!(r#"{{"Operations":[{{"op":"replace","value":{{"active":false,"title":{flaw}}}}}]}}"#)),
                (
                    false,
                    format!(
                        r#"{{"Operations":[{{"op":"replace","value":{{"active":false,"title":{flaw}}}}},{{"op":"add","path":"active","value":true}}]}}"#
                    ),
                ),
                (false, format!(r#"{{"active":true,"title":{flaw}}}"#)),
                (false, format!(r#"[{flaw}]"#)),
            ] {
                assert_eq!(parse_write(ResourceKind::User, body.as_bytes()).is_ok(), ends, "{body}");
                assert!(parse_write(ResourceKind::Group, body.as_bytes()).is_err(), "{body}");
                assert!(parse_json(body.as_bytes()).is_err(), "{body}");
            }
        }
    }

    #[test]
    fn r8_long_values_pass_and_long_names_are_refused() {
        let body = format!(r#"{{"photos":"{}"}}"#, "x".repeat(100_000));
        assert!(parse_json(body.as_bytes()).is_ok());
        let body = format!(r#"{{"{}":1}}"#, "x".repeat(NAME_BYTES + 1));
        let error = parse_json(body.as_bytes()).expect_err("too long");
        assert!(error.detail.starts_with("an attribute name is longer"), "{}", error.detail);
    }
}
