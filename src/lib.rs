//! Takes in bounced mails, finds out which address failed and whether for good, and tells the platform to stop mailing
//! an address that is dead.
//!
//! ```
//! use bouncedemails::diagnosis::{BounceType, Reason};
//! use bouncedemails::policy::{Known, Policy};
//! use bouncedemails::verdict::{Knowledge, Verdict};
//!
//! let mail = b"From: MAILER-DAEMON@mx.example.org\r\n\
//!     To: no-reply@example.com\r\n\
//!     Subject: Mail delivery failed: returning message to sender\r\n\r\n\
//!     This message was created automatically by mail delivery software.\r\n\r\n\
//!       someone@example.org\r\n\
//!         host mx.example.org [192.0.2.1]\r\n\
//!         SMTP error from remote mail server after RCPT TO:<someone@example.org>:\r\n\
//!         550 no such user\r\n";
//! let verdict = Verdict::of(mail, Known::default(), &Knowledge::builtin(), &Policy::default());
//! let finding = &verdict.findings[0];
//!
//! assert_eq!(finding.recipient.address.as_str(), "someone@example.org");
//! assert_eq!(finding.diagnosis.reason, Reason::UserUnknown);
//! assert_eq!(finding.diagnosis.bounce_type, BounceType::Hard);
//! ```
//!
//! [`verdict`] and all above it are pure: bytes and values in, values out. With `default-features = false` they are all that is
//! built: no runtime, no network, no database.
//!
//! The modules, so that each uses only those above it:
//!
//! - [`address`], [`printable`], [`smtp_reply`]: words that all the others use
//! - [`report`]: raw bytes → who failed, and what was said (pure)
//! - [`diagnosis`]: words and codes of one failure → why, hard or soft (pure)
//! - [`trust`]: a report → whether it answers a mail of ours (pure)
//! - [`policy`]: what is done about a failure: suspend, count or ignore (pure)
//! - [`verdict`]: all of these in one function: bytes → what is said of a mail and done about it (pure)
//! - [`backoff`], [`memory`]: how long is waited, and how much is held at once
//! - [`smtp`]: a server that takes mail in, and knows nothing of what it is for
//! - [`dns`]: texts in DNS, where the keys of our domains stand
//! - [`config`]: `config.yml` → what is meant by it
//! - [`mail`]: one mail as it came in, and the receipt by which whoever handed it in learns that it is safe
//! - [`ledger`]: what is remembered, in one commit (SQLite)
//! - [`archive`]: the raw mail behind every suspension
//! - [`telemetry`]: log lines, and the block of one mail
//! - [`suspend`]: what the ledger holds → HTTP
//! - [`engine`]: the loop that drives all of this
//! - [`intake`]: how mail arrives
//! - [`service`]: ledger, engine and suspender put together
//! - [`platform_server`]: a platform to develop against
//! - [`cli`]: one file a command

pub mod address;
#[cfg(feature = "service")]
pub mod archive;
#[cfg(feature = "service")]
pub mod backoff;
#[cfg(feature = "service")]
pub mod cli;
#[cfg(feature = "service")]
pub mod config;
pub mod diagnosis;
#[cfg(feature = "service")]
pub mod dns;
#[cfg(feature = "service")]
pub mod engine;
#[cfg(feature = "service")]
pub mod intake;
#[cfg(feature = "service")]
pub mod ledger;
#[cfg(feature = "service")]
pub mod mail;
#[cfg(feature = "service")]
pub mod memory;
#[cfg(feature = "service")]
pub mod platform_server;
pub mod policy;
pub mod printable;
pub mod report;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "service")]
pub mod smtp;
pub mod smtp_reply;
#[cfg(feature = "service")]
pub mod suspend;
#[cfg(feature = "service")]
pub mod telemetry;
pub mod trust;
pub mod verdict;
