//! The digest of a set of items. An approval names it, so that it approves exactly the plan that the admin saw.
//!
//! It is the sum of the items' SHA-256 modulo 2^256, so that an item can join or leave a plan of any size without a
//! read of the others. It guards against mistakes and races, not against an author of items.

use sha2::{Digest as _, Sha256};

/// A digest of any number of items; the empty one is all zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanDigest([u8; 32]);

impl PlanDigest {
    /// The digest of one item, by its canonical text.
    pub fn of(item: &str) -> Self {
        Self(Sha256::digest(item.as_bytes()).into())
    }

    /// Parses the output of [`PlanDigest::to_hex`].
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[must_use]
    pub fn with(self, item: Self) -> Self {
        let mut carry = 0_u16;
        let mut sum = [0_u8; 32];
        for index in (0..32).rev() {
            let total = u16::from(self.0[index]) + u16::from(item.0[index]) + carry;
            sum[index] = total.to_be_bytes()[1];
            carry = total >> 8;
        }
        Self(sum)
    }

    #[must_use]
    pub fn without(self, item: Self) -> Self {
        let mut negated = item.0.map(|byte| !byte);
        // Two's complement: the inverse plus one.
        for byte in negated.iter_mut().rev() {
            let (next, overflow) = byte.overflowing_add(1);
            *byte = next;
            if !overflow {
                break;
            }
        }
        self.with(Self(negated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_join_and_leave_in_any_order() {
        let [a, b, c] = ["a", "b", "c"].map(PlanDigest::of);
        let all = PlanDigest::default().with(a).with(b).with(c);
        assert_eq!(all, PlanDigest::default().with(c).with(a).with(b));
        assert_eq!(all.without(b), PlanDigest::default().with(a).with(c));
        assert_eq!(all.without(a).without(b).without(c), PlanDigest::default());
        assert_ne!(all, all.without(a));
        assert_eq!(PlanDigest::from_hex(&all.to_hex()), Some(all));
        assert_eq!(PlanDigest::from_hex("zz"), None);
    }
}
