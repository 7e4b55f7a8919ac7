//! Mails of ours, bounces of them, and what is said of those.

use crate::support::{Signer, Signing};
use bouncedemails::address::Address;
use bouncedemails::report::{self, Recipient};
use bouncedemails::trust::{Clues, Day, Keys, Known, Proof, PublicKey, Secret};
use std::sync::LazyLock;

pub const OURS: &str = "openhpi.de";

/// 2026-11-25, 12:00 UTC.
pub const NOW: u64 = 1_795_608_000;

pub const TODAY: Day = Day(20_782);

/// As mail servers sign.
pub const SIGNING: Signing<'static> = Signing {
    canonicalization: "relaxed/relaxed",
    names: "from:to:subject:date:message-id",
    made: NOW - 3_600,
};

/// Made once: an RSA key takes its time.
pub static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rsa(OURS, "s2026"));
pub static ED25519: LazyLock<Signer> = LazyLock::new(|| Signer::ed25519(OURS, "e2026"));

/// The keys of all signers above.
pub fn keys() -> Keys {
    let mut keys = Keys::default();
    for signer in [&*RSA, &*ED25519] {
        add(&mut keys, signer);
    }
    keys
}

pub fn add(keys: &mut Keys, signer: &Signer) {
    let key = PublicKey::parse(signer.record()).expect("openssl's keys can be read");
    keys.add(&signer.domain, &signer.selector, key);
}

pub fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

/// A mail of ours.
pub fn news(to: &str) -> String {
    format!(
        "From: My Platform <no-reply@openhpi.de>\nTo: {to}\nSubject: There is a\n\tnew   video\n\
         Date: Wed, 25 Nov 2026 11:00:00 +0000\nMessage-ID: <news.7@openhpi.de>\n\
         Content-Type: text/plain; charset=us-ascii\n\nHello,\n\nthere is a  new video. \n\n"
    )
}

/// A mail of ours, signed by the usual key.
pub fn signed(to: &str) -> String {
    RSA.sign(SIGNING, &news(to))
}

/// A bounce of an address, to no-reply@openhpi.de, that returns this part.
pub fn bounce(failed: &str, media: &str, returned: &str) -> String {
    format!(
        "Received: by mx.example.net (Postfix); Wed, 25 Nov 2026 11:00:02 +0000\n\
         From: MAILER-DAEMON@mx.example.net\nTo: no-reply@openhpi.de\n\
         Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\
         Message-Id: <1@mx.example.net>\n\n\
         --b\nContent-Type: text/plain\n\n<{failed}>: host mx.example.org said: 550 5.1.1 no such user\n\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n\
         Final-Recipient: rfc822; {failed}\nAction: failed\nStatus: 5.1.1\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user\n\n\
         --b\nContent-Type: {media}\n\n{returned}\n--b--\n"
    )
}

/// A bounce that returns the whole original.
pub fn whole(failed: &str, original: &str) -> String {
    bounce(failed, "message/rfc822", original)
}

/// A bounce that returns its header only.
pub fn headers(failed: &str, original: &str) -> String {
    let original = original.replace("\r\n", "\n");
    let (header, _) = original.split_once("\n\n").expect("a header and a body");
    bounce(failed, "text/rfc822-headers", header)
}

/// What is known when a mail comes.
pub struct Situation {
    pub keys: Keys,
    pub secrets: Vec<Secret>,
    pub envelope: Vec<Address>,
    pub today: Day,
}

impl Default for Situation {
    fn default() -> Situation {
        Situation {
            keys: keys(),
            secrets: Vec::new(),
            envelope: Vec::new(),
            today: TODAY,
        }
    }
}

impl Situation {
    /// What a mail proves of an address that it calls dead.
    pub fn proof(&self, mail: &str, mailed: &str) -> Proof {
        let report = report::parse(mail.as_bytes());
        let known = Known {
            platform: OURS,
            raw: mail.as_bytes(),
            envelope_recipients: &self.envelope,
            keys: &self.keys,
            secrets: &self.secrets,
            today: self.today,
        };
        let mailed = address(mailed);
        // It is spelt as the returned mail spells it.
        let is_named = |one: &Recipient| one.address.is_same_mailbox(&mailed);
        assert!(
            report.recipients.iter().any(is_named),
            "{:?}",
            report.recipients
        );
        Clues::find(&report, known).about(&mailed)
    }
}

/// What a mail proves of an address that it calls dead, with the keys of all signers known.
pub fn proof(mail: &str, mailed: &str) -> Proof {
    Situation::default().proof(mail, mailed)
}
