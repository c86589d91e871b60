//! Security ids of Active Directory, in their binary form and as text.

/// Its text: `S-1-5-21-…-RID`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sid(String);

impl Sid {
    /// That of the domain: all but the last part.
    pub(super) fn domain(&self) -> Self {
        Self(self.0.rsplit_once('-').map_or_else(String::new, |(domain, _)| domain.to_owned()))
    }

    pub(super) fn rid(&self) -> u32 {
        self.0.rsplit('-').next().and_then(|rid| rid.parse().ok()).unwrap_or(0)
    }
}

/// Reads either form: a revision, a count, an authority of six bytes, and parts of four bytes each; or the text.
pub(super) fn sid_of(value: &[u8]) -> Option<Sid> {
    if let Some(text) = std::str::from_utf8(value).ok().filter(|text| text.to_uppercase().starts_with("S-1-")) {
        let parts = text.split('-').skip(1);
        return parts.clone().all(|part| part.parse::<u64>().is_ok()).then(|| Sid(text.to_uppercase()));
    }
    let [1, count, authority @ ..] = value else { return None };
    let (authority, parts) = authority.split_at_checked(6)?;
    if parts.len() != usize::from(*count) * 4 {
        return None;
    }
    let authority = authority.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let (parts, _) = parts.as_chunks::<4>();
    let parts: String = parts.iter().map(|part| format!("-{}", u32::from_le_bytes(*part))).collect();
    Some(Sid(format!("S-1-{authority}{parts}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_one_id() {
        let bytes = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x51, 4, 0, 0];
        let sid = sid_of(&bytes).expect("an id");
        assert_eq!(sid, sid_of(b"S-1-5-21-1-2-3-1105").expect("the same"));
        assert_eq!((sid.rid(), sid.domain()), (1105, sid_of(b"s-1-5-21-1-2-3").expect("a domain")));
        for wrong in [&bytes[..27], b"", b"S-1-x", b"S-2-5", &[1, 200, 0]] {
            assert_eq!(sid_of(wrong), None, "{wrong:?}");
        }
    }
}
