//! The phrases by which mail systems are known: which of them wrote a text, and whether it says "failed" or "not yet".
//!
//! Data. A phrase stands here when it is the fixed wording of a mail system's own template; what receivers say of a failure
//! belongs into `diagnosis/rules.toml`.

use aho_corasick::{AhoCorasick, MatchKind};
use std::sync::LazyLock;

/// What a phrase tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Only a bounce says this.
    Failed,
    /// Only the warning of a mail that waits says this.
    Delayed,
    /// Names the mail system, but it may speak of something else than a failure.
    Named,
}

/// A phrase in lower case, the mail system that it belongs to, and what it tells.
type Phrase = (&'static str, &'static str, Sign);

use Sign::{Delayed, Failed, Named};

/// What several mail systems write: known as a failure, but nobody's own.
pub(super) const UNNAMED: &str = "";

/// Among phrases that start at the same place the longest wins.
const PHRASES: &[Phrase] = &[
    // Postfix: src/bounce/bounce_templates.c
    ("this is the mail system at host", "Postfix", Named),
    ("this is the postfix program at host", "Postfix", Named),
    ("postfix program at host", "Postfix", Named),
    (
        "could not be delivered to one or more recipients. it's attached below",
        "Postfix",
        Failed,
    ),
    (
        "could not be delivered to one or more destinations",
        "Postfix",
        Failed,
    ),
    ("will be retried until it is", "Postfix", Delayed),
    // Exim: src/src/deliver.c
    (
        "this message was created automatically by mail delivery software",
        "Exim",
        Named,
    ),
    (
        "this message was created automatically by the smtp relay",
        "Exim",
        Named,
    ),
    ("that you sent could not be delivered to", "Exim", Failed),
    ("the following address(es) failed:", "Exim", Failed),
    (
        "could not be delivered to one or more of its recipients",
        "Exim",
        Failed,
    ),
    ("was rejected by the local scanning code", "Exim", Failed),
    ("has not yet been delivered to", "Exim", Delayed),
    (
        "the address to which the message has not yet been delivered is",
        "Exim",
        Delayed,
    ),
    ("delivery attempts will continue for", "Exim", Delayed),
    // qmail and its kin: QSBMF, https://cr.yp.to/proto/qsbmf.txt
    ("this is the qmail-send program at", "qmail", Failed),
    (
        "i wasn't able to deliver your message to the following addresses",
        "qmail",
        Failed,
    ),
    (
        "i'm afraid i wasn't able to deliver your message",
        "qmail",
        Failed,
    ),
    ("this is a permanent error; i've given up", "qmail", Failed),
    (
        "your mail message to the following address(es) could not be delivered",
        "qmail",
        Failed,
    ),
    (
        "i'm not going to try again; this message has been in the queue too long",
        "qmail",
        Failed,
    ),
    ("hi. the mta program at", "qmail", Failed),
    ("este es el programa qmail-send", "qmail", Failed),
    // Sendmail: sendmail/deliver.c, savemail.c
    (
        "the following addresses had permanent fatal errors",
        "Sendmail",
        Failed,
    ),
    (
        "the following addresses had fatal errors",
        "Sendmail",
        Failed,
    ),
    (
        "the following addresses had permanent delivery errors",
        "Sendmail",
        Failed,
    ),
    (
        "the following addresses have delivery problems",
        "Sendmail",
        Failed,
    ),
    (
        "the following addresses had delivery problems",
        "Sendmail",
        Failed,
    ),
    (
        "the following addresses had transient non-fatal errors",
        "Sendmail",
        Delayed,
    ),
    (
        "the following addresses had temporary errors",
        "Sendmail",
        Delayed,
    ),
    (
        "warning: message still undelivered after",
        "Sendmail",
        Delayed,
    ),
    ("could not send message for past", "Sendmail", Delayed),
    ("transcript of session follows", "Sendmail", Failed),
    // Courier: courier/module.dsn, libs
    (
        "this is a delivery status notification from",
        "Courier",
        Named,
    ),
    (
        "undeliverable mail your message to the following recipients cannot be delivered",
        "Courier",
        Failed,
    ),
    (
        "your message to the following recipients cannot be delivered",
        "Courier",
        Failed,
    ),
    (
        "the mail system encountered temporary errors",
        "Courier",
        Delayed,
    ),
    // OpenSMTPD: usr.sbin/smtpd/bounce.c
    (
        "an error has occurred while attempting to deliver a message for",
        "OpenSMTPD",
        Failed,
    ),
    ("a message is delayed for more than", "OpenSMTPD", Delayed),
    (
        "your message was successfully delivered to these recipients",
        "OpenSMTPD",
        Named,
    ),
    // DragonFly Mail Agent: mail.c
    ("this is the dragonfly mail agent", "dma", Named),
    ("there was an error delivering your mail to", "dma", Failed),
    // Microsoft
    ("did not reach the following recipient", "Exchange", Failed),
    (
        "your message did not reach some or all of the intended recipients",
        "Exchange",
        Failed,
    ),
    (
        "the following recipient(s) could not be reached",
        "Exchange",
        Failed,
    ),
    (
        "the following recipient(s) cannot be reached",
        "Exchange",
        Failed,
    ),
    (
        "delivery has failed to these recipients",
        "Exchange",
        Failed,
    ),
    (
        "delivery to the following recipients failed",
        "Exchange",
        Failed,
    ),
    (
        "delivery to the following recipients has been delayed",
        "Exchange",
        Delayed,
    ),
    (
        "delivery to the following recipient has been delayed",
        "Gmail",
        Delayed,
    ),
    (
        "delivery is delayed to these recipients",
        "Exchange",
        Delayed,
    ),
    (
        "your message couldn't be delivered",
        "Microsoft 365",
        Failed,
    ),
    ("your message wasn't delivered", "Microsoft 365", Failed),
    (
        "diagnostic information for administrators:",
        "Exchange",
        Failed,
    ),
    // Google
    (
        "delivery to the following recipient failed permanently",
        "Gmail",
        Failed,
    ),
    ("technical details of permanent failure", "Gmail", Failed),
    ("technical details of temporary failure", "Gmail", Delayed),
    ("this is a warning message only", UNNAMED, Delayed),
    ("this is a warning only", UNNAMED, Delayed),
    ("message will be retried for", "Gmail", Delayed),
    ("the response from the remote server was:", "Gmail", Failed),
    ("the group you tried to contact", "Google Groups", Failed),
    // Yahoo, X2
    (
        "unable to deliver message to the following address",
        "Yahoo",
        Failed,
    ),
    (
        "we were unable to deliver your message to the following address",
        "Yahoo",
        Failed,
    ),
    // Lotus Notes, Domino
    ("failure reasons ----", "Lotus Notes", Failed),
    ("was not delivered to:", "Domino", Failed),
    ("not listed in domino directory", "Domino", Failed),
    // GroupWise, MailEnable, MDaemon, IMail, MailMarshal and other servers of the nineties
    (
        "the message that you sent was undeliverable to the following",
        "GroupWise",
        Failed,
    ),
    (
        "the attached message had permanent fatal delivery errors",
        "MDaemon",
        Failed,
    ),
    (
        "the following addresses did not receive a copy of your message",
        "MDaemon",
        Failed,
    ),
    ("the attached message has been", "MDaemon", Named),
    (
        "mailenable: message could not be delivered",
        "MailEnable",
        Failed,
    ),
    (
        "message could not be delivered to some recipients",
        "MailEnable",
        Failed,
    ),
    ("rcpt to generated following response", "IMail", Failed),
    (
        "the following recipients were affected",
        "MailMarshal",
        Failed,
    ),
    ("could not be delivered because of", "MailMarshal", Failed),
    ("your message could not be sent", "SurfControl", Failed),
    (
        "the sending system reported the following",
        "SurfControl",
        Failed,
    ),
    ("interscan messaging security suite", "Trend Micro", Named),
    ("unable to deliver message to <", "Trend Micro", Failed),
    ("message from interscan", "Trend Micro", Named),
    (
        "this message was created automatically by the mail system (mcafee",
        "McAfee",
        Failed,
    ),
    (
        "--- the following addresses had delivery errors ---",
        "McAfee",
        Failed,
    ),
    (
        "delivery failed for the following reason",
        "MailFoundry",
        Failed,
    ),
    (
        "this report relates to a message you sent",
        "Oracle Messaging Server",
        Named,
    ),
    (
        "your message cannot be delivered to the following recipients",
        "Oracle Messaging Server",
        Failed,
    ),
    ("your message is being returned", UNNAMED, Failed),
    (
        "your message has been enqueued and undeliverable for",
        "Oracle Messaging Server",
        Delayed,
    ),
    ("hi. this is the james mail server", "James", Failed),
    (
        "i'm afraid i wasn't able to deliver your message to the following addresses",
        "James",
        Failed,
    ),
    (
        "the following recipients did not receive",
        "InterMail",
        Failed,
    ),
    (
        "each of the following recipients was rejected by a remote",
        "KDDI",
        Failed,
    ),
    ("your mail sent on:", "KDDI", Named),
    ("could not be delivered to: <", "KDDI", Failed),
    ("as their mailbox is full", "KDDI", Failed),
    (
        "message could not be delivered to mobile",
        "Verizon",
        Failed,
    ),
    ("failed recipients ------", UNNAMED, Failed),
    ("you are not a member of this mailing list", "FML", Failed),
    ("message not delivered to the following", "phquery", Failed),
    ("permanent fatal errors", UNNAMED, Failed),
    (
        "your delivery to the following address has been failed",
        UNNAMED,
        Failed,
    ),
    ("delevery to the following recipients", UNNAMED, Failed),
    (
        "an error occurred while trying to deliver the mail to the following recipients",
        "Amazon WorkMail",
        Failed,
    ),
    (
        "an error occurred while trying to deliver the mail to the following recip",
        "Amazon WorkMail",
        Failed,
    ),
    ("the following message to <", "Cisco ESA", Failed),
    (
        "was undeliverable. the reason for the problem",
        "Cisco ESA",
        Failed,
    ),
    ("undeliverable address:", UNNAMED, Failed),
    ("reporting-mta:", UNNAMED, Named),
    ("final-recipient:", UNNAMED, Failed),
    // 1&1, GMX, web.de, T-Online
    ("smtp error from remote server", "GMX", Failed),
    ("delivery retry timeout exceeded", "GMX", Failed),
    (
        "|------------------------- message log follows: -------------------------|",
        "T-Online",
        Failed,
    ),
    (
        "|------------------------- failed addresses follow: ---------------------|",
        "T-Online",
        Failed,
    ),
    ("failed addresses follow", "T-Online", Failed),
    // Other languages
    ("konnte nicht zugestellt werden", UNNAMED, Failed),
    (
        "konnte folgenden empfängern nicht zugestellt werden",
        UNNAMED,
        Failed,
    ),
    (
        "konnte nicht an alle empfänger zugestellt werden",
        UNNAMED,
        Failed,
    ),
    (
        "zustellung an folgende empfänger fehlgeschlagen",
        UNNAMED,
        Failed,
    ),
    ("fehler bei der nachrichtenzustellung", "Exchange", Failed),
    ("n'a pas pu être remis", UNNAMED, Failed),
    ("n'a pu être remis", UNNAMED, Failed),
    ("échec de la remise", "Exchange", Failed),
    ("n'a pas été remis", UNNAMED, Failed),
    ("no se pudo entregar", UNNAMED, Failed),
    ("no se ha podido entregar", UNNAMED, Failed),
    ("error de entrega", UNNAMED, Failed),
    ("no pudo ser entregado", UNNAMED, Failed),
    ("impossibile recapitare", UNNAMED, Failed),
    ("recapito non riuscito", "Exchange", Failed),
    ("non è stato possibile recapitare", UNNAMED, Failed),
    ("non è stato recapitato", UNNAMED, Failed),
    ("kon niet worden bezorgd", UNNAMED, Failed),
    ("kan niet worden bezorgd", UNNAMED, Failed),
    ("is niet bezorgd", UNNAMED, Failed),
    ("não foi possível entregar", UNNAMED, Failed),
    ("não pôde ser entregue", UNNAMED, Failed),
    ("falha na entrega", "Exchange", Failed),
    ("nie można dostarczyć", UNNAMED, Failed),
    ("nie mogła zostać dostarczona", UNNAMED, Failed),
    ("nie została dostarczona", UNNAMED, Failed),
    ("не может быть доставлено", UNNAMED, Failed),
    ("не было доставлено", UNNAMED, Failed),
    ("не удалось доставить", UNNAMED, Failed),
    ("ваше письмо не доставлено", UNNAMED, Failed),
    ("送信できませんでした", UNNAMED, Failed),
    ("配信できませんでした", UNNAMED, Failed),
    ("配送できませんでした", UNNAMED, Failed),
    ("お届けできませんでした", UNNAMED, Failed),
    ("送信に失敗しました", UNNAMED, Failed),
    ("配信に失敗しました", UNNAMED, Failed),
    ("エラーのため送信できませんでした", UNNAMED, Failed),
    ("宛先不明", UNNAMED, Failed),
    ("无法投递", UNNAMED, Failed),
    ("无法送达", UNNAMED, Failed),
    ("無法投遞", UNNAMED, Failed),
    ("無法傳遞", UNNAMED, Failed),
    ("投递失败", UNNAMED, Failed),
    ("被退回", UNNAMED, Failed),
    // English without an owner
    (
        "could not be delivered to the following recipient",
        UNNAMED,
        Failed,
    ),
    (
        "could not be delivered to the following address",
        UNNAMED,
        Failed,
    ),
    ("was not delivered to the following", UNNAMED, Failed),
    (
        "could not deliver message to the following recipient",
        UNNAMED,
        Failed,
    ),
    ("could not deliver your message to", UNNAMED, Failed),
    ("failed to deliver your message", UNNAMED, Failed),
    ("failed to deliver to", UNNAMED, Failed),
    ("unable to deliver your message to", UNNAMED, Failed),
    (
        "your mail was not delivered to the following",
        UNNAMED,
        Failed,
    ),
    (
        "your message has encountered delivery problems",
        UNNAMED,
        Failed,
    ),
    ("your message was not delivered", UNNAMED, Failed),
    ("your email was not delivered", UNNAMED, Failed),
    (
        "this is an automatically generated delivery status notification",
        UNNAMED,
        Named,
    ),
    ("delivery failed:", UNNAMED, Failed),
    ("mail delivery failed", UNNAMED, Failed),
];

