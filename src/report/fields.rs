//! Groups of `Name: value` fields in the body of a report part (RFC 3464 section 2.1, RFC 5965 section 3.1), as mail systems
//! really write them: folded with and without indentation, groups without blank lines between them.

/// The fields between two blank lines.
pub(super) type Group<'x> = Vec<Field<'x>>;

/// One field: its name as written, its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'x> {
    pub(super) name: &'x str,
    /// The first line and its continuations, joined by line feeds.
    pub(super) value: String,
}

/// How many lines are read: twenty for each of [`super::limits::MAX_RECIPIENTS`] recipients.
const MAX_LINES: usize = 20 * super::limits::MAX_RECIPIENTS;

/// Splits the body of a report part into groups. Names hold only letters, digits and hyphens, so that a line of
/// free text (`host mx.example.com said:`) continues the field before it.
pub(super) fn groups(text: &str) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    let mut group: Group<'_> = Vec::new();
    for line in text.lines().take(MAX_LINES) {
        if line.trim().is_empty() {
            if !group.is_empty() {
                groups.push(std::mem::take(&mut group));
            }
        } else if let Some((name, value)) = field(line)
            && (group.is_empty() || !line.starts_with([' ', '\t']))
        {
            let value = value.trim().to_owned();
            group.push(Field { name, value });
        } else if let Some(last) = group.last_mut() {
            last.value.push('\n');
            last.value.push_str(line.trim());
        }
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// `Name: value` at the start of a line.
pub(super) fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim();
    let is_name = name.len() >= 2
        && name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_name.then_some((name, value))
}

/// The value of the first field of one of these names that is not empty.
pub(super) fn get<'a>(group: &'a [Field<'_>], name: &str) -> Option<&'a str> {
    group
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value.trim())
        .find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_joined_with_and_without_indentation() {
        let groups = groups(
            "Reporting-MTA: b\n\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550-no\n    such\nuser (really: none)\n\n\n",
        );
        assert_eq!(groups.len(), 2);
        assert_eq!(
            get(&groups[1], "diagnostic-code"),
            Some("smtp; 550-no\nsuch\nuser (really: none)")
        );
        assert_eq!(get(&groups[1], "Action"), None);
    }
}
