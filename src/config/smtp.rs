//! The keys under `smtp:`.

use super::values::meant;
use bytesize::ByteSize;
use ipnet::IpNet;
use rustix::fs::{Access, access};
use serde::Deserialize;
use serde::de::Deserializer;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The SMTP server to run.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub struct Smtp {
    /// Where clients come in.
    pub listen: Listen,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// The networks of clients that may come.
    pub allow: Vec<IpNet>,
    /// How many clients at a time; one address may have half of them.
    pub max_connections: usize,
    /// The largest mail, in bytes.
    pub max_message_size: usize,
    /// For STARTTLS.
    pub tls: Option<TlsFiles>,
    /// Whether mail is taken by TLS only.
    pub require_tls: bool,
}

impl Default for Smtp {
    /// What holds for each key that is left out.
    fn default() -> Smtp {
        Smtp {
            listen: Listen::Tcp {
                host: Listen::HOST.to_owned(),
                port: Listen::PORT,
            },
            protocol: Protocol::Smtp,
            allow: PRIVATE_NETWORKS
                .iter()
                .map(|network| network.parse().expect("a network"))
                .collect(),
            max_connections: 200,
            max_message_size: 10_000_000,
            tls: None,
            require_tls: false,
        }
    }
}

/// Loopback, private (RFC 1918, RFC 4193) and link-local networks.
const PRIVATE_NETWORKS: [&str; 8] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

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
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Listen::Unix(PathBuf::from(path)));
        }
        let parse = || {
            let (host, port) = text.rsplit_once(':')?;
            let port = port.parse().ok()?;
            let bracketed = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            let is_bare_ipv6 = bracketed.is_none() && host.contains(':');
            let host = bracketed.unwrap_or(host).to_owned();
            (!host.is_empty() && !is_bare_ipv6).then_some(Listen::Tcp { host, port })
        };
        parse().ok_or_else(|| {
            format!(
                "{text} is no address and port; write for example 0.0.0.0:2525, [::1]:2525 or unix:/run/bouncedemails/lmtp.sock"
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

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033, which mail servers speak to local services.
    Lmtp,
}

impl fmt::Display for Protocol {
    /// As a greeting names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        })
    }
}

/// What TLS needs, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Our certificate, and those between it and the root.
    #[serde(deserialize_with = "readable")]
    pub certificate: PathBuf,
    /// Its private key.
    #[serde(deserialize_with = "readable")]
    pub key: PathBuf,
}

/// The keys as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "listen")]
    listen: Option<Listen>,
    protocol: Option<Protocol>,
    #[serde(default, deserialize_with = "networks")]
    allow: Option<Vec<IpNet>>,
    #[serde(default, deserialize_with = "connections")]
    max_connections: Option<usize>,
    #[serde(default, deserialize_with = "size")]
    max_message_size: Option<usize>,
    tls: Option<TlsFiles>,
    #[serde(default)]
    require_tls: bool,
}

impl TryFrom<Written> for Smtp {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Smtp, &'static str> {
        if written.require_tls && written.tls.is_none() {
            return Err(
                "`require_tls` of `smtp:` needs `tls:`; write certificate and key below that, or require_tls: false",
            );
        }
        let default = Smtp::default();
        Ok(Smtp {
            listen: written.listen.unwrap_or(default.listen),
            protocol: written.protocol.unwrap_or(default.protocol),
            allow: written.allow.unwrap_or(default.allow),
            max_connections: written.max_connections.unwrap_or(default.max_connections),
            max_message_size: written.max_message_size.unwrap_or(default.max_message_size),
            tls: written.tls,
            require_tls: written.require_tls,
        })
    }
}

/// The path of a file that can be read.
fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    meant(deserializer, |text| {
        match access(text.as_str(), Access::READ_OK) {
            Ok(()) => Ok(PathBuf::from(text)),
            Err(error) => Err(format!(
                "{text} cannot be read by this user ({error}); write the path of a PEM file, and mend its owner"
            )),
        }
    })
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Listen>, D::Error> {
    meant(deserializer, |text| text.parse().map(Some))
}

fn connections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    meant(deserializer, |text| match text.parse() {
        Ok(count) if count > 0 => Ok(Some(count)),
        _ => Err(format!(
            "{text} lets nobody in; write a number of 1 or more, or leave `smtp:` out"
        )),
    })
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    meant(deserializer, |text| {
        let size = text.parse().ok().map(|ByteSize(bytes)| bytes);
        size.filter(|bytes| *bytes > 0)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .map(Some)
            .ok_or_else(|| format!("{text} is no size; write it as 10MB, 512kB or 10485760"))
    })
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    #[derive(Deserialize)]
    struct Network(#[serde(deserialize_with = "network")] IpNet);
    let networks = Vec::<Network>::deserialize(deserializer)?;
    Ok(Some(
        networks.into_iter().map(|network| network.0).collect(),
    ))
}

/// A network, or the address of one host.
fn network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpNet, D::Error> {
    meant(deserializer, |text| {
        text.parse()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| {
                format!("{text} is no network; write for example 192.0.2.0/24 or 2001:db8::1")
            })
    })
}
