//! Any bytes as an SMTP client's side of a conversation.

#![no_main]

#[path = "../conversation.rs"]
mod conversation;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| conversation::check(bytes));
