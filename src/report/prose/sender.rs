//! Who sent a mail, and what its subject says: whether it may be a bounce at all.

use crate::report::mail::Mail;

/// What the header says of the sender.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Sender {
    /// A mail system sent it: MAILER-DAEMON, postmaster, an empty sender.
    pub(super) is_daemon: bool,
    /// The words in the subject that bounces have.
    pub(super) subject: Option<&'static str>,
    /// It calls itself an answer: a vacation reply, a read receipt.
    pub(in crate::report) is_answer: bool,
}

/// Names of mail systems, in lower case, as local part or in the display name.
const DAEMONS: [&str; 18] = [
    "mailer-daemon",
    "mailer_daemon",
    "mailerdaemon",
    "postmaster",
    "mail delivery",
    "mail.delivery",
    "mail-daemon",
    "maildaemon",
    "mdaemon",
    "mail administrator",
    "mail system",
    "delivery subsystem",
    "system administrator",
    "systemadministrator",
    "interscan",
    "imss@",
    "mail_service",
    "bounce@",
];

/// What subjects of bounces contain, in lower case.
const SUBJECTS: [&str; 71] = [
    "undeliver",
    "non-deliver",
    "nondeliver",
    "not delivered",
    "not be delivered",
    "could not deliver",
    "couldn't be delivered",
    "unable to deliver",
    "undelivered",
    "returned mail",
    "returned to sender",
    "return to sender",
    "returning message",
    "returned message",
    "failure notice",
    "failure notification",
    "failed mail",
    "failed delivery",
    "failure delivery",
    "delivery fail",
    "delivery has failed",
    "delivery problem",
    "delivery error",
    "delivery failure",
    "delivery status",
    "delivery report",
    "delivery notification",
    "delivery has been delayed",
    "mail failure",
    "mail error",
    "mail system error",
    "message delayed",
    "message delivery",
    "delayed mail",
    "delayed 24 hours",
    "warning: message",
    "warning: could not send",
    "nameserver error report",
    "status notification",
    "permanent delivery failure",
    "message status",
    "bounce",
    "unzustellbar",
    "nicht zugestellt",
    "nicht zustellbar",
    "zustellung fehlgeschlagen",
    "zustellfehler",
    "non remis",
    "non distribu",
    "échec",
    "no se pudo entregar",
    "no se puede entregar",
    "no entregado",
    "error de entrega",
    "mancato recapito",
    "non recapitabile",
    "impossibile recapitare",
    "onbestelbaar",
    "niet bezorgd",
    "não entregue",
    "falha na entrega",
    "nie można dostarczyć",
    "niedostarczon",
    "не доставлен",
    "недоставлен",
    "エラー通知",
    "配信不能",
    "配信エラー",
    "送信できません",
    "退信",
    "投递失败",
];

/// What subjects of answers start with, in lower case.
const ANSWERS: [&str; 34] = [
    "auto:",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autorespon",
    "automatic reply",
    "automatic response",
    "automated reply",
    "automated response",
    "automatische antwort",
    "automatisch antwoord",
    "automatiserat svar",
    "automatisk svar",
    "out of office",
    "out of the office",
    "out-of-office",
    "vacation",
    "on vacation",
    "away from",
    "i am out",
    "i'm out",
    "abwesen",
    "réponse automatique",
    "absence du bureau",
    "respuesta automática",
    "fuera de la oficina",
    "risposta automatica",
    "fuori ufficio",
    "resposta automática",
    "автоответ",
    "自動返信",
    "自动回复",
];

impl Sender {
    /// Whether a mail system writes that something failed.
    pub(in crate::report) fn is_mail_system(&self) -> bool {
        self.is_daemon && self.subject.is_some()
    }

    pub(in crate::report) fn of(mail: &Mail<'_>) -> Sender {
        let from = mail.header.text("From").unwrap_or_default().to_lowercase();
        let subject = mail
            .header
            .text("Subject")
            .unwrap_or_default()
            .to_lowercase();
        let bare = subject.trim_start_matches("re:").trim_start();
        Sender {
            is_daemon: from.contains("<>") || DAEMONS.iter().any(|name| from.contains(name)),
            subject: SUBJECTS.into_iter().find(|words| subject.contains(words)),
            is_answer: ANSWERS.iter().any(|words| bare.starts_with(words)),
        }
    }
}
