//! Redaction of rejected requests: their shape, which a fix needs, without names. The rules are in
//! `docs/decisions/0021-rejected-requests.md`.

use serde_json::{Map, Value};

/// Keys whose strings are protocol keywords.
const PROTOCOL_WORDS: [&str; 7] = ["op", "method", "schemas", "type", "resourceType", "bulkId", "sortOrder"];
/// Longest shown key; a longer one is not an attribute.
const KEY_CHARACTERS_MAX: usize = 128;
const COMPARISONS: [&str; 9] = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];

/// A body with its structure, booleans and protocol keywords; other strings and numbers as their kind and length.
pub(crate) fn body(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(json) => value("", json),
        Err(error) => Value::String(format!("‹no JSON, {} characters: {error}›", text.chars().count())),
    }
}

fn value(key: &str, json: Value) -> Value {
    match json {
        Value::Object(members) => {
            let shown = members.into_iter().map(|(key, json)| {
                let json = value(&key, json);
                (name(&key), json)
            });
            Value::Object(shown.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| value(key, item)).collect()),
        Value::String(text) => Value::String(word(key, &text)),
        Value::Number(number) => Value::String(format!("‹number of {} digits›", number.to_string().len())),
        other => other,
    }
}

fn name(key: &str) -> String {
    if key.contains('@') || key.chars().count() > KEY_CHARACTERS_MAX { hidden(key) } else { expression(key) }
}

fn word(key: &str, text: &str) -> String {
    let known = PROTOCOL_WORDS.iter().any(|word| word.eq_ignore_ascii_case(key)) && text.len() <= KEY_CHARACTERS_MAX;
    let boolean = ["true", "false", ""].iter().any(|word| word.eq_ignore_ascii_case(text));
    if ["path", "filter", "attributes", "excludedAttributes", "sortBy"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(key))
    {
        expression(text)
    } else if (known && !text.contains('@')) || boolean {
        text.to_owned()
    } else {
        hidden(text)
    }
}

fn hidden(text: &str) -> String {
    format!("‹text of {} characters›", text.chars().count())
}

/// A path or a filter without its values: quoted strings, operands of comparisons, and every word with an `@`.
pub(crate) fn expression(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut after_comparison = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let end = end_of_quoted(rest);
            shown.push_str(&hidden(rest[1..end].trim_end_matches('"')));
            rest = &rest[end..];
            after_comparison = false;
        } else if " ()[],".contains(first) {
            shown.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let end = rest.find(|c: char| c == '"' || " ()[],".contains(c)).unwrap_or(rest.len());
            let token = &rest[..end];
            let plain = ["true", "false", "null"].iter().any(|word| word.eq_ignore_ascii_case(token));
            let secret = (after_comparison && !plain) || token.contains('@') || token.len() > KEY_CHARACTERS_MAX;
            shown.push_str(&if secret { hidden(token) } else { token.to_owned() });
            after_comparison = COMPARISONS.iter().any(|word| word.eq_ignore_ascii_case(token));
            rest = &rest[end..];
        }
    }
    shown
}

/// End of the quoted string that begins here: after its closing quote, or the end of the text without one.
fn end_of_quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A request's path and query without values; ids and names of endpoints and parameters stay.
pub(crate) fn path(path: &str) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let segment = |text: &str| {
        let known = text.parse::<uuid::Uuid>().is_ok() || text.chars().all(|c| c.is_ascii_alphabetic() || c == '.');
        if known && text.len() <= 36 { text.to_owned() } else { hidden(text) }
    };
    let mut shown = path.split('/').map(segment).collect::<Vec<_>>().join("/");
    for (place, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if place == 0 { '?' } else { '&' });
        let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
        let key_shown = if key.chars().all(|c| c.is_ascii_alphanumeric()) && key.len() <= 36 {
            key.to_owned()
        } else {
            hidden(key)
        };
        shown.push_str(&key_shown);
        if !text.is_empty() {
            let decoded = decode(text);
            let is_expression = ["filter", "attributes", "excludedAttributes", "sortBy"]
                .iter()
                .any(|word| word.eq_ignore_ascii_case(key));
            let is_number = decoded.bytes().all(|byte| byte.is_ascii_digit()) && decoded.len() <= 9;
            shown.push('=');
            shown.push_str(&if is_expression {
                expression(&decoded)
            } else if is_number {
                decoded
            } else {
                hidden(&decoded)
            });
        }
    }
    shown
}

/// Percent-decoding that never fails; for display only.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits: Option<(u8, u8)> = match byte {
            b'%' => (|| {
                let mut ahead = rest.clone();
                let digit =
                    |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                Some((digit(ahead.next())?, digit(ahead.next())?))
            })(),
            _ => None,
        };
        match (byte, digits) {
            (_, Some((high, low))) => {
                bytes.push(16 * high + low);
                rest.next();
                rest.next();
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The answer's sentence without its quotes from the request.
pub(crate) fn sentence(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (place, part) in text.split('`').enumerate() {
        // Every second part is between two backquotes.
        let secret = place % 2 == 1 && !part.chars().all(|c| c.is_ascii_alphabetic() || c == '.' || c == '$');
        shown.push_str(&if secret { hidden(part) } else { part.to_owned() });
    }
    shown
        .split(' ')
        .map(|word| if word.contains('@') { hidden(word) } else { word.to_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_shape_stays_and_the_values_go() {
        let sent = json!({ "schemas": ["urn:x"], "Operations": [
            { "op": "Replac", "path": "emails[type eq \"work\"].value", "value": "jane@corp.example" },
            { "op": "add", "value": { "active": "False", "nickName": "Jane", "employeeNumber": 4711, "x": null } },
        ] });
        let shown = body(&sent.to_string());
        let text = shown.to_string();
        assert!(!text.contains("jane") && !text.contains("Jane") && !text.contains("4711"), "{text}");
        assert_eq!(shown["Operations"][0]["op"], "Replac");
        assert_eq!(shown["Operations"][0]["value"], "‹text of 17 characters›");
        assert_eq!(shown["Operations"][1]["value"]["active"], "False");
        assert_eq!(shown["Operations"][1]["value"]["x"], Value::Null);
    }

    #[test]
    fn filters_lose_their_values_also_broken_ones() {
        for (filter, expected) in [
            (r#"userName eq "a b""#, "userName eq ‹text of 3 characters›"),
            ("userName eq jane and active eq true", "userName eq ‹text of 4 characters› and active eq true"),
            (r#"userName eq "jane and (x"#, "userName eq ‹text of 11 characters›"),
            ("jane@corp.example", "‹text of 17 characters›"),
        ] {
            assert_eq!(expression(filter), expected, "{filter}");
        }
    }

    #[test]
    fn paths_keep_endpoints_and_ids() {
        let id = "01a200d5-b8ff-743a-b7cb-c905243be7b3";
        assert_eq!(path(&format!("/Users/{id}?count=5")), format!("/Users/{id}?count=5"));
        assert_eq!(
            path("/Users?filter=userName+eq+%22jane%22+and"),
            "/Users?filter=userName eq ‹text of 4 characters› and"
        );
        assert_eq!(path("/Users/jane@corp.example"), "/Users/‹text of 17 characters›");
    }

    #[test]
    fn sentences_lose_what_they_quote() {
        assert_eq!(sentence("members: `jane-1` is not a user"), "members: ‹text of 6 characters› is not a user");
        assert_eq!(sentence("`userName` is required"), "userName is required");
    }
}
