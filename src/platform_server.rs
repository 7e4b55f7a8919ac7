//! A platform to develop against: says where suspensions go, takes every one, and tells an observer what it got.
//!
//! For `develop-webserver` and `demo`; it remembers nothing.

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A request, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// `GET`, `POST`, …
    pub method: Method,
    /// Path and query as they came, percent-encoded.
    pub uri: Uri,
    /// The address to be suspended, where the request is about one.
    pub address: Option<String>,
    /// The request's body, usually empty.
    pub body: Bytes,
    /// The status that was answered.
    pub status: StatusCode,
    /// The body that was answered.
    pub answer: String,
}

/// One line: what was asked and what was answered. Holds text from the client.
impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri)?;
        if !self.body.is_empty() {
            write!(f, " {}", String::from_utf8_lossy(&self.body))?;
        }
        write!(f, " → {} {}", self.status.as_u16(), self.answer)
    }
}

/// Hears of every request, from whichever thread answers it.
pub type Observer = Arc<dyn Fn(Exchange) + Send + Sync>;

/// The longest body that is taken.
const LONGEST_BODY: usize = 64 * 1024;

/// Serves on `listener` until told to stop.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    observer: Observer,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/emails/{address}/suspend", post(suspend).get(root))
        .fallback(any(root))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(observer);
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

/// POST /emails/{address}/suspend
async fn suspend(
    State(observer): State<Observer>,
    Path(address): Path<String>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // Spelt as the prototype's web server spelt it.
    let quoted = serde_json::Value::from(address.as_str());
    let exchange = Exchange {
        method: head.method,
        uri: head.uri,
        address: Some(address),
        body,
        status: StatusCode::OK,
        answer: format!("{{\"processd_email\": {quoted}}}"),
    };
    answer(&observer, exchange, HeaderMap::new())
}

/// GET of any path: the root of an API like Xikolo's.
async fn root(
    State(observer): State<Observer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let mut exchange = Exchange {
        method,
        uri,
        address: None,
        body: Bytes::new(),
        status: StatusCode::METHOD_NOT_ALLOWED,
        answer: String::new(),
    };
    if exchange.method != Method::GET && exchange.method != Method::HEAD {
        return answer(&observer, exchange, HeaderMap::new());
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let template = format!(
        "http://{}/emails/{{address}}/suspend",
        host.unwrap_or("localhost")
    );
    let document = format!(
        "{{\"email_suspensions_url\": {}}}",
        serde_json::Value::from(template)
    );
    let mut hasher = DefaultHasher::new();
    document.hash(&mut hasher);
    let etag = format!("\"{:016x}\"", hasher.finish());
    let mut cache = HeaderMap::new();
    cache.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|value| value.as_bytes() == etag.as_bytes());
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        cache.insert(ETAG, etag);
    }
    (exchange.status, exchange.answer) = match known {
        true => (StatusCode::NOT_MODIFIED, String::new()),
        false => (StatusCode::OK, document),
    };
    answer(&observer, exchange, cache)
}

fn answer(observer: &Observer, exchange: Exchange, mut headers: HeaderMap) -> Response {
    if !exchange.answer.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let response = (exchange.status, headers, exchange.answer.clone()).into_response();
    observer(exchange);
    response
}
