//! The time that the processors have spent on a thread.

use std::time::Duration;

/// How much time of a processor a thread of this process has had: `utime` and `stime` of proc_pid_stat(5), in hundredths of a second.
pub(super) fn time_of(thread: i32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
    // The name of the thread, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>().ok()?;
    Some(Duration::from_millis(10 * ticks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn the_time_of_a_thread_is_that_of_its_processor() {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        let before = time_of(thread).expect("Linux says so");
        let begun = Instant::now();
        while time_of(thread) <= Some(before + Duration::from_millis(50)) {
            assert!(begun.elapsed() < Duration::from_secs(60));
        }
        assert_eq!(time_of(-1), None);
    }
}
