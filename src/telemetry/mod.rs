//! What a person sees of a running service: log lines on stderr or in journald, and the block of one mail.
//!
//! It reports and never decides, and never holds up those who have something to say.
//!
//! - `announce`: one recorded mail → its block and its outcome lines
//! - `output`: what is said → `queue` → the one thread that writes (`writer`) → where it goes (`sink`)
//! - `blocks`: blocks of mails, which wait for the answers of platforms

mod announce;
mod blocks;
mod contradictions;
mod output;
mod queue;
mod sink;
mod writer;

pub use announce::announce;
pub use contradictions::Contradictions;
pub use output::{answered, flush, init};
pub use sink::Stream;
