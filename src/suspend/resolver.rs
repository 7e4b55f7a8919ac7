//! Where a platform's suspend URLs come from: its configuration, or a document of its own that is cached as HTTP says (RFC 9111).

use super::answer::{Unreachable, retry_after};
use super::client::Client;
use super::clock::Clock;
use crate::config::{Target, Template, TemplateError, masked};
use http::header::{
    ACCEPT, AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue,
    LAST_MODIFIED, PRAGMA, RETRY_AFTER, VARY,
};
use http::{Request, Response, StatusCode};
use http_cache_semantics::{AfterResponse, BeforeRequest, CacheOptions, CachePolicy};
use serde::Deserialize;
use std::fmt::Display;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use url::Url;

/// Gives the template of a platform.
#[derive(Debug)]
pub enum Resolver {
    /// It is in the configuration.
    Configured(Template),
    /// It is in the platform's document.
    Document(Box<Document>),
}

/// A document with `email_suspensions_url` (the root of Xikolo's API), and what is remembered of it.
#[derive(Debug)]
pub struct Document {
    url: String,
    /// That of the caching: how old an answer is must not hang on a clock that is set.
    clock: Clock,
    cached: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    template: Template,
    policy: CachePolicy,
    /// Until when it may be used if asking fails (RFC 5861, `stale-if-error`).
    usable_until: SystemTime,
}

impl Resolver {
    /// The resolver for a target. Nothing is asked yet.
    pub fn new(target: &Target, clock: Clock) -> Resolver {
        match target {
            Target::Template(template) => Resolver::Configured(template.clone()),
            Target::Xikolo(url) => Resolver::Document(Box::new(Document {
                url: url.clone(),
                clock,
                cached: Mutex::new(None),
            })),
        }
    }

    /// The template to be used now.
    ///
    /// # Errors
    /// When the document can't be had, or holds no usable template.
    pub async fn template(&self, client: &Client) -> Result<Template, Unreachable> {
        match self {
            Resolver::Configured(template) => Ok(template.clone()),
            Resolver::Document(document) => document.template(client).await,
        }
    }
}

impl Document {
    async fn template(&self, client: &Client) -> Result<Template, Unreachable> {
        let request = Request::get(&self.url)
            .header(ACCEPT, "application/json")
            .body(())
            .map_err(|error| no_url(format!("{} is no URL: {error}", masked(&self.url))))?;
        let mut cached = self.cached.lock().await;
        let validating = match &*cached {
            None => None,
            Some(known) => match known.policy.before_request(&request, self.clock.steady()) {
                BeforeRequest::Fresh(_) => return Ok(known.template.clone()),
                BeforeRequest::Stale { request, .. } => Some(request.headers),
            },
        };
        let headers = validating.unwrap_or_else(|| request.headers().clone());
        match self.ask(client, &request, headers, &mut cached).await {
            Ok(template) => Ok(template),
            Err(fault) => match &*cached {
                Some(known) if self.clock.steady() < known.usable_until => {
                    Ok(known.template.clone())
                }
                _ => Err(fault),
            },
        }
    }

    /// Gets the document, or learns that what is cached still holds, and remembers what may be remembered.
    async fn ask(
        &self,
        client: &Client,
        request: &Request<()>,
        headers: HeaderMap,
        cached: &mut Option<Cached>,
    ) -> Result<Template, Unreachable> {
        let url: Url = self
            .url
            .parse()
            .map_err(|error| no_url(format!("{} is no URL: {error}", masked(&self.url))))?;
        let mut answer = for_caching(client.get(&url, headers).await?);
        if answer.status() == StatusCode::NOT_MODIFIED
            && let Some(known) = cached.take()
        {
            let now = self.clock.steady();
            match known.policy.after_response(request, &answer, now) {
                AfterResponse::NotModified(policy, _) => {
                    let template = known.template.clone();
                    *cached = Cached::new(known.template, policy, &answer, now);
                    return Ok(template);
                }
                // It is about another document than the one that was asked about: ask for all of it.
                AfterResponse::Modified(..) => {
                    let headers = request.headers().clone();
                    answer = for_caching(client.get(&url, headers).await?);
                }
            }
        }
        let template = read(&url, &answer)?;
        let now = self.clock.steady();
        let options = CacheOptions {
            shared: false,
            ..CacheOptions::default()
        };
        let policy = CachePolicy::new_options(request, &answer, now, options);
        *cached = match policy.is_storable() {
            true => Cached::new(template.clone(), policy, &answer, now),
            false => None,
        };
        Ok(template)
    }
}

impl Cached {
    fn new<B>(
        template: Template,
        policy: CachePolicy,
        answer: &Response<B>,
        now: SystemTime,
    ) -> Option<Cached> {
        let fresh = policy.time_to_live(now);
        let usable = fresh.saturating_add(stale_if_error(answer.headers()));
        Some(Cached {
            template,
            policy,
            usable_until: now.checked_add(usable)?,
        })
    }
}

/// What the rules of caching look at; the rest of the headers would only be kept.
const FOR_CACHING: [HeaderName; 9] = [
    AGE,
    CACHE_CONTROL,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    PRAGMA,
    RETRY_AFTER,
    VARY,
];

/// Drops all other headers, and an `Age` beyond all sense, which would overflow the sums that are made with it.
fn for_caching<B>(mut answer: Response<B>) -> Response<B> {
    let mut kept = HeaderMap::new();
    for name in FOR_CACHING {
        for value in answer.headers().get_all(&name) {
            let sane = |age: &HeaderValue| age.to_str().is_ok_and(|age| age.parse::<u32>().is_ok());
            if name != AGE || sane(value) {
                kept.append(name.clone(), value.clone());
            }
        }
    }
    *answer.headers_mut() = kept;
    answer
}

