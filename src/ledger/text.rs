//! Text and times as they are stored: bounded, because mails decide their length.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The most of a diagnostic, an answer or a subject that is kept, in bytes. A mail that names 10,000 recipients has their diagnostics
/// stored 10,000 times.
pub(super) const LONGEST: usize = 500;

/// Stands where a text was cut.
const CUT: &str = "…";

/// A text of at most [`LONGEST`] bytes; a longer one is cut between two characters and ends with `…`.
pub(super) fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(LONGEST - CUT.len());
    Cow::Owned([&text[..end], CUT].concat())
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
