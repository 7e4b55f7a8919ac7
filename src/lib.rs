//! Takes in bounced mails, finds out which address failed and whether for good, and tells the platform to stop mailing
//! an address that is dead.
//!
//! ```
//! use bouncedemails::diagnosis::{BounceType, Reason, Rules, diagnose};
//! use bouncedemails::report;
//!
//! let mail = b"From: MAILER-DAEMON@mx.example.org\r\n\
//!     To: no-reply@example.com\r\n\
//!     Subject: Mail delivery failed: returning message to sender\r\n\r\n\
//!     This message was created automatically by mail delivery software.\r\n\r\n\
//!       someone@example.org\r\n\
//!         host mx.example.org [192.0.2.1]\r\n\
//!         SMTP error from remote mail server after RCPT TO:<someone@example.org>:\r\n\
//!         550 no such user\r\n";
//! let report = report::parse(mail);
//! let recipient = &report.recipients[0];
//! let diagnosis = diagnose(recipient, &Rules::builtin());
//!
//! assert_eq!(recipient.address.as_str(), "someone@example.org");
//! assert_eq!(diagnosis.reason, Reason::UserUnknown);
//! assert_eq!(diagnosis.bounce_type, BounceType::Hard);
//! ```
//!
//! [`report`] and [`diagnosis`] are pure: bytes and values in, values out. With `default-features = false` they, and what
//! they use, are all that is built: no runtime, no network, no database.
//!
//! The modules, so that each uses only those above it:
//!
//! - [`address`], [`printable`], [`smtp_reply`]: words that all the others use
//! - [`report`]: raw bytes → who failed, and what was said (pure)
//! - [`diagnosis`]: words and codes of one failure → why, hard or soft (pure)
//! - [`backoff`], [`memory`]: how long is waited, and how much is held at once
//! - [`smtp`]: a server that takes mail in, and knows nothing of what it is for
//! - [`config`]: `config.yml` → what is meant by it
//! - [`mail`]: one mail as it came in, and the receipt by which whoever handed it in learns that it is safe
//! - [`policy`]: what is done about a failure: suspend, count or ignore (pure)
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
#[cfg(feature = "service")]
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
