//! The code that a person types to enrol an agent (RFC 8628 §6.1): eight consonants, so that it spells nothing and no letter is taken for
//! another one.

/// Letters of a code: no vowels, and neither Y.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of one code: 34 bits, for ten minutes, against guesses that are counted.
const LENGTH: usize = 8;

/// A code of random bytes, which are eight or more; `None` where too few of them are usable.
pub fn of_random(bytes: &[u8]) -> Option<String> {
    // Every letter is as likely as the others.
    let usable = bytes.iter().filter(|byte| usize::from(**byte) < 12 * LETTERS.len());
    let letters: String =
        usable.take(LENGTH).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect();
    (letters.len() == LENGTH).then_some(letters)
}

/// The code as people read it: `WDJB-MJHT`.
pub fn shown(code: &str) -> String {
    match code.split_at_checked(LENGTH / 2) {
        Some((left, right)) => format!("{left}-{right}"),
        None => code.to_owned(),
    }
}

/// The code that somebody typed, whatever the case and the marks between the letters; `None` for what is none.
pub fn typed(text: &str) -> Option<String> {
    if text.len() > 4 * LENGTH {
        return None;
    }
    let letters: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect();
    let is_code = letters.len() == LENGTH && letters.bytes().all(|letter| LETTERS.contains(&letter));
    is_code.then_some(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_shown_and_as_people_type_it() {
        let code = of_random(&[0, 19, 20, 239, 240, 255, 7, 8, 9, 10, 11]).expect("enough bytes");
        assert_eq!(code, "BZBZKLMN", "240 and 255 are passed over");
        assert_eq!(typed(&shown(&code)).as_deref(), Some("BZBZKLMN"));
        assert_eq!(typed(" bzbz klmn ").as_deref(), Some("BZBZKLMN"));
        for wrong in ["", "BZBZ", "BZBZKLMNB", "BZBZKLMA", "BZBZKLM1", &"B-".repeat(40), "BZBZKLM\u{212a}"] {
            assert_eq!(typed(wrong), None, "{wrong:?}");
        }
        assert_eq!(of_random(&[255; 64]), None);
    }
}
