//! Dovecot: its delivery agent puts its reason only into the text (mail-send.c, `rejection_reason`).
//!
//! ```text
//! Your message to <a@b.example> was automatically rejected:
//! Quota exceeded (mailbox for user is full)
//! ```

use super::explanation;

const HEADING: &str = "was automatically rejected:";

/// Whether a text may hold a reason of Dovecot's.
pub(super) fn is_in(text: &str) -> bool {
    text.contains(HEADING)
}

/// The reason below the heading. It decided; a Diagnostic-Code beside it is a relay's.
pub(super) fn reason(lines: &[&str]) -> Option<String> {
    let at = lines.iter().position(|line| line.ends_with(HEADING))?;
    Some(explanation::behind("", &lines[at + 1..])).filter(|reason| !reason.is_empty())
}
