//! Email addresses as identity evidence: two spellings of one address compare equal.

use unicode_normalization::UnicodeNormalization;

/// The folded form under which addresses, user names and group names are compared: surrounding and doubled white space
/// removed, NFKC, full case folding. `José@X`, `JOSÉ@x` and their decomposed spellings fold to one string.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return squeeze(&text.to_ascii_lowercase());
    }
    let folded: String = caseless::default_case_fold_str(&text.nfkc().collect::<String>());
    squeeze(&folded.nfkc().collect::<String>())
}

fn squeeze(text: &str) -> String {
    if !text.contains(char::is_whitespace) {
        return text.to_owned();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Entra renames a soft-deleted user to `<32 hex digits><old UPN>` (docs/design.md#matching). Returns the old name.
pub fn strip_tombstone(user_name: &str) -> Option<&str> {
    let (prefix, rest) = user_name.split_at_checked(32)?;
    let is_tombstone = rest.find('@').is_some_and(|at| at > 0) && prefix.bytes().all(|b| b.is_ascii_hexdigit());
    is_tombstone.then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_fold_to_one() {
        for spelling in ["Jose\u{301}@Example.test", " JOSÉ@example.TEST ", "josé@example.test"] {
            assert_eq!(fold(spelling), "josé@example.test");
        }
        assert_eq!(fold("STRASSE@x.test"), fold("straße@x.test"));
        assert_eq!(fold("Design  Team"), "design team");
        assert_ne!(fold("a+tag@x.test"), fold("a@x.test"), "plus tags are different mailboxes");
    }

    #[test]
    fn tombstones_are_recognised_and_ordinary_names_are_not() {
        let name = "0123456789abcdef0123456789ABCDEFann@x.test";
        assert_eq!(strip_tombstone(name), Some("ann@x.test"));
        assert_eq!(strip_tombstone("ann@x.test"), None);
        assert_eq!(strip_tombstone("0123456789abcdef0123456789abcdef"), None);
        assert_eq!(strip_tombstone("0123456789abcdef0123456789abcdef@x.test"), None, "a mailbox named by a hash");
        assert_eq!(strip_tombstone("ééééééééééééééééé@x.test"), None);
    }
}
