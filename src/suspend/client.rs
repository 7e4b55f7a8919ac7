//! HTTP as platforms are spoken to: bounded in time and memory, no redirects, no cookies, no proxy, no surprises.
//!
//! It asks and tells what came of it; what that means is for [`super::answer`].

use super::answer::{Answer, Attempt, Unreachable, retry_after};
use crate::config::{Authority, Platform, Target};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::{Certificate, Client as Http, RequestBuilder, Response, redirect};
use rustls::CertificateError;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use url::{Origin, Url};

/// No more of an answer to a POST is read: more than is ever shown of it.
const MOST_OF_AN_ANSWER: usize = 4 * 1024;

/// No more of an answer to a GET is read.
const MOST_OF_A_DOCUMENT: usize = 64 * 1024;

const USER_AGENT: &str = concat!("bouncedemails/", env!("CARGO_PKG_VERSION"));

/// How long is waited for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection, with name resolution and TLS.
    pub connect: Duration,
    /// For the whole of a request, from the connection to the end of the answer.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(10),
            whole: Duration::from_secs(30),
        }
    }
}

/// The connections to one platform.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
    headers: HeaderMap,
    /// The origin that the headers are for. They may hold a token, which is for no other host, whatever the platform's JSON says.
    home: Option<Origin>,
    timeouts: Timeouts,
}

/// A client that can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The authorities of the system can't be used.
    #[error(
        "the certificate authorities of this system cannot be used; install ca-certificates, or name the platform's own with `ca_file`"
    )]
    System(#[source] reqwest::Error),
    /// The platform's own authority can't be used.
    #[error("the certificates of the `ca_file` {} cannot be used", file.display())]
    Own {
        /// Where they were read from.
        file: PathBuf,
        /// Why.
        source: reqwest::Error,
    },
}

