//! Text and times as they are stored: bounded, because mails decide their length.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The most of a diagnostic, an answer or a subject that is kept, in bytes.
pub(super) const LONGEST: usize = 2_000;

/// The first [`LONGEST`] bytes of a text, cut between characters.
pub(super) fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

/// Milliseconds since 1970, as every time of ours is stored.
pub(super) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time of so many milliseconds since 1970.
pub(super) fn time(millis: i64) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}
