//! The words by which people are found: those of their address and names, folded, so that a search needs no fold in SQL.

use crate::email::fold;
use std::collections::BTreeSet;

/// Longest word, in characters. An index of Postgres takes no key of some 2,700 bytes.
const CHARACTERS_MAX: usize = 128;
/// Most words of one person. Names have 256 characters each, and an index entry for every letter of them would serve nobody.
const WORDS_MAX: usize = 32;

/// Fewest words of names with which a person needs no parts of the address: each word is a row of an index.
const NAMES_ENOUGH: usize = 2;

/// The words of a person, each after a space: a word that begins with `an` is found as ` an` in this text. The parts of the address stand
/// for names that are missing.
pub fn text<'p>(email: &str, names: impl IntoIterator<Item = Option<&'p str>>) -> String {
    let mut words = BTreeSet::new();
    for name in names.into_iter().flatten() {
        let name = folded(name);
        for word in name.split_whitespace() {
            add(&mut words, word);
            parts(word).for_each(|part| add(&mut words, part));
        }
    }
    let email = folded(email);
    if words.len() < NAMES_ENOUGH {
        let local = email.rsplit_once('@').map_or(email.as_str(), |(local, _)| local);
        parts(local).for_each(|part| add(&mut words, part));
    }
    // The address is found, however many names there are.
    words.extend(email.split_whitespace().map(short));
    without_beginnings(words).map(|word| format!(" {word}")).collect()
}

/// The words but for those that another word begins with: whoever looks for `ann` finds `ann.lee@corp.example`. In the order of words,
/// the next one begins with a word if any does.
fn without_beginnings(words: BTreeSet<String>) -> impl Iterator<Item = String> {
    let mut words = words.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut word = words.next()?;
        while let Some(longer) = words.next_if(|next| next.starts_with(&word)) {
            word = longer;
        }
        Some(word)
    })
}

/// The words that a search asks for, each once.
pub fn asked(text: &str) -> BTreeSet<String> {
    folded(text).split_whitespace().map(short).collect()
}

fn add(words: &mut BTreeSet<String>, word: &str) {
    if !word.is_empty() && words.len() < WORDS_MAX {
        words.insert(short(word));
    }
}

fn short(word: &str) -> String {
    word.chars().take(CHARACTERS_MAX).collect()
}

/// Quotes and backslashes are no part of a word, since triggers split the text as JSON; a fold may make some.
fn folded(text: &str) -> String {
    fold(text).replace(|c: char| c.is_control() || c == '"' || c == '\\', " ")
}

/// `lee` of `ann.lee`, `brien` of `o'brien`.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    word.split(|c: char| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_person_is_found_by_the_address_its_parts_and_each_name() {
        let named = text("Ann.Lee+x@Example.TEST", [Some("Ann  O’Brien-Lee"), None, Some("ÅSA")]);
        for word in ["ann", "lee", "ann.lee+x@example.test", "o’brien-lee", "brien", "åsa"] {
            assert!(named.contains(&format!(" {word}")), "{word} in {named:?}");
        }
        let unnamed = text("Ann.Lee+x@Example.TEST", [Some("Ann"), None]);
        assert_eq!(unnamed, " ann.lee+x@example.test lee x", "everybody of a company has its domain");
    }

    #[test]
    fn no_word_begins_another_one() {
        let text = text("ann@corp.example", [Some("Ann Annabel Annabelle"), Some("Bo")]);
        assert_eq!(text, " ann@corp.example annabelle bo");
    }

    #[test]
    fn what_is_asked_is_folded_as_what_is_stored() {
        assert_eq!(asked(" LEE  straße LEE"), BTreeSet::from(["lee".to_owned(), "strasse".to_owned()]));
        assert!(asked(" \" \\ \u{7} \u{ff02}\u{ff3c}").is_empty());
    }

    proptest! {
        #[test]
        fn each_name_finds_its_person_and_the_text_splits_into_words(email in ".{0,200}", name in ".{0,60}") {
            let text = text(&email, [Some(name.as_str())]);
            let words: Vec<&str> = text.split(' ').skip(1).collect();
            prop_assert!(!text.contains(['"', '\\']), "{text:?}");
            prop_assert!(words.iter().all(|word| !word.is_empty() && word.chars().count() <= CHARACTERS_MAX), "{text:?}");
            if words.len() < WORDS_MAX {
                let all_found = asked(&name).iter().all(|word| text.contains(&format!(" {word}")));
                prop_assert!(all_found, "{name:?} in {text:?}");
            }
        }
    }
}
