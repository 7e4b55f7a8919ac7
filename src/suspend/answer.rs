//! What came of asking a platform, and what that means for a suspension (DESIGN 9). Pure: it neither asks nor waits.

use crate::config::Misleading;
use crate::ledger::LONGEST_WAIT;
use crate::printable::Printable;
use http::header::{HeaderMap, RETRY_AFTER};
use http::status::StatusCode;
use std::time::{Duration, SystemTime};

/// The longest that a `Retry-After` is believed: a mistaken one must not silence a platform for good.
const LONGEST_RETRY_AFTER: Duration = LONGEST_WAIT;

/// An answer of a platform. Its text is the platform's: to be escaped wherever it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The beginning of the body.
    pub body: String,
    /// For how long the platform wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer, in words for an operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// DNS does not know the host, or does not answer.
    #[error("the name of its host cannot be resolved ({0})")]
    Name(String),
    /// The host is there, and nothing listens.
    #[error("its host refuses the connection")]
    Refused,
    /// The host does not accept the connection in time.
    #[error("its host does not take the connection within {} s", .0.as_secs_f32())]
    NoConnection(Duration),
    /// TLS can't be agreed, mostly because of the certificate.
    #[error("TLS with its host fails ({0})")]
    Tls(String),
    /// The connection stands, and no answer comes in time.
    #[error("it does not answer within {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The connection broke before an answer came.
    #[error("the connection broke off before it answered ({0})")]
    Broken(String),
    /// The `xikolo` resolver got an answer that it can't use.
    #[error("its suspend URL cannot be found: {why}")]
    NoUrl {
        /// What is wrong with that answer.
        why: String,
        /// For how long the platform wants to be left alone.
        pause: Option<Duration>,
    },
    /// The address is put into no URL.
    #[error(transparent)]
    Misleading(#[from] Misleading),
    /// Anything else.
    #[error("it cannot be asked ({0})")]
    Other(String),
}

impl Unreachable {
    /// Where every other suspension would meet the same, one try is enough to know.
    fn scope(&self) -> Scope {
        match self {
            Unreachable::NoUrl {
                pause: Some(pause), ..
            } => Scope::Pause(*pause),
            Unreachable::Name(_)
            | Unreachable::Refused
            | Unreachable::NoConnection(_)
            | Unreachable::Tls(_)
            | Unreachable::NoUrl { pause: None, .. } => Scope::All,
            Unreachable::Silent(_)
            | Unreachable::Broken(_)
            | Unreachable::Misleading(_)
            | Unreachable::Other(_) => Scope::One,
        }
    }
}

/// What came of asking.
pub type Attempt = Result<Answer, Unreachable>;

/// What it means for the suspension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The platform knows now.
    Delivered,
    /// The platform does not know the address (404, 410): there is nothing to stop.
    NothingToStop,
    /// It passes: try again.
    Passing(Scope),
    /// The platform will never take it.
    Refused,
    /// The platform is not asked, as no URL may hold the address.
    Unsendable,
}

/// How a passing fault bears on the platform's other suspensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// It may be about this one only.
    One,
    /// The others would meet the same.
    All,
    /// The platform asked for a pause.
    Pause(Duration),
}

/// Judges an answer, or the lack of one.
pub fn outcome(attempt: &Attempt) -> Outcome {
    let answer = match attempt {
        Ok(answer) => answer,
        Err(Unreachable::Misleading(_)) => return Outcome::Unsendable,
        Err(unreachable) => return Outcome::Passing(unreachable.scope()),
    };
    match answer.status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::NothingToStop,
        status if is_passing(status) => Outcome::Passing(match answer.retry_after {
            Some(pause) => Scope::Pause(pause),
            // Too many requests are never about one address.
            None if status == StatusCode::TOO_MANY_REQUESTS => Scope::All,
            None => Scope::One,
        }),
        _ => Outcome::Refused,
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

/// Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP date; at most an hour is believed.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match httpdate::parse_http_date(value) {
        Ok(date) => date.duration_since(now).unwrap_or_default(),
        // Digits beyond what a number holds are a very long pause, not none.
        Err(_) if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
            Duration::from_secs(value.parse().unwrap_or(u64::MAX))
        }
        Err(_) => return None,
    };
    Some(pause.min(LONGEST_RETRY_AFTER))
}

/// How much of an answer is shown, in characters.
const SHOWN: usize = 200;

/// What log, ledger and commands show of an answer, such as `200 / {"processd_email": "a@b.example"}`, or of its lack: one line,
/// escaped.
pub fn words(attempt: &Attempt) -> String {
    match attempt {
        Ok(answer) => {
            let status = answer.status.as_u16();
            let body = answer.body.trim();
            if body.is_empty() {
                return status.to_string();
            }
            let end = body
                .char_indices()
                .nth(SHOWN)
                .map_or(body.len(), |(at, _)| at);
            format!("{status} / {}", Printable(&body[..end]))
        }
        Err(unreachable) => Printable(&unreachable.to_string()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, retry_after: Option<u64>) -> Attempt {
        Ok(Answer {
            status: StatusCode::from_u16(status).unwrap(),
            body: String::new(),
            retry_after: retry_after.map(Duration::from_secs),
        })
    }

    #[test]
    fn each_status_means_what_design_8_says() {
        for status in [200, 201, 202, 204] {
            assert_eq!(outcome(&answered(status, None)), Outcome::Delivered);
        }
        for status in [404, 410] {
            assert_eq!(outcome(&answered(status, None)), Outcome::NothingToStop);
        }
        for status in [408, 425, 500, 502, 503, 504, 599] {
            let passing = Outcome::Passing(Scope::One);
            assert_eq!(outcome(&answered(status, None)), passing, "{status}");
        }
        for status in [301, 302, 307, 308, 400, 401, 403, 405, 409, 422, 451] {
            assert_eq!(outcome(&answered(status, None)), Outcome::Refused);
        }
    }

    #[test]
    fn a_rate_limit_and_a_pause_concern_every_suspension() {
        let pause = Outcome::Passing(Scope::Pause(Duration::from_secs(7)));
        assert_eq!(outcome(&answered(429, None)), Outcome::Passing(Scope::All));
        assert_eq!(outcome(&answered(429, Some(7))), pause);
        assert_eq!(outcome(&answered(503, Some(7))), pause);
        assert_eq!(outcome(&answered(403, Some(7))), Outcome::Refused);
        assert_eq!(
            outcome(&Err(Unreachable::Refused)),
            Outcome::Passing(Scope::All)
        );
        assert_eq!(
            outcome(&Err(Unreachable::Broken("reset".to_owned()))),
            Outcome::Passing(Scope::One)
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, now).map(|pause| pause.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(read("31536000"), Some(3600));
        assert_eq!(read("99999999999999999999999999"), Some(3600));
        assert_eq!(read("Fri, 31 Dec 9999 23:59:59 GMT"), Some(3600));
        assert_eq!(read("-1"), None);
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn the_beginning_of_an_answer_is_shown_in_one_line() {
        let answer = |body: String| {
            words(&Ok(Answer {
                status: StatusCode::OK,
                body,
                retry_after: None,
            }))
        };
        let json = "{\"processd_email\": \"a@b.example\"}";
        assert_eq!(answer(format!("{json}\n")), format!("200 / {json}"));
        assert_eq!(answer("a\n\u{1b}[2J".to_owned()), r"200 / a\u{a}\u{1b}[2J");
        assert_eq!(
            answer("ä".repeat(300)),
            format!("200 / {}", "ä".repeat(200))
        );
    }
}