impl Client {
    /// A client for a platform; nothing is connected yet.
    ///
    /// # Errors
    /// When the system's or the platform's authorities can't be used.
    pub fn new(platform: &Platform, timeouts: Timeouts) -> Result<Client, ClientError> {
        let fault = |source| match &platform.authority {
            None => ClientError::System(source),
            Some(Authority { file, .. }) => ClientError::Own {
                file: file.clone(),
                source,
            },
        };
        // An error means that the process has a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Http::builder()
                .user_agent(USER_AGENT)
                .redirect(redirect::Policy::none())
                // A proxy is for browsers of this machine's users; the environment of a daemon must not reroute bearer tokens.
                .no_proxy()
                .referer(false)
                .connect_timeout(timeouts.connect)
                .timeout(timeouts.whole)
        };
        let base_url = match &platform.target {
            Target::Template(template) => template.as_str(),
            Target::Xikolo(url) => url,
        };
        let http = match &platform.authority {
            Some(authority) => {
                let certificates = authority.certificates.iter();
                certificates
                    .map(|der| Certificate::from_der(der))
                    .collect::<Result<Vec<_>, _>>()
                    .and_then(|certificates| builder().tls_certs_only(certificates).build())
            }
            None => match builder().build() {
                // A machine without ca-certificates; plain HTTP needs none.
                Err(_) if base_url.starts_with("http://") => builder().tls_certs_only([]).build(),
                built => built,
            },
        };
        Ok(Client {
            http: http.map_err(fault)?,
            headers: platform.headers.clone(),
            home: Url::parse(base_url).ok().map(|url| url.origin()),
            timeouts,
        })
    }

    /// POSTs a JSON body, or none (`Content-Length: 0`).
    ///
    /// # Errors
    /// When no answer came.
    pub async fn post(&self, url: &str, json: Option<Vec<u8>>) -> Attempt {
        let url = parse(url)?;
        let request = self.with_headers(&url, self.http.post(url.clone()));
        let request = match json {
            Some(json) => request.header(CONTENT_TYPE, "application/json").body(json),
            // Said although there is no body: some servers insist (411), and RFC 9110 section 8.6 asks for it.
            None => request.header(CONTENT_LENGTH, 0),
        };
        let response = request.send().await.map_err(|error| self.reason(&error))?;
        let status = response.status();
        let retry_after = retry_after(response.headers(), SystemTime::now());
        // The status is the answer. A body that is slow, broken or endless changes nothing about it.
        let (body, _) = beginning(response, MOST_OF_AN_ANSWER).await;
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
            retry_after,
        })
    }

    /// GETs a document with further headers; the answer is whole.
    ///
    /// # Errors
    /// When no answer came, or not all of it, or too much.
    pub async fn get(
        &self,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<http::Response<Vec<u8>>, Unreachable> {
        let request = self.with_headers(url, self.http.get(url.clone()));
        let response = request.headers(headers).send().await;
        let response = response.map_err(|error| self.reason(&error))?;
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        let (body, end) = beginning(response, MOST_OF_A_DOCUMENT).await;
        match end {
            End::Reached => {
                *answer.body_mut() = body;
                Ok(answer)
            }
            End::TooFar => Err(Unreachable::NoUrl {
                why: format!("its answer has more than {MOST_OF_A_DOCUMENT} bytes"),
                pause: None,
            }),
            End::Broken(error) => Err(self.reason(&error)),
        }
    }

    fn with_headers(&self, url: &Url, request: RequestBuilder) -> RequestBuilder {
        match self.home.as_ref() == Some(&url.origin()) {
            true => request.headers(self.headers.clone()),
            false => request,
        }
    }

    /// Tells the reasons apart that an operator can do something about.
    fn reason(&self, error: &reqwest::Error) -> Unreachable {
        let innermost = causes(error).last().map(ToString::to_string);
        let innermost = innermost.unwrap_or_else(|| error.to_string());
        if error.is_dns() {
            return Unreachable::Name(innermost);
        }
        if let Some(tls) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
            return Unreachable::Tls(plain(tls));
        }
        if error.is_timeout() {
            return match error.is_connect() {
                true => Unreachable::NoConnection(self.timeouts.connect),
                false => Unreachable::Silent(self.timeouts.whole),
            };
        }
        let io = causes(error)
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .last();
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Unreachable::Refused,
            // With a connection that stands, only the handshake is left to fail.
            Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
                if error.is_connect() =>
            {
                Unreachable::Tls(innermost)
            }
            _ if error.is_connect() => Unreachable::Other(innermost),
            _ => Unreachable::Broken(innermost),
        }
    }
}

fn parse(url: &str) -> Result<Url, Unreachable> {
    Url::parse(url).map_err(|error| Unreachable::Other(format!("its URL is none: {error}")))
}

/// What an operator can do something about in plain words, the rest in those of the library.
fn plain(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(fault) = error else {
        return error.to_string();
    };
    match fault {
        CertificateError::UnknownIssuer => {
            "its certificate is signed by no authority that is trusted here; a private one is named with `ca_file`".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; is the clock right?".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name than that in `base_url`".to_owned()
        }
        _ => error.to_string(),
    }
}

/// An error's causes, from the outside in. An [`io::Error`] hides what it wraps from [`Error::source`].
fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&'a (dyn Error + 'static)| {
        let cause: &'a (dyn Error + 'static) = *cause;
        match cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        }
    })
}

/// How reading a body ended.
enum End {
    Reached,
    TooFar,
    Broken(reqwest::Error),
}

/// Reads up to `most` bytes of a body. One that is read to its end leaves the connection for the next request.
async fn beginning(mut response: Response, most: usize) -> (Vec<u8>, End) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return (body, End::Reached),
            Ok(Some(chunk)) => {
                let room = most - body.len();
                if chunk.len() > room {
                    body.extend_from_slice(&chunk[..room]);
                    return (body, End::TooFar);
                }
                body.extend_from_slice(&chunk);
            }
            Err(error) => return (body, End::Broken(error)),
        }
    }
}
