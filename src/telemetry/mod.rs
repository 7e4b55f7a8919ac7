//! What a person sees of a running service: log lines on stderr or in journald, and the block of one mail.
//!
//! It reports and never decides.

mod announce;
mod blocks;
mod contradictions;
mod output;

pub use announce::announce;
pub use blocks::{Blocks, Printing};
pub use contradictions::Contradictions;
pub use output::{Stream, init};
