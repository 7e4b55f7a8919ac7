//! The vocabulary: why a recipient failed, for how long, and whose fault that is.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Whether a failure is for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BounceType {
    /// Permanent: the address is dead.
    Hard,
    /// Temporary, or not the address's fault.
    Soft,
    /// Still being tried (RFC 3464 `Action: delayed`).
    Delayed,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// The address, or the system that it lives on.
    Recipient,
    /// The network, a host or a disk on the way.
    Transport,
    /// Us: reputation, content, policy.
    Sender,
}

macro_rules! reasons {
    ($(#[doc = $says:literal] $name:ident = $word:literal, $type:ident, $fault:ident;)+) => {
        /// Why a recipient failed. The words are those of Sisimai, so that operators can look them up.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $(#[doc = $says] #[serde(rename = $word)] $name,)+
        }

        impl Reason {
            /// Every reason, in the order of the table in DESIGN 3.
            pub const ALL: &[Reason] = &[$(Reason::$name,)+];

            /// The word that stands for it in JSON, logs, rules and the database.
            pub fn word(self) -> &'static str {
                match self { $(Reason::$name => $word,)+ }
            }

            /// What it means, in a few words.
            pub fn says(self) -> &'static str {
                match self { $(Reason::$name => $says.trim(),)+ }
            }

            /// Hard or soft; a report with `Action: delayed` overrides it.
            pub fn bounce_type(self) -> BounceType {
                match self { $(Reason::$name => BounceType::$type,)+ }
            }

            /// Whose fault it is.
            pub fn fault(self) -> Fault {
                match self { $(Reason::$name => Fault::$fault,)+ }
            }
        }

        impl FromStr for Reason {
            type Err = UnknownReason;

            fn from_str(word: &str) -> Result<Self, UnknownReason> {
                match word {
                    $($word => Ok(Reason::$name),)+
                    _ => Err(UnknownReason(word.to_owned())),
                }
            }
        }
    };
}

/// A word that is no reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such reason: {0}")]
pub struct UnknownReason(pub String);

reasons! {
    /// No such mailbox.
    UserUnknown = "userunknown", Hard, Recipient;
    /// No such domain.
    HostUnknown = "hostunknown", Hard, Recipient;
    /// Moved, no forwarding.
    HasMoved = "hasmoved", Hard, Recipient;
    /// This domain takes no mail (null MX, RFC 7505).
    NotAccept = "notaccept", Hard, Recipient;
    /// Over quota.
    MailboxFull = "mailboxfull", Soft, Recipient;
    /// Mailbox disabled or inactive.
    Suspend = "suspend", Soft, Recipient;
    /// Refused by the recipient's own settings.
    Filtered = "filtered", Soft, Recipient;
    /// A bounce whose text does not say why.
    OnHold = "onhold", Soft, Recipient;
    /// A bounce with no text to go by.
    Undefined = "undefined", Soft, Recipient;
    /// The recipient's delivery program failed.
    MailerError = "mailererror", Soft, Recipient;
    /// The queue gave up.
    Expired = "expired", Soft, Transport;
    /// No route, DNS trouble, loop, timeout.
    NetworkError = "networkerror", Soft, Transport;
    /// The remote system is broken.
    SystemError = "systemerror", Soft, Transport;
    /// The remote disk is full.
    SystemFull = "systemfull", Soft, Transport;
    /// TLS could not be agreed.
    FailedStarttls = "failedstarttls", Soft, Transport;
    /// Message too large.
    MesgTooBig = "mesgtoobig", Soft, Sender;
    /// More recipients, data or attachments than allowed.
    ExceedLimit = "exceedlimit", Soft, Sender;
    /// Malformed or unsupported content.
    ContentError = "contenterror", Soft, Sender;
    /// SMTP command or argument refused.
    SyntaxError = "syntaxerror", Soft, Sender;
    /// Violates RFC 5322 (duplicate or missing headers).
    NotCompliantRfc = "notcompliantrfc", Soft, Sender;
    /// Content judged spam.
    SpamDetected = "spamdetected", Soft, Sender;
    /// Content judged malware.
    VirusDetected = "virusdetected", Soft, Sender;
    /// Refused by local policy.
    PolicyViolation = "policyviolation", Soft, Sender;
    /// The envelope sender is refused.
    Rejected = "rejected", Soft, Sender;
    /// Our address or network is on a block list.
    Blocked = "blocked", Soft, Sender;
    /// Our reputation is too low.
    BadReputation = "badreputation", Soft, Sender;
    /// SPF, DKIM or DMARC failed.
    AuthFailure = "authfailure", Soft, Sender;
    /// No reverse DNS.
    RequirePtr = "requireptr", Soft, Sender;
    /// Relaying denied.
    NoRelaying = "norelaying", Soft, Sender;
    /// A security demand was not met.
    SecurityError = "securityerror", Soft, Sender;
    /// Too many connections from us.
    TooManyConn = "toomanyconn", Soft, Sender;
    /// Too many mails from us, rate limited.
    Speeding = "speeding", Soft, Sender;
    /// On a mail service's own list: it did not even try.
    Suppressed = "suppressed", Soft, Sender;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl BounceType {
    /// `hard`, `soft` or `delayed`.
    pub fn word(self) -> &'static str {
        match self {
            BounceType::Hard => "hard",
            BounceType::Soft => "soft",
            BounceType::Delayed => "delayed",
        }
    }
}

impl fmt::Display for BounceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Fault {
    /// `recipient`, `transport` or `sender`.
    pub fn word(self) -> &'static str {
        match self {
            Fault::Recipient => "recipient",
            Fault::Transport => "transport",
            Fault::Sender => "sender",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
