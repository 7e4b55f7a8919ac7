//! Takes in bounced mails, finds out which address failed and whether for good, and tells the platform to stop mailing
//! an address that is dead.
//!
//! The modules, in the order in which a mail flows through them:
//!
//! - [`report`]: raw bytes → who failed, and what was said (pure)
//! - [`diagnosis`]: words and codes of one failure → why, hard or soft (pure)
//! - [`cli`]: one file a command

pub mod cli;
pub mod diagnosis;
pub mod report;
