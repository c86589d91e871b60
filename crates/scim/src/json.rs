//! From bytes to JSON, within limits, before anything else looks at a body.

use serde_json::Value;

use crate::error::ScimError;
use crate::limits::{JSON_DEPTH, STRING_BYTES};

/// Reads a body: at most [`JSON_DEPTH`] deep, without NUL characters (which no database text can hold), without strings over
/// [`STRING_BYTES`]. The size of the whole is for the caller to bound before reading it.
///
/// # Errors
/// `invalidSyntax` when it is not JSON or too deep, `invalidValue` for the strings.
pub fn parse_json(body: &[u8]) -> Result<Value, ScimError> {
    if body.trim_ascii().is_empty() {
        return Err(ScimError::invalid_syntax("the request has no body"));
    }
    let value = serde_json::from_slice(body)
        .map_err(|error| ScimError::invalid_syntax(format!("the body cannot be read as JSON: {error}")))?;
    check_value(&value, "the body", 0)?;
    Ok(value)
}

/// Checks depth, NUL and string length of everything in `value`; `name` is for the message.
pub(crate) fn check_value(value: &Value, name: &str, depth: usize) -> Result<(), ScimError> {
    match value {
        Value::String(text) => check_string(name, text),
        Value::Array(_) | Value::Object(_) if depth >= JSON_DEPTH => {
            Err(ScimError::invalid_syntax(format!("the body is nested deeper than {JSON_DEPTH} levels")))
        }
        Value::Array(items) => items.iter().try_for_each(|item| check_value(item, name, depth + 1)),
        Value::Object(members) => members.iter().try_for_each(|(key, value)| {
            check_string("an attribute name", key)?;
            check_value(value, key, depth + 1)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Checks NUL and length of one string.
pub(crate) fn check_string(name: &str, text: &str) -> Result<(), ScimError> {
    if text.len() > STRING_BYTES {
        return Err(ScimError::invalid_value(format!("{name} is longer than {STRING_BYTES} bytes")));
    }
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
    fn long_strings_are_refused_by_name() {
        let body = format!(r#"{{"title":"{}"}}"#, "x".repeat(STRING_BYTES + 1));
        let error = parse_json(body.as_bytes()).expect_err("too long");
        assert!(error.detail.starts_with("title is longer"), "{}", error.detail);
    }
}
