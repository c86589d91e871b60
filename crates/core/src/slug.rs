//! The slug of a tenant: the short name that commands and addresses use. Letters of other scripts are transliterated, so
//! that a name which holds no Latin letter still has a slug that people recognise.

/// The longest slug.
pub const SLUG_CHARACTERS_MAX: usize = 40;

/// The slug that a name suggests; `tenant` when the name holds nothing that can be transliterated.
pub fn suggested(name: &str) -> String {
    let latin = deunicode::deunicode_with_tofu(name, " ").to_ascii_lowercase();
    let mut slug = String::with_capacity(SLUG_CHARACTERS_MAX);
    // An apostrophe does not separate: O'Brien is one part.
    for word in latin.replace('\'', "").split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let room = SLUG_CHARACTERS_MAX.saturating_sub(slug.len() + usize::from(!slug.is_empty()));
        if room == 0 {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.extend(word.chars().take(room));
    }
    if slug.is_empty() { "tenant".to_owned() } else { slug }
}

/// # Errors
/// Names the valid characters of a slug.
pub fn check(slug: &str) -> Result<(), String> {
    let fits = (1..=SLUG_CHARACTERS_MAX).contains(&slug.len())
        && slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !slug.starts_with('-')
        && !slug.ends_with('-')
        && !slug.contains("--");
    if fits {
        return Ok(());
    }
    Err(format!(
        "a slug is 1 to {SLUG_CHARACTERS_MAX} lower-case letters a to z, digits and single dashes between them, e.g. {:?}",
        suggested(slug)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f10_a_slug_is_recognisable_in_every_script() {
        for (name, slug) in [
            ("Acme", "acme"),
            ("  Acme   &  Co. ", "acme-co"),
            ("Ünïcode Straße & Söhne", "unicode-strasse-sohne"),
            ("O'Brien", "obrien"),
            ("Газпром", "gazprom"),
            ("株式会社", "zhu-shi-hui-she"),
            ("---", "tenant"),
        ] {
            assert_eq!(suggested(name), slug, "{name}");
        }
        assert_ne!(suggested("🔐🎉"), "tenant");
    }

    #[test]
    fn what_is_suggested_is_a_slug_and_other_texts_are_refused() {
        let long = "a very long name ".repeat(20);
        for name in
            ["Acme", &long, "x".repeat(100).as_str(), "ends with a dash at the fortieth place xyz", "é-é", "🔐🎉"]
        {
            assert_eq!(check(&suggested(name)), Ok(()), "{name}: {}", suggested(name));
        }
        for wrong in ["", "Acme", "a--b", "-a", "a-", "a b", "ä", &"a".repeat(41)] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
