//! The nearest known name for a mistyped one, for messages with "did you mean".

/// Least similarity of two names that may be confused.
const SIMILAR: f64 = 0.84;

/// The known name that is most similar to `given`, if any is similar.
pub fn nearest<T: AsRef<str>>(given: &str, known: impl IntoIterator<Item = T>) -> Option<T> {
    let given = given.to_lowercase();
    let mut best: Option<(f64, T)> = None;
    for word in known {
        let similarity = strsim::jaro_winkler(&given, &word.as_ref().to_lowercase());
        if similarity >= SIMILAR && best.as_ref().is_none_or(|(most, _)| similarity > *most) {
            best = Some((similarity, word));
        }
    }
    best.map(|(_, word)| word)
}

/// The end of a message: `. Did you mean "onboarding"?`, or an empty string when no known name is similar to `given`.
pub fn did_you_mean<T: AsRef<str>>(given: &str, known: impl IntoIterator<Item = T>) -> String {
    nearest(given, known).map_or_else(String::new, |word| format!(". Did you mean {:?}?", word.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["onboarding", "on_deleted", "removal_limit", "approval"];

    #[test]
    fn a_typing_error_finds_its_word_and_nonsense_finds_none() {
        for (given, meant) in
            [("onboading", "onboarding"), ("Onboarding", "onboarding"), ("removal_limt", "removal_limit")]
        {
            assert_eq!(nearest(given, KNOWN), Some(meant));
        }
        assert_eq!(nearest("zebra", KNOWN), None);
        assert_eq!(did_you_mean("onboading", KNOWN), ". Did you mean \"onboarding\"?");
        assert_eq!(did_you_mean("", KNOWN), "");
    }
}
