//! `config.template.yml` names every key that the code knows, each with a line of text and its default.

use bouncedemails::config::{self, Amqp, Config, Handler, Platform, Smtp};
use bouncedemails::smtp::TlsFiles;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

const TEMPLATE: &str = include_str!("../../config.template.yml");

/// The keys of a section, as the code itself names them in the error about one that it does not know.
fn keys_of<T: DeserializeOwned + Debug>() -> Vec<String> {
    let error = serde_yaml::from_str::<T>("no-such-key: 0").unwrap_err();
    let error = error.to_string();
    let (_, expected) = error.split_once("expected ").expect("it lists the keys");
    let keys: Vec<String> = expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(!keys.is_empty(), "{error}");
    keys
}

/// Every section with its keys.
fn sections() -> [(&'static str, Vec<String>); 6] {
    [
        ("", keys_of::<Config>()),
        ("handler", keys_of::<Handler>()),
        ("handler.domains", keys_of::<Platform>()),
        ("amqp", keys_of::<Amqp>()),
        ("smtp", keys_of::<Smtp>()),
        ("smtp.tls", keys_of::<TlsFiles>()),
    ]
}

/// A key in the template.
#[derive(Debug)]
struct Key {
    /// The sections that it stands in, without environment and domain.
    section: String,
    name: String,
    /// The text above it, or above the keys that it stands together with.
    text: String,
    /// Its line and those of what belongs to it, as YAML.
    lines: Vec<String>,
    is_commented_out: bool,
}

/// Reads the template as if nothing in it were commented out but the text.
fn template() -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut text = String::new();
    let mut in_text = false;
    for line in TEMPLATE.lines() {
        let bare = line.trim_start();
        let commented = bare.strip_prefix("# ");
        let yaml = match commented {
            Some(_) => line.replacen("# ", "", 1),
            None => line.to_owned(),
        };
        let indent = yaml.len() - yaml.trim_start().len();
        let name = yaml.trim_start().split(':').next().unwrap_or("");
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let is_key = yaml.contains(':') && !name.is_empty() && name.chars().all(is_name);
        if !is_key {
            if !in_text {
                text.clear();
            }
            in_text = !bare.is_empty();
            if !in_text {
                text.clear();
            }
            text.push_str(bare);
            continue;
        }
        in_text = false;
        open.retain(|(outer, _)| *outer < indent);
        let section: Vec<&str> = open
            .iter()
            .skip(1)
            .map(|(_, name)| name.as_str())
            .filter(|name| !name.contains('.'))
            .collect();
        let section = section.join(".");
        open.push((indent, name.to_owned()));
        // Names of headers and of keys are the platform's, not ours.
        if section.ends_with("headers") || section.ends_with("dkim_keys") {
            keys.last_mut().expect("the section").lines.push(yaml);
            continue;
        }
        keys.push(Key {
            section,
            name: name.to_owned(),
            text: text.clone(),
            lines: vec![yaml],
            is_commented_out: commented.is_some(),
        });
    }
    keys
}

#[test]
fn every_key_of_the_code_stands_in_the_template_with_a_line_of_text() {
    let template = template();
    for (section, keys) in sections() {
        for name in keys {
            let mut found = template
                .iter()
                .filter(|key| key.section == section && key.name == name);
            let first = found.next();
            let first =
                first.unwrap_or_else(|| panic!("`{name}` of `{section}` is not in the template"));
            // A section may be told about inside of it.
            let is_section = sections()
                .iter()
                .any(|(other, _)| *other == name || other.ends_with(&format!(".{name}")));
            assert!(
                is_section || first.text.contains("# "),
                "no text on {first:?}"
            );
        }
    }
}

#[test]
fn the_template_has_no_key_that_the_code_does_not_know() {
    let sections = sections();
    for key in template() {
        let known = sections
            .iter()
            .any(|(section, keys)| *section == key.section && keys.contains(&key.name));
        let is_environment = key.name == "production";
        assert!(known || is_environment || key.name.contains('.'), "{key:?}");
    }
}

/// What is commented out changes nothing when it is not, unless its text says what holds without it.
#[test]
fn what_is_commented_out_is_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let read = |lines: &[String]| {
        let text = lines.join("\n");
        let text = text
            .replace("/var/lib/bouncedemails", folder.path().to_str().unwrap())
            .replace("${RABBITMQ_PASSWORD}", "geheim");
        let file = folder.path().join("config.yml");
        std::fs::write(&file, &text).unwrap();
        config::load(Some(&file), "production")
            .unwrap_or_else(|error| panic!("{error}\n{text}"))
            .config
    };
    let lines_of = |wanted: &dyn Fn(&Key) -> bool| -> Vec<String> {
        let keys = template();
        keys.into_iter()
            .filter(|key| wanted(key))
            .flat_map(|key| key.lines)
            .collect()
    };
    let is_example = |key: &Key| key.is_commented_out && key.text.contains("Unset: ");
    let as_it_is = read(&lines_of(&|key| !key.is_commented_out));
    let written = read(&lines_of(&|key| {
        !is_example(key) && key.section != "smtp.tls"
    }));
    assert_eq!(
        format!("{:?}", written.handler),
        format!("{:?}", as_it_is.handler)
    );
    assert_eq!(
        format!("{:?}", written.amqp),
        format!("{:?}", as_it_is.amqp)
    );
    let smtp = written.smtp.expect("the template has it");
    assert_eq!(format!("{smtp:?}"), format!("{:?}", Smtp::default()));
}
