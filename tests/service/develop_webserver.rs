//! `develop-webserver`, as the prototype's was.

use crate::support::{Daemon, bouncedemails, runtime};
use std::process::Command;

/// The server on a free port, and its URL.
fn start() -> (Daemon, String) {
    let server = Daemon::spawn(bouncedemails().args(["develop-webserver", "0"]));
    let line = server.wait_for("A platform listens on");
    let url = line.split_once("http://").expect("it names its URL").1;
    let url = format!("http://{}", url.trim_end_matches('/'));
    (server, url)
}

/// Asks with a client of our own: status, `ETag`, `Cache-Control` and body.
fn ask(request: reqwest::RequestBuilder) -> (u16, String, String, String) {
    runtime().block_on(async {
        let answer = request.send().await.expect("it answers");
        let header = |name: &str| {
            let value = answer.headers().get(name).map(|value| value.to_str());
            value.map_or_else(String::new, |value| value.expect("it is text").to_owned())
        };
        let (status, etag, cache) = (answer.status(), header("etag"), header("cache-control"));
        let body = answer.text().await.expect("it has a body");
        (status.as_u16(), etag, cache, body)
    })
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("HTTP can be set up")
}

#[test]
fn a_suspension_is_answered_and_logged() {
    let (server, url) = start();
    let path = "/emails/evil-address%40some-provider.com/suspend";
    let (status, _, _, body) = ask(client().post(format!("{url}{path}")));
    let answer = r#"{"processd_email": "evil-address@some-provider.com"}"#;
    assert_eq!((status, body.as_str()), (200, answer));
    server.wait_for(&format!("POST {path} → 200 {answer}"));
    let (status, _, _, body) = ask(client().post(format!("{url}/emails/a%22%1b%40b/suspend")));
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"processd_email": "a\"\u001b@b"}"#)
    );
    let (status, ..) = ask(client().post(format!("{url}/elsewhere")));
    assert_eq!(status, 405);
}

#[test]
fn its_root_says_where_suspensions_go_and_for_how_long() {
    let (_server, url) = start();
    let (status, etag, cache, body) = ask(client().get(format!("{url}/any/path")));
    let expected = format!(r#"{{"email_suspensions_url": "{url}/emails/{{address}}/suspend"}}"#);
    assert_eq!(
        (status, body.as_str(), cache.as_str()),
        (200, expected.as_str(), "max-age=60")
    );
    let (_, _, _, body) = ask(client().get(&url).header("Host", "platform.example:80"));
    let expected =
        r#"{"email_suspensions_url": "http://platform.example:80/emails/{address}/suspend"}"#;
    assert_eq!(body, expected);
    let (status, again, _, body) = ask(client().get(&url).header("If-None-Match", &etag));
    assert_eq!(
        (status, again.as_str(), body.as_str()),
        (304, etag.as_str(), "")
    );
}

#[test]
fn a_port_that_is_taken_is_said() {
    let (_server, url) = start();
    let port = url.rsplit(':').next().expect("it has a port");
    let second = Command::new(env!("CARGO_BIN_EXE_bouncedemails"))
        .args(["develop-webserver", port])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        said.contains(&format!("port {port} cannot be listened on")),
        "{said}"
    );
}
