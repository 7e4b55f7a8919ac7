//! The memory for mails that are being read or recorded: what all clients together may fill.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room is given out in steps of so many bytes: most bounces need one.
const STEP: usize = 16 * 1024;

/// A bounded amount of memory, shared by whoever has a clone.
#[derive(Debug, Clone)]
pub struct Room(Arc<Semaphore>);

/// A part of a [`Room`]. Dropped, it is free again.
#[derive(Debug, Default)]
pub struct Reserved(Option<OwnedSemaphorePermit>);

impl Room {
    /// Room for so many bytes; at most what a semaphore can count, which is more than there is memory.
    pub fn new(bytes: usize) -> Room {
        let steps = bytes.div_ceil(STEP).min(Semaphore::MAX_PERMITS);
        Room(Arc::new(Semaphore::new(steps)))
    }

    /// Makes `reserved` cover `bytes` in all. Whether there was room.
    #[must_use]
    pub(super) fn extend(&self, reserved: &mut Reserved, bytes: usize) -> bool {
        let has = reserved.0.as_ref().map_or(0, |permit| permit.num_permits());
        let Ok(more) = u32::try_from(bytes.div_ceil(STEP).saturating_sub(has)) else {
            return false;
        };
        let Ok(permit) = self.0.clone().try_acquire_many_owned(more) else {
            return false;
        };
        match &mut reserved.0 {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_given_back() {
        let room = Room::new(3 * STEP);
        let (mut one, mut other) = (Reserved::default(), Reserved::default());
        assert!(room.extend(&mut one, 1));
        assert!(room.extend(&mut one, 2 * STEP));
        assert!(room.extend(&mut one, STEP), "it has that already");
        assert!(room.extend(&mut other, STEP));
        assert!(!room.extend(&mut other, STEP + 1));
        drop(one);
        assert!(room.extend(&mut other, 3 * STEP));
        assert!(!room.extend(&mut other, usize::MAX));
    }
}
