//! Query strings in the forms of identity providers.

use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;

/// Splits and decodes the raw query string (without `?`). A `+` is a space, unless the same value has spaces as `%20`: Okta
/// encodes those and leaves the plus of `a+b@x.de` unencoded.
///
/// # Errors
/// `invalidSyntax` for bad percent-encoding, bytes that are not UTF-8, or NUL.
pub fn parse_query(raw: &str, quirks: &mut Quirks) -> Result<Vec<(String, String)>, ScimError> {
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key, quirks)?, decode(value, quirks)?))
        })
        .collect()
}

/// The value of a parameter, its name in any case; the last one of a repeated parameter.
#[must_use]
pub fn last<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn decode(text: &str, quirks: &mut Quirks) -> Result<String, ScimError> {
    let plus_is_space = !text.contains("%20");
    let mut decoded = Vec::with_capacity(text.len());
    let mut pluses = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let read = match (digit(bytes.next()), digit(bytes.next())) {
                    (Some(high), Some(low)) => u8::try_from(16 * high + low).ok(),
                    _ => None,
                };
                match read {
                    Some(byte) => byte,
                    None => return Err(ScimError::invalid_syntax("the query string has a % without two hex digits")),
                }
            }
            b'+' if plus_is_space => {
                pluses.push(decoded.len());
                b' '
            }
            other => other,
        });
    }
    if decoded.contains(&0) {
        return Err(ScimError::invalid_syntax("the query string contains a NUL character"));
    }
    pluses.iter().for_each(|_| quirks.note(Quirk::PlusForSpace));
    if is_in_address(&decoded, &pluses) {
        quirks.note(Quirk::PlusInAddress);
    }
    String::from_utf8(decoded).map_err(|_| ScimError::invalid_syntax("the query string is not UTF-8"))
}

/// Whether one of the spaces that were a `+` stands within a quoted address: addresses have no spaces, so the plus was probably
/// meant.
fn is_in_address(text: &[u8], spaces: &[usize]) -> bool {
    if spaces.is_empty() || !text.contains(&b'@') {
        return false;
    }
    let mut start = 0;
    text.split(|byte| *byte == b'"').enumerate().any(|(index, part)| {
        let range = start..start + part.len();
        start = range.end + 1;
        index % 2 == 1 && part.contains(&b'@') && spaces.iter().any(|space| range.contains(space))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<Vec<(String, String)>, ScimError> {
        parse_query(raw, &mut Quirks::new())
    }

    fn only_value(raw: &str) -> String {
        parse(raw).expect("a query").remove(0).1
    }

    #[test]
    fn plus_is_a_space_unless_spaces_are_spelt_out() {
        assert_eq!(only_value("filter=DisplayName+eq+%22x%22"), r#"DisplayName eq "x""#);
        assert_eq!(only_value("filter=userName%20eq%20%22a+b@x.de%22"), r#"userName eq "a+b@x.de""#);
        assert_eq!(only_value("filter=userName+eq+%22a%2Bb@x.de%22"), r#"userName eq "a+b@x.de""#);
        assert_eq!(only_value("filter=userName eq \"%C3%A5\""), "userName eq \"å\"");
    }

    #[test]
    fn r19_only_a_plus_within_an_address_is_doubtful() {
        for (raw, doubtful) in [
            ("filter=userName+eq+%22a%2Bb@x.de%22", 0),
            ("filter=displayName+eq+%22Sales+Team%22", 0),
            ("filter=userName+eq+%22a@x.de%22+or+title+eq+%22b+c%22", 0),
            ("filter=userName+eq+%22a+b%40x.de%22", 1),
            ("filter=userName%20eq%20%22a+b@x.de%22", 0),
        ] {
            let mut quirks = Quirks::new();
            parse_query(raw, &mut quirks).expect("a query");
            assert_eq!(quirks.count(Quirk::PlusInAddress), doubtful, "{raw}");
        }
    }

    #[test]
    fn pairs_without_value_and_extra_ampersands_pass() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(parse("aadOptscim062020&&count=1=2&"), Ok(vec![pair("aadOptscim062020", ""), pair("count", "1=2")]));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn of_a_repeated_parameter_the_last_counts() {
        let pairs = parse("attributes=a&Count=1&ATTRIBUTES=b").expect("a query");
        assert_eq!(
            (last(&pairs, "attributes"), last(&pairs, "count"), last(&pairs, "filter")),
            (Some("b"), Some("1"), None)
        );
    }

    #[test]
    fn bad_encoding_is_refused() {
        for raw in ["a=%", "a=%2", "a=%zz", "a=%ff", "a=%00", "%+1=a"] {
            assert_eq!(parse(raw).expect_err(raw).status, 400);
        }
    }
}
