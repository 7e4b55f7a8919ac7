//! Waiting for something that has no event of its own.

use std::time::{Duration, Instant};

/// How long a test waits for something that takes a second on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until `look` finds something; panics after [`PATIENCE`]. Only for what can't call back, such as the
/// depth of a queue: a line of a log or a request can.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
