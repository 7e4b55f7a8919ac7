//! Days, as far as a proof has an age.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A day of UTC, by its number since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

/// How old a mail of ours may be whose bounce is believed. Mail servers try for five days, slow ones for a week; the double of that.
pub const MAX_AGE: u32 = 14;

/// How a day stands to today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// At most [`MAX_AGE`] days ago.
    Fresh,
    /// Longer ago.
    Old,
    /// Later than tomorrow: clocks differ by minutes, and days by time zones, but not by more.
    Ahead,
}

impl Day {
    /// The day of a time; days before 1970 are none, and count as its first.
    pub fn of(time: SystemTime) -> Day {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Day::of_seconds(since.as_secs())
    }

    /// The day of a number of seconds since 1970.
    pub(super) fn of_seconds(seconds: u64) -> Day {
        Day(u32::try_from(seconds / (24 * 60 * 60)).unwrap_or(u32::MAX))
    }

    pub(super) fn age(self, today: Day) -> Age {
        if self.0 > today.0.saturating_add(1) {
            Age::Ahead
        } else if today.0 > self.0.saturating_add(MAX_AGE) {
            Age::Old
        } else {
            Age::Fresh
        }
    }
}

/// As a date, `2026-11-25`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::from(self.0) * 24 * 60 * 60;
        let date = mail_parser::DateTime::from_timestamp(seconds);
        write!(f, "{:04}-{:02}-{:02}", date.year, date.month, date.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_day_has_an_age() {
        let today = Day(20_000);
        for (days, age) in [
            (-2, Age::Ahead),
            (-1, Age::Fresh),
            (0, Age::Fresh),
            (14, Age::Fresh),
            (15, Age::Old),
            (20_000, Age::Old),
        ] {
            let day = Day(u32::try_from(20_000 - days).unwrap());
            assert_eq!(day.age(today), age, "{days}");
        }
        assert_eq!(Day(u32::MAX).age(Day(u32::MAX)), Age::Fresh);
    }

    #[test]
    fn a_day_is_shown_as_a_date() {
        let noon = UNIX_EPOCH + Duration::from_secs(1_795_608_000);
        assert_eq!(Day::of(noon).to_string(), "2026-11-25");
        assert_eq!(Day(0).to_string(), "1970-01-01");
    }
}
