//! Whether a bounce proves that we mailed the address: real signatures by a signer that is not ours, and every attack on them.

#[path = "../support/mod.rs"]
mod support;

mod dkim;
mod mails;
mod token;
