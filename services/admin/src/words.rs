//! The words of a refused value: those of JSON and of REST, not those of Rust's types.

/// Types as serde names them, and as a caller knows them. A longer name comes before its parts.
const TYPES: &[(&str, &str)] = &[
    ("a borrowed string", "a text"),
    ("a string", "a text"),
    ("a boolean", "true or false"),
    ("a sequence", "a list"),
    ("a map", "an object"),
    ("usize", "a whole number that is not negative"),
    ("u64", "a whole number that is not negative"),
    ("u32", "a whole number that is not negative"),
    ("u16", "a whole number that is not negative"),
    ("u8", "a whole number that is not negative"),
    ("i64", "a whole number"),
    ("i32", "a whole number"),
    ("a Date and Time string", "a time like 2026-11-29T12:28:07Z (RFC 3339)"),
    ("an RFC 3339 formatted date and time string", "a time like 2026-11-29T12:28:07Z (RFC 3339)"),
    ("unit", "null"),
];

const ID: &str = "it takes an id such as 01890a5d-ac96-774b-bcce-b302099a8057";
const TIME: &str = "it takes a time like 2026-11-29T12:28:07Z (RFC 3339)";

/// Sentences of the readers of single values, by how they begin.
const SENTENCES: &[(&str, &str)] = &[
    ("expected value", "a JSON value is expected, and a text where there is a choice"),
    ("invalid digit found in string", "it takes a whole number"),
    ("number too large to fit in target type", "the number is too large"),
    ("number too small to fit in target type", "the number is too small"),
    ("provided string was not `true` or `false`", "it takes true or false"),
    ("UUID parsing failed", ID),
    ("invalid character: found", ID),
    ("invalid character: expected", ID),
    ("invalid length: ", ID),
    ("invalid group length", ID),
    ("invalid group count", ID),
    ("input contains invalid characters", TIME),
    ("input is out of range", TIME),
    ("premature end of input", TIME),
    ("trailing input", TIME),
    ("input is not enough", TIME),
    ("no possible date and time", TIME),
];

/// The sentence of serde, or of the reader of a value, in the caller's words.
pub(crate) fn plainly(error: &str) -> String {
    // The sentence may follow the name of a key.
    let key = error.find(": ").map_or("", |end| &error[..end + 2]);
    for (key, error) in [("", error), (key, &error[key.len()..])] {
        if let Some((begin, plain)) = SENTENCES.iter().find(|(begin, _)| error.starts_with(begin)) {
            let place = error[begin.len()..].find(" at line ").map_or("", |at| &error[begin.len() + at..]);
            return format!("{key}{plain}{place}");
        }
    }
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

    /// The sentences are those of the libraries: another version of them may have others.
    #[test]
    fn values_of_other_kinds_are_told_by_what_is_taken() {
        use std::str::FromStr;
        let told = |error: String| plainly(&error);
        assert_eq!(told(u32::from_str("x").unwrap_err().to_string()), "it takes a whole number");
        assert_eq!(told(u32::from_str("99999999999").unwrap_err().to_string()), "the number is too large");
        assert_eq!(told(bool::from_str("yes").unwrap_err().to_string()), "it takes true or false");
        for id in ["x", "123", "01890a5d-ac96-774b-bcce-b302099a805", "01890a5dxac96x774bxbccexb302099a8057"] {
            assert_eq!(told(uuid::Uuid::from_str(id).unwrap_err().to_string()), super::ID, "{id}");
        }
        for time in
            ["yesterday", "2026", "2026-13-01T00:00:00Z", "2026-11-29T12:28:07Z!", "2026-11-29", "2026-02-30T00:00:00Z"]
        {
            assert_eq!(
                told(chrono::DateTime::<chrono::Utc>::from_str(time).unwrap_err().to_string()),
                super::TIME,
                "{time}"
            );
        }
    }

    #[test]
    fn rust_s_types_are_not_named() {
        for (serde, plain) in [
            (
                "invalid type: string \"5\", expected u32 at line 1 column 9",
                "string \"5\" where a whole number that is not negative is expected at line 1 column 9",
            ),
            ("unknown field `a`, expected `b` or `c`", "unknown key `a`; known: `b` or `c`"),
            ("unknown variant `a`, expected one of `b`, `c`", "unknown variant `a`; known: `b`, `c`"),
            (
                "policy.protected_members: UUID parsing failed: invalid character: found `j` at 1",
                "policy.protected_members: it takes an id such as 01890a5d-ac96-774b-bcce-b302099a8057",
            ),
            ("missing field `digest` at line 1 column 2", "missing key `digest` at line 1 column 2"),
            ("invalid type: map, expected a string", "map where a text is expected"),
            ("provided string was not `true` or `false`", "it takes true or false"),
            (
                "input contains invalid characters at line 1 column 30",
                "it takes a time like 2026-11-29T12:28:07Z (RFC 3339) at line 1 column 30",
            ),
        ] {
            assert_eq!(plainly(serde), plain);
        }
    }
}
