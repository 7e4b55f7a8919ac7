//! Any text as a user's own rules: they are taken, or refused with a sentence, without a panic; and those that are taken work.

#![no_main]

use bouncedemails::diagnosis::{Rules, diagnose};
use bouncedemails::report::{Action, Recipient};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Rules::with_user_rules(text) {
        Ok(rules) => {
            let recipient = Recipient {
                address: "user@example.org".parse().expect("an address"),
                original_recipient: None,
                action: Action::Failed,
                status: None,
                reply_code: None,
                command: None,
                diagnostic: Some(text.to_owned()),
                reporting_mta: None,
                remote_mta: None,
                source: "fuzz".to_owned(),
            };
            assert!(!diagnose(&recipient, &rules).evidence.is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
