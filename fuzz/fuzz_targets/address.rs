//! Any text as an address, or with addresses in it: what is taken for one keeps the promises of `Address`.

#![no_main]

use bouncedemails::address::{self, Address};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(address) = text.parse::<Address>() {
        check(&address);
    }
    for address in address::in_text(text) {
        check(&address);
    }
});

fn check(address: &Address) {
    let text = address.as_str();
    assert!(text.len() <= Address::MAX_LEN);
    // A quoted local part may hold blanks.
    assert!(!text.contains(|c: char| c != ' ' && c.is_whitespace() || c.is_control()));
    assert!(!text.contains(' ') || text.starts_with('"'));
    assert!(!address.local_part().is_empty() && !address.domain().is_empty());
    assert_eq!(format!("{}@{}", address.local_part(), address.domain()), text);
    assert_eq!(text.parse::<Address>().as_ref(), Ok(address), "it is read as itself");
}
