//! Lists of addresses in header fields (RFC 5322 section 3.4): all of them, or none where one can't be read.

use super::Address;

/// The addresses in the value of a field such as `To`, folded or not, in their order; none where one of its entries is
/// no address, as `anna,berta@example.com` may be one address that nobody quoted. Display names, comments and the
/// names of groups are left out.
///
/// ```
/// use bouncedemails::address::in_list;
/// let list = in_list("\"Doe, J.\" <j@example.com>, team: a@example.org (A), b@example.org;").unwrap();
/// assert_eq!(list.len(), 3);
/// assert_eq!(in_list("anna,berta@example.com"), None);
/// ```
pub fn in_list(value: &str) -> Option<Vec<Address>> {
    let mut addresses = Vec::new();
    let mut entry = Entry::default();
    let mut quoted = false;
    let mut escaped = false;
    let mut comments = 0_usize;
    let mut in_group = false;
    for c in value.chars() {
        let syntax = !std::mem::take(&mut escaped);
        match c {
            '\\' if syntax && (quoted || comments > 0) => {
                escaped = true;
                if comments == 0 {
                    entry.push(c);
                }
            }
            '"' if syntax && comments == 0 => {
                quoted = !quoted;
                entry.push(c);
            }
            _ if quoted => entry.push(c),
            '(' if syntax => {
                comments += 1;
                entry.push(' ');
            }
            ')' if syntax && comments > 0 => comments -= 1,
            _ if comments > 0 => {}
            '<' if syntax => entry.open()?,
            '>' if syntax => entry.close()?,
            ':' if syntax && !in_group && entry.is_name() => {
                in_group = true;
                entry = Entry::default();
            }
            ',' | ';' if syntax && addresses.is_empty() && entry.is_empty() && !in_group => {
                return None;
            }
            ',' | ';' if syntax && !entry.is_open() => {
                addresses.extend(std::mem::take(&mut entry).address()?);
                in_group &= c == ',';
            }
            _ => entry.push(c),
        }
    }
    addresses.extend(entry.address()?);
    // What looks like the name of a group that has no end is the half of an address.
    let whole = !quoted && comments == 0 && (!in_group || addresses.is_empty());
    whole.then_some(addresses)
}

/// One entry of a list, as far as it is read.
#[derive(Debug, Default)]
struct Entry {
    /// What stands outside of brackets.
    name: String,
    /// What stands in angle brackets.
    bracketed: Option<String>,
    open: bool,
}

impl Entry {
    fn push(&mut self, c: char) {
        match &mut self.bracketed {
            Some(address) if self.open => address.push(c),
            _ => self.name.push(c),
        }
    }

    /// None where it has brackets already.
    fn open(&mut self) -> Option<()> {
        self.open = true;
        self.bracketed
            .replace(String::new())
            .is_none()
            .then_some(())
    }

    /// None where no bracket is open.
    fn close(&mut self) -> Option<()> {
        std::mem::take(&mut self.open).then_some(())
    }

    fn is_empty(&self) -> bool {
        self.bracketed.is_none() && self.name.trim().is_empty()
    }

    fn is_open(&self) -> bool {
        self.open
    }

    /// Whether so far it may be the name of a group.
    fn is_name(&self) -> bool {
        self.bracketed.is_none() && !self.name.contains('@') && !self.name.trim().is_empty()
    }

    /// The address of the entry, if it is not empty; none at all where it can't be read.
    fn address(self) -> Option<Option<Address>> {
        let text = match &self.bracketed {
            Some(_) if self.open => return None,
            Some(address) => address,
            None => &self.name,
        };
        let text = text.trim();
        if text.is_empty() {
            return Some(None);
        }
        text.parse().ok().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(value: &str) -> Option<Vec<String>> {
        let list = in_list(value)?;
        Some(list.iter().map(Address::to_string).collect())
    }

    #[test]
    fn names_comments_and_groups_are_left_out() {
        let of = |addresses: &[&str]| Some(addresses.iter().map(|a| (*a).to_owned()).collect());
        for (value, addresses) in [
            ("a@b.example", &["a@b.example"][..]),
            (
                "\"x@y.example, z\" <a@b.example>,\n\tc@d.example (e@f.example (g))",
                &["a@b.example", "c@d.example"],
            ),
            ("undisclosed-recipients:;", &[]),
            (
                "Team: a@b.example, \"c, d\"@e.example;",
                &["a@b.example", "\"c, d\"@e.example"],
            ),
            ("<\"a>b\"@c.example>", &["\"a>b\"@c.example"]),
            ("\"a\\\"b\" <a@b.example>, , <>", &["a@b.example"]),
            ("anna日本@b.example", &["anna日本@b.example"]),
        ] {
            assert_eq!(list(value), of(addresses), "{value}");
        }
    }

    #[test]
    fn one_broken_entry_makes_the_list_unreadable() {
        for value in [
            "a,b@c.example",
            "a b@c.example",
            "a@b.example, c",
            "a@b@c.example",
            "a<b@c.example",
            "\"a@b.example",
            "a:b@c.example",
            "a(b)c@d.example",
            "a@b.example (c",
        ] {
            assert_eq!(list(value), None, "{value}");
        }
    }
}
