//! TLS: a private authority's certificate is taken with `ca_file`, and refused without.

use super::harness::{Bench, quick};
use crate::support::{Configuration, bouncedemails, temp_dir};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

/// An authority, and a certificate of its for these names.
fn certificate(authority: &str, names: &[&str]) -> (String, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, authority);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(names).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (authority.pem(), config)
}

/// A platform that takes everything, over TLS; its port. Its threads end with the test process.
fn serve(config: ServerConfig) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || {
                let mut stream = StreamOwned::new(session, stream);
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|read| read > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nover!";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_private_authority_is_taken_with_its_file_and_refused_without() {
    let (authority, config) = certificate("ours", &["localhost"]);
    let (other_authority, _) = certificate("another", &["localhost"]);
    let port = serve(config);
    let folder = temp_dir();
    let (file, other_file) = (
        folder.path().join("ca.pem"),
        folder.path().join("other.pem"),
    );
    std::fs::write(&file, authority).unwrap();
    std::fs::write(&other_file, other_authority).unwrap();
    let url = format!("https://localhost:{port}/{{address}}");
    let other_name = format!("https://127.0.0.1:{port}/{{address}}");
    let (file, other_file) = (file.to_str().unwrap(), other_file.to_str().unwrap());
    let mut bench = Bench::new(|c| {
        c.domain("private.example", &[("base_url", &url), ("ca_file", file)])
            .domain("public.example", &[("base_url", &url)])
            .domain(
                "other.example",
                &[("base_url", &url), ("ca_file", other_file)],
            )
            .domain(
                "misnamed.example",
                &[("base_url", &other_name), ("ca_file", file)],
            )
    });
    for domain in ["private", "public", "other", "misnamed"] {
        bench.suspend(&format!("{domain}.example"), &["a@x.example"]);
    }
    bench.start(quick());
    let rows = bench.wait_for_state("private.example", "delivered");
    assert_eq!(rows[0].answer.as_deref(), Some("200 / over!"));
    for domain in ["public", "other", "misnamed"] {
        let line =
            format!("{domain}.example cannot be told: TLS with its host fails (its certificate ");
        let line = bench.log.wait_for(&[&line]);
        assert!(
            line.contains(if domain == "misnamed" {
                "is for another name"
            } else {
                "is signed by no authority that is trusted here"
            }),
            "{line}"
        );
        assert_eq!(bench.rows(&format!("{domain}.example"))[0].state, "pending");
    }
}

#[test]
fn a_system_without_authorities_is_said_where_they_are_needed() {
    let folder = temp_dir();
    let command = |base_url: &str| {
        let configuration = Configuration::in_folder(folder.path())
            .domain("bare.example", &[("base_url", base_url)])
            .write();
        let output = bouncedemails()
            .arg("--config")
            .arg(configuration)
            .args(["import", "/dev/null"])
            .env("SSL_CERT_FILE", "/dev/null")
            .env("SSL_CERT_DIR", folder.path())
            .output()
            .expect("it starts");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (done, said) = command("https://bare.example/{address}");
    assert!(!done && said.contains("install ca-certificates"), "{said}");
    let (done, said) = command("http://bare.example/{address}");
    assert!(done, "{said}");
}
