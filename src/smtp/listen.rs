//! Where a server listens, as it is written.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where clients come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// Every address of a host.
    Tcp {
        /// A name or an address, IPv6 without brackets.
        host: String,
        /// The port; 0 takes a free one.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Where it listens when nothing is said.
    pub const HOST: &str = "0.0.0.0";
    /// The port, then.
    pub const PORT: u16 = 2525;

    /// The name or address of a host as it is typed without a port, IPv6 with or without brackets.
    ///
    /// # Errors
    /// When it is none, in words that say what to write.
    pub fn host(text: &str) -> Result<String, String> {
        let host = host(text).or_else(|| is_ipv6(text).then_some(text));
        host.map(str::to_owned).ok_or_else(|| {
            "it is no name or address; write for example localhost, 192.0.2.1 or ::1 \
             (the port goes to --port, a unix socket to smtp.listen)"
                .to_owned()
        })
    }
}

/// A name or an address, without the brackets that IPv6 needs beside a port.
fn host(text: &str) -> Option<&str> {
    match text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        Some(address) => is_ipv6(address).then_some(address),
        None => (!text.is_empty() && !text.contains([':', '/', '[', ']'])).then_some(text),
    }
}

/// Whether it is an IPv6 address, perhaps with a zone: `fe80::1%eth0`.
fn is_ipv6(text: &str) -> bool {
    let (address, _) = text.split_once('%').unwrap_or((text, ""));
    address.parse::<Ipv6Addr>().is_ok()
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Listen::Unix(PathBuf::from(path)));
        }
        let parse = || {
            let (written, port) = text.rsplit_once(':')?;
            Some(Listen::Tcp {
                host: host(written)?.to_owned(),
                port: port.parse().ok()?,
            })
        };
        parse().ok_or_else(|| {
            format!(
                "{text} is no address and port; write for example 0.0.0.0:2525, [::1]:2525 or \
                 unix:/run/bouncedemails/lmtp.sock"
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Listen::Tcp { host, port } => write!(f, "{host}:{port}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
