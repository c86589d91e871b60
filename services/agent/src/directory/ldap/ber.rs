//! The little of BER that controls need: values of one-byte tags with definite lengths. It never panics on what a server sends.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;

/// A value with its tag and length.
pub(super) fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut value = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => value.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            value.push(0x80 | u8::try_from(bytes.len()).unwrap_or(0));
            value.extend(bytes);
        }
    }
    value.extend_from_slice(body);
    value
}

pub(super) fn integer(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let is_spare = |pair: &[u8]| (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xff && pair[1] >= 0x80);
    let spare = bytes.windows(2).take_while(|pair| is_spare(pair)).count();
    tagged(INTEGER, &bytes[spare..])
}

pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    tagged(OCTETS, bytes)
}

pub(super) fn sequence(items: &[Vec<u8>]) -> Vec<u8> {
    tagged(SEQUENCE, &items.concat())
}

/// The values that stand one after another, each with its tag; None if the bytes end too early.
pub(super) fn items(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut items = Vec::new();
    while let [tag, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            0x81..=0x84 => {
                let (head, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                (head.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (body, rest) = rest.split_at_checked(length)?;
        items.push((*tag, body));
        bytes = rest;
    }
    bytes.is_empty().then_some(items)
}

/// The values of the sequence that the bytes are.
pub(super) fn of_sequence(bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    match items(bytes)?.as_slice() {
        [(SEQUENCE, body)] => items(body),
        _ => None,
    }
}

pub(super) fn number(body: &[u8]) -> Option<i64> {
    let first = *body.first().filter(|_| body.len() <= 8)?;
    let sign = if first >= 0x80 { -1 } else { 0 };
    Some(body.iter().fold(sign, |sum, byte| sum << 8 | i64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = of_sequence(&bytes);
            let _ = number(&bytes);
        }

        #[test]
        fn values_are_read_as_they_were_written(one in any::<i64>(), two in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let bytes = sequence(&[integer(one), octets(&two)]);
            let read = of_sequence(&bytes).expect("a sequence");
            prop_assert_eq!(number(read[0].1), Some(one));
            prop_assert_eq!(read[1], (OCTETS, two.as_slice()));
        }
    }
}
