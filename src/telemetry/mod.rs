//! What a person sees of a running service: log lines on stderr or in journald, and the block of one mail.
//!
//! It reports and never decides, and never holds up those who have something to say.
//!
//! - [`Event`]: what happened; its readers are `lines` (the lines of the log) and `block` (the block of one mail)
//! - `output`: a line or a block → `queue` → the one thread that writes (`writer`) → where it goes (`sink`)
//! - `blocks`: blocks of mails, which wait for the answers of platforms

mod block;
mod blocks;
mod contradictions;
mod event;
mod lines;
mod output;
mod queue;
mod sink;
mod writer;

pub use contradictions::Contradictions;
pub use event::{Event, Loss, Telling};
pub use output::{flush, init};
pub use sink::Stream;

/// Tells all readers what happened. Never blocks.
pub fn emit(event: &Event<'_>) {
    lines::say(event);
    block::show(event);
}
