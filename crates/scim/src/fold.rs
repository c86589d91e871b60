//! One definition of "the same string but for case", shared by filters, uniqueness and indexes. If the database and the
//! evaluator folded differently, a duplicate check and a look-up would disagree.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Case-folded and NFC-normalised text: `STRASSE` and `straße`, composed and decomposed accents become equal.
/// Folding twice changes nothing.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let folded: String = caseless::default_case_fold_str(&text.nfd().collect::<String>());
    if is_nfc_quick(folded.chars()) == IsNormalized::Yes { folded } else { folded.nfc().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accents_case_and_ligatures_fold_together() {
        assert_eq!(fold("ÅSA@X.SE"), fold("a\u{30a}sa@x.se"));
        assert_eq!(fold("STRASSE"), fold("straße"));
        assert_ne!(fold("asa"), fold("åsa"));
    }

    proptest! {
        #[test]
        fn folding_is_idempotent(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
