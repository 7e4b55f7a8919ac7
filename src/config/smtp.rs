//! The keys under `smtp:`.

use super::values::{meant, optional, section as stated};
use crate::smtp::{Listen, Protocol, TlsFiles};
use bytesize::ByteSize;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{self, Deserializer, IntoDeserializer, SeqAccess, Visitor};
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// How many clients may be let in at a time. More is a slip of the keyboard: no mail server opens as many connections.
const CONNECTIONS: RangeInclusive<usize> = 1..=10_000;

/// The least that a server must take (RFC 5321, 4.5.3.1.7); a bounce holds a mail of ours.
const LEAST_MESSAGE_SIZE: ByteSize = ByteSize::kb(64);

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

/// Loopback, private (RFC 1918, RFC 4193) and link-local networks, in the order of the template.
const PRIVATE_NETWORKS: [&str; 8] = [
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];

/// The section, which may be left out, or left empty: every key has a default.
pub(super) fn section<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Smtp>, D::Error> {
    Ok(Some(Option::deserialize(deserializer)?.unwrap_or_default()))
}

/// The keys as they are written. One with nothing behind it has its default, but `tls:`, as whoever writes that wants TLS.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "listen")]
    listen: Option<Listen>,
    #[serde(default, deserialize_with = "protocol")]
    protocol: Option<Protocol>,
    #[serde(default, deserialize_with = "networks")]
    allow: Option<Vec<IpNet>>,
    #[serde(default, deserialize_with = "connections")]
    max_connections: Option<usize>,
    #[serde(default, deserialize_with = "size")]
    max_message_size: Option<usize>,
    #[serde(default, deserialize_with = "stated")]
    tls: Option<TlsFiles>,
    require_tls: Option<bool>,
}

impl TryFrom<Written> for Smtp {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Smtp, &'static str> {
        let require_tls = written.require_tls.unwrap_or_default();
        if require_tls && written.tls.is_none() {
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
            require_tls,
        })
    }
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Listen>, D::Error> {
    optional(deserializer, |text| text.parse())
}

fn protocol<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Protocol>, D::Error> {
    optional(deserializer, |text| {
        match text.to_ascii_lowercase().as_str() {
            "smtp" => Ok(Protocol::Smtp),
            "lmtp" => Ok(Protocol::Lmtp),
            _ => Err(format!("{text} is not spoken here; write smtp or lmtp")),
        }
    })
}

fn connections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    optional(deserializer, |text| {
        let count = text.parse().ok();
        count
            .filter(|count| CONNECTIONS.contains(count))
            .ok_or_else(|| {
                let (least, most) = CONNECTIONS.into_inner();
                format!("{text} is no number of clients; write one from {least} to {most}")
            })
    })
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    optional(deserializer, |text| {
        let size: ByteSize = text
            .parse()
            .map_err(|_| format!("{text} is no size; write it as 10MB, 512kB or 10485760"))?;
        if size < LEAST_MESSAGE_SIZE {
            let least = LEAST_MESSAGE_SIZE.display().si();
            return Err(format!(
                "{text} is less than a bounce may need; write at least {least}, for example 10MB"
            ));
        }
        // A size that this machine can't even count is as good as none.
        Ok(usize::try_from(size.as_u64()).unwrap_or(usize::MAX))
    })
}

/// A list of networks, or a single one.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    #[derive(Deserialize)]
    struct Network(#[serde(deserialize_with = "network")] IpNet);

    struct Networks;
    impl<'de> Visitor<'de> for Networks {
        type Value = Option<Vec<IpNet>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("networks, for example [127.0.0.0/8, 192.0.2.0/24]")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            network(text.into_deserializer()).map(|network| Some(vec![network]))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut networks = Vec::new();
            while let Some(Network(network)) = list.next_element()? {
                networks.push(network);
            }
            if networks.is_empty() {
                return Err(de::Error::custom(
                    "an empty list lets nobody in; write networks, for example [127.0.0.0/8, 192.0.2.0/24], or leave `smtp:` out",
                ));
            }
            Ok(Some(networks))
        }
    }
    deserializer.deserialize_any(Networks)
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
