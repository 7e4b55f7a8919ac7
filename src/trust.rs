//! Whether a mail answers one that we really sent to the address that it calls dead (DESIGN 3, "proof").
//!
//! Pure: keys and secrets are handed in. Nothing is checked yet: every finding is unproven, and says so.

use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// How well one finding is backed by what only an answer to a mail of ours can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What is known.
    pub standing: Standing,
    /// What it was taken from; none where nothing was found that proves or contradicts.
    pub by: Option<Evidence>,
    /// For people, in one sentence. Holds no text from the mail.
    pub sentence: Cow<'static, str>,
}

impl Proof {
    /// Nothing in the mail was looked at that could prove it.
    pub const UNPROVEN: Proof = Proof {
        standing: Standing::Unproven,
        by: None,
        sentence: Cow::Borrowed("nothing proves that a mail of ours is answered"),
    };
}

/// What is known of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// The mail answers one that we sent to this address.
    Proven,
    /// Nothing says that it does, and nothing that it does not.
    Unproven,
    /// It claims to answer a mail of ours, and that can't be.
    Contradicted,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Proven => "proven",
            Standing::Unproven => "unproven",
            Standing::Contradicted => "contradicted",
        })
    }
}

/// What a proof was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {}
