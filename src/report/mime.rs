//! A mail taken apart: its header, its parts, what it says to people, and what it returns. Knows nothing of bounces.
//!
//! Lenient, and without recursion: the mails are broken, and some are made to exhaust who reads them.

mod decode;
mod header;
mod html;
mod mail;
mod part;

pub(super) use decode::first_mailbox;
pub(super) use header::{Header, decoded};
pub(super) use mail::Mail;
pub(super) use part::Part;
