//! What reading a mail costs: the most memory that it holds at once, and processor time. Both are in proportion to its size.

use rustix::time::{ClockId, clock_gettime};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Counts what is held. A fuzz target reads on one thread.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a mail of any size may cost, and each byte beside it. Instrumented code is several times slower than what is shipped.
const MEMORY: usize = 1024 * 1024;
const MEMORY_PER_BYTE: usize = 64;
const TIME: Duration = Duration::from_millis(500);
const TIME_PER_BYTE: Duration = Duration::from_nanos(1_000);

/// Reads a mail of `size` bytes, and holds reading it to the bounds.
pub fn bounded<T>(size: usize, read: impl FnOnce() -> T) -> T {
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    let start = processor_time();
    let value = read();
    let time = processor_time() - start;
    let memory = MOST.load(Relaxed) - before;
    assert!(memory <= MEMORY + MEMORY_PER_BYTE * size, "{memory} bytes for {size}");
    assert!(time <= TIME + TIME_PER_BYTE * size as u32, "{time:?} for {size} bytes");
    value
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
