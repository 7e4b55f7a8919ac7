//! How long to wait before the next try. Pure: the random number is handed in.

use std::time::Duration;

/// A pace that doubles from try to try, up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first try, at most.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Backoff {
    /// The wait after `tries` tries. `random` is from 0 up to 1 and shortens it by up to a half, so that what failed together is not
    /// tried again together.
    pub fn wait(&self, tries: u32, random: f64) -> Duration {
        let doublings = tries.saturating_sub(1).min(31);
        let wait = self.first.saturating_mul(1 << doublings).min(self.longest);
        wait.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_secs(10),
        longest: Duration::from_secs(3600),
    };

    #[test]
    fn it_doubles_up_to_the_limit() {
        let seconds = |tries| BACKOFF.wait(tries, 0.0).as_secs();
        let waits: Vec<u64> = (1..12).map(seconds).collect();
        assert_eq!(
            waits,
            [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
        );
        assert_eq!(seconds(0), 10);
        assert_eq!(seconds(u32::MAX), 3600);
    }

    #[test]
    fn chance_shortens_it_by_up_to_a_half() {
        assert_eq!(BACKOFF.wait(1, 0.5).as_millis(), 7500);
        assert_eq!(BACKOFF.wait(1, 1.0).as_millis(), 5000);
    }
}
