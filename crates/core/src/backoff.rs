//! Back-off of a failed tenant. Its state is in the database (docs/design.md#one-bad-entry-blocks-nothing).

use chrono::TimeDelta;

const FIRST_SECONDS: i64 = 1;
const LONGEST_SECONDS: i64 = 300;

/// The wait after the `attempts`-th failure in a row: 1 s, 2 s, 4 s … 5 min. It has no end, because the cause may be an
/// outage, and an abandoned tenant would leave a fired employee inside.
pub fn retry_delay(attempts: u32) -> TimeDelta {
    let doublings = attempts.saturating_sub(1).min(16);
    TimeDelta::seconds((FIRST_SECONDS << doublings).min(LONGEST_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_and_is_bounded() {
        assert_eq!(retry_delay(1), TimeDelta::seconds(1));
        assert_eq!(retry_delay(4), TimeDelta::seconds(8));
        assert_eq!(retry_delay(u32::MAX), TimeDelta::seconds(300));
    }
}
