//! Any text as a user's own rules: they are taken, or refused with a sentence, without a panic; and those that are taken work.

#![no_main]

use bouncedemails::diagnosis::{Rules, diagnose};
use bouncedemails::report::Recipient;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Rules::with_user_rules(text) {
        Ok(rules) => {
            let recipient = Recipient {
                diagnostic: Some(text.into()),
                ..Recipient::new("user@example.org".parse().expect("an address"), "fuzz")
            };
            assert!(!diagnose(&recipient, &rules).evidence.is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
