//! A signer that is not ours: dkimpy (Debian's python3-dkim), with keys that openssl makes.

use super::{TempDir, output_of, temp_dir};
use std::process::Command;

/// Debian's, for which its modules are installed.
const PYTHON: &str = "/usr/bin/python3";

/// Signs the mail on standard input: key file, algorithm, domain, selector, canonicalisation, names of fields, time. Without a time, dkimpy
/// is kept from writing one.
const SCRIPT: &str = r#"
import sys, time
made = int(sys.argv[7])
time.time = lambda: made
import dkim
if made == 0:
    written = dkim.DKIM.gen_header
    def gen_header(self, fields, *rest, **named):
        return written(self, [field for field in fields if field[0] != b"t"], *rest, **named)
    dkim.DKIM.gen_header = gen_header
key, algorithm, domain, selector, how, names = (arg.encode() for arg in sys.argv[1:7])
mail = sys.stdin.buffer.read()
signature = dkim.sign(mail, selector, domain, open(key, "rb").read(), signature_algorithm=algorithm,
                      canonicalize=tuple(how.split(b"/")), include_headers=names.split(b":"))
sys.stdout.buffer.write(signature + mail)
"#;

/// A key of a domain.
pub struct Signer {
    folder: TempDir,
    algorithm: &'static str,
    record: String,
    pub domain: String,
    pub selector: String,
}

/// How a mail is signed.
#[derive(Clone, Copy)]
pub struct Signing<'a> {
    /// Of header and body.
    pub canonicalization: &'a str,
    /// The names of the signed fields, with colons between them.
    pub names: &'a str,
    /// When, in seconds since 1970; 0 is without a time.
    pub made: u64,
}

impl Signer {
    /// With an RSA key.
    pub fn rsa(domain: &str, selector: &str) -> Signer {
        let folder = temp_dir();
        let key = folder.path().join("key");
        let mut openssl = Command::new("openssl");
        output_of(
            openssl
                .args(["genrsa", "-traditional", "-out"])
                .arg(&key)
                .arg("2048"),
            b"",
        );
        let mut openssl = Command::new("openssl");
        let public = output_of(openssl.args(["rsa", "-pubout", "-in"]).arg(&key), b"");
        let record = format!("v=DKIM1; k=rsa; p={}", without_armour(&public));
        Signer {
            folder,
            algorithm: "rsa-sha256",
            record,
            domain: domain.to_owned(),
            selector: selector.to_owned(),
        }
    }

    /// With an Ed25519 key.
    pub fn ed25519(domain: &str, selector: &str) -> Signer {
        use base64::prelude::{BASE64_STANDARD, Engine};
        let folder = temp_dir();
        let key = folder.path().join("key");
        let openssl = |command: &str, input: &[u8]| {
            let words = command.split(' ');
            let armoured = output_of(Command::new("openssl").args(words), input);
            let der = BASE64_STANDARD
                .decode(without_armour(&armoured))
                .expect("base64");
            // Both forms end in the 32 bytes of the key.
            (BASE64_STANDARD.encode(&der[der.len() - 32..]), armoured)
        };
        let (private, armoured) = openssl("genpkey -algorithm ed25519", b"");
        let (public, _) = openssl("pkey -pubout", armoured.as_bytes());
        std::fs::write(&key, private).expect("the folder is ours");
        Signer {
            folder,
            algorithm: "ed25519-sha256",
            record: format!("v=DKIM1; k=ed25519; p={public}"),
            domain: domain.to_owned(),
            selector: selector.to_owned(),
        }
    }

    /// The public key, as it stands in DNS.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The file of the private key.
    pub fn key_file(&self) -> std::path::PathBuf {
        self.folder.path().join("key")
    }

    /// The mail with its signature on top.
    pub fn sign(&self, how: Signing<'_>, mail: &str) -> String {
        let mut python = Command::new(PYTHON);
        python.args(["-c", SCRIPT]).arg(self.key_file());
        python.args([self.algorithm, &self.domain, &self.selector]);
        python.args([how.canonicalization, how.names, &how.made.to_string()]);
        let crlf = mail.replace("\r\n", "\n").replace('\n', "\r\n");
        output_of(&mut python, crlf.as_bytes())
    }
}

/// The base64 between the lines of a PEM file.
fn without_armour(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}
