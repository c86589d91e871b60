//! The sequence of an event: its place in the audit log, as a text that sorts like the place.

use crate::engine::error::StoreError;
use crate::engine::page::RowPlace;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Hexadecimal digits of the position.
const POSITION_DIGITS: usize = 16;
/// Hexadecimal digits of the id.
const ID_DIGITS: usize = 32;

/// A place in the order of events. Later events have greater ones, as texts too; there are gaps between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub(crate) RowPlace);

impl Sequence {
    /// The place right before this one, so that a reader who goes on from there begins with this one.
    #[must_use]
    pub(crate) fn just_before(self) -> Self {
        let RowPlace { position, id } = self.0;
        Self(match id.as_u128().checked_sub(1) {
            Some(before) => RowPlace { position, id: Uuid::from_u128(before) },
            None => RowPlace::before(position),
        })
    }

    /// True if the place can be that of an event, and not only between two.
    pub(crate) fn may_be_an_event(self) -> bool {
        self.0.id != Uuid::max() && self.0 != RowPlace::default()
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A position is never negative, so the digits sort like it.
        write!(formatter, "{:016x}{}", self.0.position, self.0.id.simple())
    }
}

impl FromStr for Sequence {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let unknown = || {
            let why = "after is the `sequence` of an event, or the `next_after` of an answer, unchanged; or leave it out to begin";
            StoreError::Invalid(why.into())
        };
        if text.len() != POSITION_DIGITS + ID_DIGITS || !text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(unknown());
        }
        let (position, id) = text.split_at(POSITION_DIGITS);
        let position = i64::from_str_radix(position, 16).map_err(|_| unknown())?;
        let id = Uuid::try_parse(id).map_err(|_| unknown())?;
        Ok(Self(RowPlace { position, id }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: i64, id: u128) -> Sequence {
        Sequence(RowPlace { position, id: Uuid::from_u128(id) })
    }

    #[test]
    fn pe16_sequences_sort_as_texts_and_read_back() {
        let places = [at(0, 0), at(0, 9), at(1, 2), at(15, u128::MAX), at(16, 0), at(i64::MAX, 3)];
        for pair in places.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].to_string() < pair[1].to_string(), "{pair:?}");
        }
        for place in places {
            assert_eq!(place.to_string().parse::<Sequence>().expect("a sequence"), place);
            assert!(place.just_before() < place || place == at(0, 0), "{place}");
        }
        assert_eq!(at(7, 0).just_before(), Sequence(RowPlace::before(7)));
    }

    #[test]
    fn pe16_other_texts_are_no_sequences() {
        let good = at(7, 9).to_string();
        for text in
            ["", "7", &good[1..], &good.to_uppercase().replace('0', "F"), &format!("{good}0"), &good.replace('7', "é")]
        {
            assert!(text.parse::<Sequence>().is_err(), "{text}");
        }
        assert!(format!("f{}", &good[1..]).parse::<Sequence>().is_err(), "a negative position");
    }
}
