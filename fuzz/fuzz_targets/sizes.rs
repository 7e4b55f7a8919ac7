//! A whole mail in which some bytes are repeated until it has up to 4 MB: reading it takes memory and time in proportion.

#![no_main]

#[path = "../cost.rs"]
mod cost;

use bouncedemails::report::{self, limits::MAX_RECIPIENTS};
use libfuzzer_sys::fuzz_target;
use std::sync::Once;

static PREPARED: Once = Once::new();

fuzz_target!(|raw: &[u8]| {
    PREPARED.call_once(report::prepare);
    // The last bytes say which part is repeated, and how large it becomes.
    let [mail @ .., start_high, start_low, length, doublings] = raw else {
        return;
    };
    let start = usize::from(u16::from_be_bytes([*start_high, *start_low])).min(mail.len());
    let end = (start + usize::from(length % 64) + 1).min(mail.len());
    let repeated = &mail[start..end];
    if repeated.is_empty() {
        return;
    }
    let size = (64 * 1024) << (doublings % 7);
    let mut large = mail[..start].to_vec();
    large.extend(repeated.repeat(size / repeated.len()));
    large.extend_from_slice(&mail[end..]);
    let report = cost::bounded(large.len(), || report::parse(&large));
    assert!(report.recipients.len() <= MAX_RECIPIENTS);
    assert!(report.complainants.len() <= MAX_RECIPIENTS);
});
