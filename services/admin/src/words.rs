//! The words of a refused value: those of JSON and of REST, not those of Rust's types.

/// Types as serde names them, and as a caller knows them. A longer name comes before its parts.
const TYPES: &[(&str, &str)] = &[
    ("a borrowed string", "a text"),
    ("a string", "a text"),
    ("a boolean", "true or false"),
    ("a sequence", "a list"),
    ("a map", "an object"),
    ("usize", "a whole number from 0"),
    ("u64", "a whole number from 0"),
    ("u32", "a whole number from 0"),
    ("u16", "a whole number from 0"),
    ("u8", "a whole number from 0"),
    ("i64", "a whole number"),
    ("i32", "a whole number"),
    ("a Date and Time string", "a time like 2026-11-29T12:28:07Z (RFC 3339)"),
    ("an RFC 3339 formatted date and time string", "a time like 2026-11-29T12:28:07Z (RFC 3339)"),
    ("unit", "null"),
];

/// The sentence of serde in the caller's words.
pub(crate) fn plainly(error: &str) -> String {
    let error = error.replace(" field `", " key `").replace("invalid type: ", "").replace("invalid value: ", "");
    let Some((found, rest)) = error.split_once(", expected ") else { return error };
    if found.starts_with("unknown") {
        return format!("{found}; known: {}", rest.strip_prefix("one of ").unwrap_or(rest));
    }
    let (expected, place) = rest.split_at(rest.find(" at line ").unwrap_or(rest.len()));
    let known = TYPES.iter().find(|(name, _)| *name == expected).map(|(_, word)| *word);
    let expected = known.or_else(|| expected.starts_with("struct ").then_some("an object")).unwrap_or(expected);
    format!("{found} where {expected} is expected{place}")
}

#[cfg(test)]
mod tests {
    use super::plainly;

    #[test]
    fn rust_s_types_are_not_named() {
        for (serde, plain) in [
            (
                "invalid type: string \"5\", expected u32 at line 1 column 9",
                "string \"5\" where a whole number from 0 is expected at line 1 column 9",
            ),
            ("unknown field `a`, expected `b` or `c`", "unknown key `a`; known: `b` or `c`"),
            ("unknown variant `a`, expected one of `b`, `c`", "unknown variant `a`; known: `b`, `c`"),
            ("missing field `digest` at line 1 column 2", "missing key `digest` at line 1 column 2"),
            ("invalid type: map, expected a string", "map where a text is expected"),
        ] {
            assert_eq!(plainly(serde), plain);
        }
    }
}
