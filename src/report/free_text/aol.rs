//! AOL: a bounce that names its members by their screen names, without a domain.
//!
//! ```text
//! Your mail to the following recipients could not be delivered because they are not accepting mail from s@x.example:
//!
//!         somebody
//! ```

use crate::address::{self, Address};
use crate::report::limits::{self, Limit};
use crate::report::mime::Mail;

/// The members that the lines name, as addresses of the domain that the mail came from.
pub(super) fn members(
    mail: &Mail<'_>,
    lines: &[&str],
    limits: &mut Vec<Limit>,
) -> Vec<(usize, Address)> {
    let from = mail.header.text("From").unwrap_or_default();
    let Some(sender) = address::in_text(&from)
        .next()
        .filter(|from| from.domain() == "aol.com")
    else {
        return Vec::new();
    };
    let heading = lines
        .iter()
        .position(|line| line.contains("not accepting mail from"));
    let below = heading.map_or(lines.len(), |heading| heading + 1);
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let mut members = Vec::new();
    for (line, text) in lines.iter().enumerate().skip(below) {
        let name = text.trim();
        if !text.starts_with([' ', '\t']) || !is_name(name) {
            continue;
        }
        if !limits::has_room(members.len(), limits) {
            break;
        }
        let member = format!("{name}@{}", sender.domain()).parse();
        members.extend(member.ok().map(|member| (line, member)));
    }
    members
}
