//! Certificate and key for STARTTLS, read again when their files change.

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// What TLS needs, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, and those between it and the root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

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
    #[error(
        "{} cannot be read by this user ({}); write the path of a PEM file, and mend its owner",
        file.display(),
        plain(error)
    )]
    File {
        /// The key below `smtp.tls` that names it.
        key: &'static str,
        /// Which.
        file: PathBuf,
        /// What is wrong.
        error: pem::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {block} block; it must be a PEM file with `-----BEGIN {block}-----`{but}", file.display())]
    Empty {
        /// The key below `smtp.tls` that names it.
        key: &'static str,
        /// Which.
        file: PathBuf,
        /// What was looked for in it.
        block: &'static str,
        /// What else is to be known of that.
        but: &'static str,
    },
    /// Certificate and key are readable, but can't be used (together).
    #[error(
        "{} and {} can't be used: {error}; name a certificate chain and the key that belongs to it",
        .files.certificate.display(),
        .files.key.display()
    )]
    Unusable {
        /// Which.
        files: TlsFiles,
        /// What is wrong.
        error: rustls::Error,
    },
}

/// The fault of a file without the words `I/O error`.
fn plain(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// When they can't be read or used.
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

    /// For one handshake, with the files as they are now. While they are no good (half replaced, say), the last good
    /// ones are used.
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
    let chain = chain(&files.certificate)?;
    let key = private_key(&files.key)?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| TlsError::Unusable {
            files: files.clone(),
            error,
        })
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match chain {
        Ok(chain) if chain.is_empty() => Err(TlsError::Empty {
            key: "certificate",
            file: file.to_owned(),
            block: "CERTIFICATE",
            but: "",
        }),
        Ok(chain) => Ok(chain),
        Err(error) => Err(TlsError::File {
            key: "certificate",
            file: file.to_owned(),
            error,
        }),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::Empty {
            key: "key",
            file: file.to_owned(),
            block: "PRIVATE KEY",
            but: ", without a passphrase",
        },
        error => TlsError::File {
            key: "key",
            file: file.to_owned(),
            error,
        },
    })
}
