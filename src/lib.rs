//! Takes in bounced mails, finds out which address failed and whether for good, and tells the platform to stop mailing
//! an address that is dead.
//!
//! The modules, in the order in which a mail flows through them:
//!
//! - [`address`], [`backoff`], [`memory`], [`printable`], [`smtp_reply`]: words that all the others use
//! - [`smtp`]: a server that takes mail in, and knows nothing of what it is for
//! - [`config`]: `config.yml` → what is meant by it
//! - [`mail`]: one mail as it came in, and the receipt by which whoever handed it in learns that it is safe
//! - [`intake`]: how mail arrives
//! - [`report`]: raw bytes → who failed, and what was said (pure)
//! - [`diagnosis`]: words and codes of one failure → why, hard or soft (pure)
//! - [`policy`]: what is done about it: suspend, count or ignore (pure)
//! - [`ledger`]: what is remembered, in one commit (SQLite)
//! - [`archive`]: the raw mail behind every suspension
//! - [`suspend`]: what the ledger holds → HTTP
//! - [`engine`]: the loop that drives all of this
//! - [`service`]: ledger, engine and suspender put together
//! - [`platform_server`]: a platform to develop against
//! - [`telemetry`]: log lines, and the block of one mail
//! - [`cli`]: one file a command

pub mod address;
pub mod archive;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod diagnosis;
pub mod engine;
pub mod intake;
pub mod ledger;
pub mod mail;
pub mod memory;
pub mod platform_server;
pub mod policy;
pub mod printable;
pub mod report;
pub mod service;
pub mod smtp;
pub mod smtp_reply;
pub mod suspend;
pub mod telemetry;
