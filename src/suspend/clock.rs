//! What time it is, for waits and ages that must outlast a system clock that is set while the process runs.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// The system's clock beside one that only goes on: it begins with the system's time and is never set.
#[derive(Clone)]
pub struct Clock {
    system: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    began: (SystemTime, Instant),
}

impl Clock {
    /// A clock that begins now; `system` tells the time that people have set.
    pub fn new(system: impl Fn() -> SystemTime + Send + Sync + 'static) -> Clock {
        Clock {
            began: (system(), Instant::now()),
            system: Arc::new(system),
        }
    }

    /// The time by the clock that is never set.
    pub fn steady(&self) -> SystemTime {
        let (system, instant) = self.began;
        system + instant.elapsed()
    }

    /// The later of both clocks: a wait that ends by it gets no longer when the system's is set back.
    pub fn latest(&self) -> SystemTime {
        self.steady().max((self.system)())
    }

    /// The earlier of both clocks: what is given up by its age is not given up because the system's is set ahead.
    pub fn earliest(&self) -> SystemTime {
        self.steady().min((self.system)())
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new(SystemTime::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("began", &self.began.0)
            .finish_non_exhaustive()
    }
}