/// For how long beyond its freshness an answer may be used when asking fails.
fn stale_if_error(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(CACHE_CONTROL).iter();
    directives
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|directive| directive.trim().strip_prefix("stale-if-error="))
        .and_then(|seconds| seconds.parse().ok())
        .map_or(Duration::ZERO, Duration::from_secs)
}

/// What is read of the document.
#[derive(Deserialize)]
struct Root {
    email_suspensions_url: String,
}

fn read(url: &Url, answer: &Response<Vec<u8>>) -> Result<Template, Unreachable> {
    if !answer.status().is_success() {
        return Err(Unreachable::NoUrl {
            why: format!(
                "GET {} answers {}",
                masked(url.as_str()),
                answer.status().as_u16()
            ),
            pause: retry_after(answer.headers(), SystemTime::now()),
        });
    }
    let root: Root = serde_json::from_slice(answer.body()).map_err(|error| {
        no_url(format!(
            "the answer to GET {} is no JSON object with `email_suspensions_url` ({error})",
            masked(url.as_str())
        ))
    })?;
    let written = &root.email_suspensions_url;
    let fault = |error: &dyn Display| {
        no_url(format!(
            "`email_suspensions_url` in the answer to GET {} {error} (it is {})",
            masked(url.as_str()),
            masked(written)
        ))
    };
    let template: Template = absolute(url, written)
        .parse()
        .map_err(|error: TemplateError| fault(&error))?;
    // Whoever wrote https wants neither the address nor the body to cross the network in clear.
    if url.scheme() == "https" && !template.as_str().starts_with("https://") {
        return Err(fault(&"must begin with https://, as `base_url` does"));
    }
    Ok(template)
}

/// Completes a template that is relative (RFC 3986 section 4.2). Done by hand, because [`Url::join`] would encode its braces.
fn absolute(base: &Url, template: &str) -> String {
    let first = template.split(['/', '?', '#', '{']).next();
    if first.is_some_and(|segment| segment.contains(':')) {
        return template.to_owned();
    }
    let scheme = base.scheme();
    let origin = base.origin().ascii_serialization();
    if template.starts_with("//") {
        format!("{scheme}:{template}")
    } else if template.starts_with('/') {
        format!("{origin}{template}")
    } else {
        let path = base.path();
        let folder = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
        format!("{origin}{folder}{template}")
    }
}

fn no_url(why: String) -> Unreachable {
    Unreachable::NoUrl { why, pause: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_template_is_completed() {
        let base: Url = "https://user:secret@a.example:8443/api/v1?x"
            .parse()
            .unwrap();
        for (written, absolute_url) in [
            ("/e/{address}", "https://a.example:8443/e/{address}"),
            ("e/{address}", "https://a.example:8443/api/e/{address}"),
            ("{address}/s", "https://a.example:8443/api/{address}/s"),
            ("//b.example/{address}", "https://b.example/{address}"),
            ("http://b.example/{address}", "http://b.example/{address}"),
        ] {
            assert_eq!(absolute(&base, written), absolute_url);
            assert!(absolute_url.parse::<Template>().is_ok());
        }
        for written in ["ftp://b.example/{address}", "javascript:{address}"] {
            assert!(absolute(&base, written).parse::<Template>().is_err());
        }
    }

    #[test]
    fn what_a_document_says_is_told_when_it_is_wrong() {
        let url: Url = "https://user:secret@a.example/api?secret".parse().unwrap();
        for (body, fault) in [
            ("<html>", "no JSON object with `email_suspensions_url`"),
            ("{}", "missing field `email_suspensions_url`"),
            (
                r#"{"email_suspensions_url":"https://a.example/"}"#,
                "must hold {address}",
            ),
            (
                r#"{"email_suspensions_url":"file:///{address}"}"#,
                "must begin with https:// or http://",
            ),
            (
                r#"{"email_suspensions_url":"http://a.example/{address}?secret"}"#,
                "must begin with https://, as `base_url` does (it is http://a.example/{address}?***)",
            ),
        ] {
            let answer = Response::new(body.as_bytes().to_vec());
            let error = read(&url, &answer).unwrap_err().to_string();
            assert!(
                error.contains(fault) && !error.contains("secret"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_begins_encrypted_stays_so() {
        let read = |document: &str, template: &str| {
            let body = format!(r#"{{"email_suspensions_url":"{template}"}}"#);
            read(
                &document.parse().unwrap(),
                &Response::new(body.into_bytes()),
            )
            .is_ok()
        };
        for template in [
            "https://b.example/{address}",
            "//b.example/{address}",
            "/{address}",
        ] {
            assert!(read("https://a.example/api", template), "{template}");
            assert!(read("http://a.example/api", template), "{template}");
        }
        for template in [
            "http://a.example/{address}",
            "HTTP://a.example/{address}",
            "ws://a.example/{address}",
        ] {
            assert!(!read("https://a.example/api", template), "{template}");
        }
        assert!(read("http://a.example/api", "http://b.example/{address}"));
    }

    #[test]
    fn stale_if_error_is_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(stale_if_error(&headers), Duration::ZERO);
        let value = HeaderValue::from_static("max-age=1, stale-if-error=600");
        headers.insert(CACHE_CONTROL, value);
        assert_eq!(stale_if_error(&headers), Duration::from_secs(600));
    }

    #[test]
    fn an_age_that_would_overflow_is_dropped() {
        let kept = |age: &'static str| {
            let mut answer = Response::new(());
            answer
                .headers_mut()
                .insert(AGE, HeaderValue::from_static(age));
            for_caching(answer).headers().contains_key(AGE)
        };
        assert!(kept("86400"));
        assert!(!kept("18446744073709551615"));
        assert!(!kept("-1"));
    }
}