static AUTOMATON: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .build(PHRASES.iter().map(|(phrase, _, _)| phrase))
        .expect("the phrases are a constant that a test builds")
});

/// What the known phrases say of a text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs {
    /// The mail system, where a phrase names one.
    pub(super) system: Option<&'static str>,
    /// The first phrase that only a bounce or a warning has.
    pub(super) phrase: Option<&'static str>,
    /// Whether it only warns of a delay.
    pub(super) delayed: bool,
}

/// Looks for the known phrases in the lines of a text, also where a phrase is broken over two lines.
pub(super) fn read(lines: &[&str]) -> Signs {
    let joined = lines
        .iter()
        .take(MAX_SIGN_LINES)
        .flat_map(|line| line.split_ascii_whitespace())
        .fold(String::with_capacity(1024), |mut text, word| {
            if text.len() < MAX_SIGN_BYTES {
                text.push_str(word);
                text.push(' ');
            }
            text
        });
    let mut signs = Signs::default();
    for found in AUTOMATON.find_iter(&joined) {
        let (phrase, system, sign) = PHRASES[found.pattern().as_usize()];
        if system != UNNAMED {
            signs.system = signs.system.or(Some(system));
        }
        if sign != Named {
            signs.phrase = signs.phrase.or(Some(phrase));
        }
        signs.delayed |= sign == Delayed;
    }
    signs
}

/// A template introduces itself in its first lines.
const MAX_SIGN_LINES: usize = 200;
const MAX_SIGN_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_found_as_itself() {
        for (phrase, _, _) in PHRASES {
            assert_eq!(*phrase, phrase.to_lowercase(), "phrases are in lower case");
            let words: Vec<&str> = phrase.split_ascii_whitespace().collect();
            assert_eq!(*phrase, words.join(" "), "white space is folded");
            assert!(AUTOMATON.is_match(phrase), "{phrase}");
        }
    }

    #[test]
    fn a_phrase_over_two_lines_is_found() {
        let signs = read(&["Hi. This is the qmail-send", "  program at mx.example.com."]);
        assert_eq!((signs.system, signs.delayed), (Some("qmail"), false));
    }
}
