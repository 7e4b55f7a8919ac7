//! What is wrong with a configuration file, in one line for the person who wrote it.

use std::path::{Path, PathBuf};

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// None was named, and none is in the usual places.
    #[error(
        "no configuration: neither {} exists; copy config.template.yml there, or name one with --config FILE",
        super::SEARCHED.join(" nor ")
    )]
    NotFound,
    /// The file can't be read.
    #[error("{}: cannot be read: {error}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What it says is wrong.
    #[error("{}{}: {message}", file.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Wrong {
        /// Which file.
        file: PathBuf,
        /// The line, counted from 1, where one is to blame.
        line: Option<usize>,
        /// Key, fault, and what to write instead.
        message: String,
    },
}

/// A fault in the text of a configuration, before it is known which file it came from.
#[derive(Debug)]
pub(super) enum Fault {
    Yaml(serde_yaml::Error),
    NoEnvironment { wanted: String, others: Vec<String> },
}

impl Fault {
    pub(super) fn in_file(self, file: &Path, text: &str) -> ConfigError {
        let (line, message) = match self {
            Fault::Yaml(error) => blame(&error, text),
            Fault::NoEnvironment { wanted, others } => (
                None,
                format!(
                    "there is no environment `{wanted}`; it has {}: choose one with --env NAME, or add `{wanted}:`",
                    if others.is_empty() {
                        "none".to_owned()
                    } else {
                        others.join(", ")
                    }
                ),
            ),
        };
        ConfigError::Wrong {
            file: file.to_owned(),
            line,
            message,
        }
    }
}

/// The line to blame, and the message without the parser's own `at line L column C`.
fn blame(error: &serde_yaml::Error, text: &str) -> (Option<usize>, String) {
    let mut message = error.to_string();
    let Some(location) = error.location() else {
        return (None, message);
    };
    let suffix = format!(" at line {} column {}", location.line(), location.column());
    if let Some(end) = message.rfind(&suffix) {
        message.replace_range(end..end + suffix.len(), "");
    }
    (Some(line_of_key(&message, text, location.line())), message)
}

/// A mapping's fault is reported at its first key: look further down for the key that the message quotes first,
/// within the same block.
fn line_of_key(message: &str, text: &str, line: usize) -> usize {
    let Some(key) = message.split('`').nth(1) else {
        return line;
    };
    let mut block = text.lines().enumerate().skip(line.saturating_sub(1));
    let Some((_, first)) = block.next() else {
        return line;
    };
    if is_key(first, key) {
        return line;
    }
    block
        .take_while(|(_, text)| text.trim().is_empty() || indent(text) >= indent(first))
        .find(|(_, text)| is_key(text, key))
        .map_or(line, |(number, _)| number + 1)
}

/// The line of a key, by its path from the top; if it does not stand there on a line of its own, that of the key above it.
pub(super) fn line_of_path(path: &[&str], text: &str) -> Option<usize> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    let mut found = None;
    let mut above = None;
    for key in path {
        let next = lines
            .by_ref()
            .take_while(|(_, line)| above.is_none_or(|above| indent(line) > above))
            .find(|(_, line)| is_key(line, key));
        let Some((number, line)) = next else { break };
        above = Some(indent(line));
        found = Some(number + 1);
    }
    found
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_key(line: &str, key: &str) -> bool {
    line.trim_start()
        .strip_prefix(key)
        .is_some_and(|rest| rest.trim_start().starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_path_is_that_of_its_last_key_that_stands_there() {
        let text = "\
staging:
  smtp:
    tls:
      key: a

# production:
production:
  handler:
    smtp.key: x
  smtp:
    # tls:
    listen: 0.0.0.0:25
    tls: {certificate: a, key: b}
  amqp:
    key: c
";
        for (path, line) in [
            (&["production"][..], Some(7)),
            (&["production", "smtp", "listen"], Some(12)),
            (&["production", "smtp", "tls", "key"], Some(13)),
            (&["staging", "smtp", "tls", "key"], Some(4)),
            (&["production", "amqp"], Some(14)),
            (&["production", "rules"], Some(7)),
            (&["testing"], None),
        ] {
            assert_eq!(line_of_path(path, text), line, "{path:?}");
        }
    }
}
