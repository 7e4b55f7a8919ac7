//! Certificate and key for STARTTLS, read again when their files change.

use crate::config::TlsFiles;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// What a TLS handshake needs.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    /// Of the files when they were read last, also if they were no good then.
    stamps: [Option<Stamp>; 2],
}

/// Changes whenever a file does, however it was put there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or no PEM.
    #[error("smtp.tls: {}: {error}; it must hold {what} in PEM form, readable for this user", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What was looked for in it.
        what: &'static str,
        /// What is wrong.
        error: rustls::pki_types::pem::Error,
    },
    /// Certificate and key are readable, but can't be used (together).
    #[error("smtp.tls: {} and {} can't be used: {error}; name a certificate chain and the key that belongs to it", .files.certificate.display(), .files.key.display())]
    Unusable {
        /// Which.
        files: TlsFiles,
        /// What is wrong.
        error: rustls::Error,
    },
}

impl Tls {
    /// Reads both files.
    pub fn load(files: &TlsFiles) -> Result<Tls, TlsError> {
        // The stamps first: a change while we read is seen at the next handshake.
        let stamps = stamps(files);
        Ok(Tls {
            files: files.clone(),
            current: Mutex::new(Current {
                config: Arc::new(server_config(files)?),
                stamps,
            }),
        })
    }

    /// For one handshake, with the files as they are now. While they are no good (half replaced, say), the last good ones are used.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock();
        let stamps = stamps(&self.files);
        if stamps != current.stamps {
            current.stamps = stamps;
            match server_config(&self.files) {
                Ok(config) => {
                    current.config = Arc::new(config);
                    tracing::info!(
                        "The certificate {} was read again.",
                        self.files.certificate.display()
                    );
                }
                Err(error) => tracing::error!("The certificate before is still used: {error}."),
            }
        }
        TlsAcceptor::from(current.config.clone())
    }
}

fn stamps(files: &TlsFiles) -> [Option<Stamp>; 2] {
    let stamp = |file: &Path| {
        let metadata: Metadata = std::fs::metadata(file).ok()?;
        Some(Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        })
    };
    [stamp(&files.certificate), stamp(&files.key)]
}

fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let of_certificate = |error| TlsError::File {
        file: files.certificate.clone(),
        what: "a certificate chain",
        error,
    };
    let of_key = |error| TlsError::File {
        file: files.key.clone(),
        what: "a private key",
        error,
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(of_certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(of_key)?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| TlsError::Unusable {
            files: files.clone(),
            error,
        })
}
