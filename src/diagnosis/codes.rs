//! Patterns of codes as rules write them: `5.1.*`, `*.2.2`, `55*`.

use crate::smtp_reply::Status;
use std::str::FromStr;

/// Matches enhanced status codes (RFC 3463). `None` stands for `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatusPattern([Option<u16>; 3]);

impl StatusPattern {
    pub(super) fn matches(self, status: Status) -> bool {
        let numbers = [u16::from(status.class), status.subject, status.detail];
        self.0
            .iter()
            .zip(numbers)
            .all(|(wanted, number)| wanted.is_none_or(|wanted| wanted == number))
    }
}

impl FromStr for StatusPattern {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.split('.').map(|part| match part {
            "*" => Ok(None),
            digits => digits.parse::<u16>().map(Some).map_err(|_| ()),
        });
        let mut next = || numbers.next().ok_or(())?;
        let pattern = StatusPattern([next()?, next()?, next()?]);
        let class = matches!(pattern.0[0], None | Some(4 | 5));
        match numbers.next() {
            None if class => Ok(pattern),
            _ => Err(()),
        }
    }
}

/// Matches SMTP reply codes: `550`, `55*`, `5**`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CodePattern {
    from: u16,
    to: u16,
}

impl CodePattern {
    pub(super) fn matches(self, code: u16) -> bool {
        (self.from..=self.to).contains(&code)
    }
}

impl FromStr for CodePattern {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.trim_end_matches('*');
        let form =
            text.len() == 3 && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !form || !text.starts_with(['4', '5']) {
            return Err(());
        }
        let filled = |with: &str| text.replace('*', with).parse().map_err(|_| ());
        Ok(CodePattern {
            from: filled("0")?,
            to: filled("9")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_codes() {
        let matches = |pattern: &str, status: &str| {
            pattern
                .parse::<StatusPattern>()
                .unwrap()
                .matches(status.parse().unwrap())
        };
        assert!(
            matches("5.1.1", "5.1.1") && matches("*.1.*", "4.1.9") && matches("5.7.*", "5.7.606")
        );
        assert!(!matches("5.1.1", "5.1.10") && !matches("5.*.*", "4.0.0"));
        let code = |pattern: &str, code| pattern.parse::<CodePattern>().unwrap().matches(code);
        assert!(code("550", 550) && code("55*", 559) && code("4**", 421) && !code("55*", 540));
    }

    #[test]
    fn what_is_no_pattern() {
        for text in ["5.1", "5.1.1.1", "7.1.1", "5.x.1", "", "5..1"] {
            assert!(text.parse::<StatusPattern>().is_err(), "{text}");
        }
        for text in ["5", "***", "250", "5*0", "5500", "", "ü50"] {
            assert!(text.parse::<CodePattern>().is_err(), "{text}");
        }
    }
}
