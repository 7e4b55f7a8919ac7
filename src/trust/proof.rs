//! What is known of a finding, by what, and in words.

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
    /// For people, in one sentence. Of the mail's own text it holds addresses and the names of keys.
    pub sentence: Cow<'static, str>,
    /// What is used up by believing it, if it is proven: what names the mail of ours that it answers. That proves one failure of one
    /// address.
    pub spends: Vec<String>,
}

impl Proof {
    /// Nothing in the mail was looked at that could prove it.
    pub const UNPROVEN: Proof = Proof {
        standing: Standing::Unproven,
        by: None,
        sentence: Cow::Borrowed("nothing proves that a mail of ours is answered"),
        spends: Vec::new(),
    };

    /// A mail of ours is answered, and has proven an earlier failure of the same address.
    pub const SPENT: Proof = Proof {
        standing: Standing::Unproven,
        by: None,
        sentence: Cow::Borrowed(
            "the mail of ours that is answered has proven an earlier failure of this address",
        ),
        spends: Vec::new(),
    };
}

/// As people read it: `proven by DKIM: the signature of …`, `unproven: nothing proves …`.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Proof {
            standing,
            by,
            sentence,
            ..
        } = self;
        match by {
            Some(by) => write!(f, "{standing} by {by}: {sentence}"),
            None => write!(f, "{standing}: {sentence}"),
        }
    }
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

impl Standing {
    /// As it is stored, and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Proven => "proven",
            Standing::Unproven => "unproven",
            Standing::Contradicted => "contradicted",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a proof was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Our signature of the original, header and body.
    Dkim,
    /// Our signature of the original's header; its body was not returned, or not as it was.
    DkimHeader,
    /// The token in the original's `X-Bounce-Token`.
    TokenHeader,
    /// The token in the return path, to which the mail came back.
    TokenReturnPath,
}

impl Evidence {
    /// As it is stored, and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Evidence::Dkim => "dkim",
            Evidence::DkimHeader => "dkim-header",
            Evidence::TokenHeader => "token-header",
            Evidence::TokenReturnPath => "token-return-path",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Evidence::Dkim => "DKIM",
            Evidence::DkimHeader => "DKIM of the header",
            Evidence::TokenHeader => "token in X-Bounce-Token",
            Evidence::TokenReturnPath => "token in the return path",
        })
    }
}
