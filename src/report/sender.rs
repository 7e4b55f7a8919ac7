//! Who sent a mail, and what its subject says: whether it may be a bounce at all.

use super::dsn;
use super::mime::Mail;
use super::phrases::PHRASES;
use crate::address;

/// What the header says of the sender.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    /// A mail system sent it: MAILER-DAEMON, postmaster, an empty sender.
    pub(super) is_daemon: bool,
    /// The words in the subject that bounces have.
    pub(super) subject: Option<&'static str>,
    /// The words in the subject that notices of success have.
    pub(super) success: Option<&'static str>,
    /// The subject is that of a warning: the mail system goes on trying.
    pub(super) is_delay: bool,
    /// It calls itself an answer: a vacation reply, a read receipt.
    pub(super) is_answer: bool,
    /// A mailing list passed it on.
    pub(super) is_list: bool,
    /// The subject says that somebody answers.
    is_reply: bool,
    /// The subject says that somebody passed it on.
    pub(super) is_forward: bool,
    /// Whether a machine sent it.
    pub(super) machine: Machine,
}

/// How sure it is that a machine sent a mail, and not a person who quotes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// It has what only mail systems give their mails.
    Certain,
    /// It was sent without a person, maybe to say something else: a ticket system answers so, too.
    Likely,
    /// Nothing shows it.
    No,
}

impl Sender {
    /// Whether a mail system writes that something failed.
    pub(super) fn is_mail_system(&self) -> bool {
        self.is_daemon && self.subject.is_some()
    }

    /// Whether a person answers: what is attached is what the answer is about, and was reported when it came.
    pub(super) fn is_person_answering(&self) -> bool {
        self.is_reply && self.machine != Machine::Certain
    }

    pub(super) fn of(mail: &Mail<'_>) -> Sender {
        let from = mail.header.text("From").unwrap_or_default().to_lowercase();
        let subject = mail
            .header
            .text("Subject")
            .unwrap_or_default()
            .to_lowercase();
        let subject = without_tags(&subject);
        let bare = subject.trim_start_matches("re:").trim_start();
        let is_daemon = from.contains("<>") || PHRASES.daemon.find(&from).is_some();
        let is_forward = PHRASES.forward.start(subject);
        let is_reply = PHRASES.reply.start(subject);
        let delay = PHRASES.delay.find(subject);
        let of_bounce = PHRASES.bounce.find(subject).or(delay);
        let by_hand = match (is_reply, is_forward) {
            (true, _) if of_bounce.is_some() => ByHand::AnswerToBounce,
            (false, false) => ByHand::No,
            _ => ByHand::Maybe,
        };
        Sender {
            is_daemon,
            subject: of_bounce,
            success: PHRASES.success.find(subject),
            is_delay: delay.is_some(),
            is_list: mail.header.has("List-Id") || mail.header.has("List-Post"),
            is_answer: PHRASES.answer.start(bare) || PHRASES.answer_end.end(subject.trim_end()),
            is_reply,
            is_forward,
            machine: machine(mail, &from, is_daemon, by_hand),
        }
    }
}

/// The subject without the tags that gateways and ticket systems put in front: `[EXT] [Ticket 77] Re: hello`.
fn without_tags(subject: &str) -> &str {
    let mut rest = subject.trim_start();
    while let Some(tag) = rest
        .strip_prefix('[')
        .filter(|_| !rest.starts_with("[fwd:"))
        && let Some(end) = tag.find(']')
    {
        rest = tag[end + 1..].trim_start();
    }
    rest
}

/// Headers that only mail systems and list managers put into mails of their own.
const BOUNCE_HEADERS: [&str; 3] = ["X-Failed-Recipients", "X-Actual-Recipient", "X-MLServer"];

/// What the subject says of whether a person wrote the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByHand {
    No,
    /// An answer or a forward, which may be a person's even where a postmaster writes it.
    Maybe,
    /// `Re: Undelivered Mail`: machines answer no bounces.
    AnswerToBounce,
}

/// Whether a machine sent the mail.
fn machine(mail: &Mail<'_>, from: &str, is_daemon: bool, by_hand: ByHand) -> Machine {
    let header = &mail.header;
    let null_path = header
        .text("Return-Path")
        .is_some_and(|path| matches!(path.trim(), "" | "<>"));
    let has_bounce_header = BOUNCE_HEADERS.into_iter().any(|name| header.has(name));
    let is_report = mail.report_type.as_deref() == Some("delivery-status") || dsn::is_in(mail);
    if null_path || has_bounce_header || is_report || is_daemon && by_hand == ByHand::No {
        return Machine::Certain;
    }
    let auto_submitted = header
        .text("Auto-Submitted")
        .is_some_and(|how| !how.trim().eq_ignore_ascii_case("no"));
    let is_automaton =
        address::in_text(from).any(|sender| PHRASES.automaton.start(sender.local_part()));
    match by_hand {
        ByHand::No if auto_submitted || is_automaton => Machine::Likely,
        ByHand::Maybe if is_daemon => Machine::Likely,
        _ => Machine::No,
    }
}
