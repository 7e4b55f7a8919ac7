//! Who sent a mail, and what its subject says: whether it may be a bounce at all.

use super::mime::Mail;
use super::phrases::PHRASES;

/// What the header says of the sender.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    /// A mail system sent it: MAILER-DAEMON, postmaster, an empty sender.
    pub(super) is_daemon: bool,
    /// The words in the subject that bounces have.
    pub(super) subject: Option<&'static str>,
    /// The words in the subject that notices of success have.
    pub(super) success: Option<&'static str>,
    /// It calls itself an answer: a vacation reply, a read receipt.
    pub(super) is_answer: bool,
    /// A mailing list passed it on.
    pub(super) is_list: bool,
}

impl Sender {
    /// Whether a mail system writes that something failed.
    pub(super) fn is_mail_system(&self) -> bool {
        self.is_daemon && self.subject.is_some()
    }

    pub(super) fn of(mail: &Mail<'_>) -> Sender {
        let from = mail.header.text("From").unwrap_or_default().to_lowercase();
        let subject = mail
            .header
            .text("Subject")
            .unwrap_or_default()
            .to_lowercase();
        let bare = subject.trim_start_matches("re:").trim_start();
        Sender {
            is_daemon: from.contains("<>") || PHRASES.daemon.find(&from).is_some(),
            subject: PHRASES.bounce.find(&subject),
            success: PHRASES.success.find(&subject),
            is_list: mail.header.has("List-Id") || mail.header.has("List-Post"),
            is_answer: PHRASES.answer.start(bare),
        }
    }
}
