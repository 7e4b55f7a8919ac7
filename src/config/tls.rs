//! The keys under `smtp: tls:`. What the files hold is seen when they are read for use, by [`crate::smtp::Tls`]: commands
//! that take no mail by SMTP don't need them.

use super::values;
use crate::smtp::TlsFiles;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::path::PathBuf;

/// The keys as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "values::optional_path")]
    certificate: Option<PathBuf>,
    #[serde(default, deserialize_with = "values::optional_path")]
    key: Option<PathBuf>,
}

impl<'de> Deserialize<'de> for TlsFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Files;
        impl<'de> Visitor<'de> for Files {
            type Value = TlsFiles;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two PEM files, `certificate:` and `key:`")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TlsFiles, A::Error> {
                match Written::deserialize(MapAccessDeserializer::new(map))? {
                    Written {
                        certificate: Some(certificate),
                        key: Some(key),
                    } => Ok(TlsFiles { certificate, key }),
                    _ => Err(de::Error::custom(
                        "needs two PEM files, `certificate:` and `key:`; write both, or leave `tls:` out",
                    )),
                }
            }
        }
        deserializer.deserialize_map(Files)
    }
}
