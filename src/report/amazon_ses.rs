//! Amazon SES: notifications as JSON, carried by a mail from Amazon SNS.
//!
//! <https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html>. With event publishing `notificationType` is called `eventType`.

use super::diagnostic::{self, Said};
use super::limits::{self, Limit, MAX_FIELD, MAX_RECIPIENTS, MAX_SHOWN, cut};
use super::types::{Action, Kind, Original, Recipient};
use crate::address::{self, Address};
use serde_json::Value;
use std::sync::Arc;

/// What a notification says.
#[derive(Debug)]
pub(super) struct Notification {
    pub(super) kind: Kind,
    pub(super) recipients: Vec<Recipient>,
    pub(super) complainants: Vec<Address>,
    pub(super) original: Original,
}

/// The most bytes that are read: twice what Amazon SNS carries, as the message in it is escaped once more.
const MAX_JSON: usize = 512 * 1024;

/// Reads the notification that a text starts with.
pub(super) fn read(text: &str, limits: &mut Vec<Limit>) -> Option<Notification> {
    let text = text.trim_start();
    if !text.starts_with('{') || !text.contains("notificationType") && !text.contains("eventType") {
        return None;
    }
    // Some relays fold the one long line; JSON strings hold no raw line ends.
    let unfolded = cut(text, MAX_JSON).replace(['\r', '\n'], "");
    let Some(value) = first_value(&unfolded) else {
        if text.len() > MAX_JSON {
            limits::hit(limits, Limit::Size);
        }
        return None;
    };
    match value.get("Message").and_then(Value::as_str) {
        Some(message) => notification(&first_value(message)?, limits),
        None => notification(&value, limits),
    }
}

fn first_value(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        .next()?
        .ok()
}

fn notification(value: &Value, limits: &mut Vec<Limit>) -> Option<Notification> {
    let kind = ["notificationType", "eventType"]
        .iter()
        .find_map(|key| value.get(key)?.as_str())?;
    let mut recipients = Vec::new();
    let mut complainants = Vec::new();
    let kind = match kind {
        "Bounce" => {
            let bounce = value.get("bounce")?;
            let entries = entries(bounce, "bouncedRecipients", limits);
            recipients = bounced(bounce, entries, Action::Failed);
            Kind::Bounce
        }
        "DeliveryDelay" => {
            let delay = value.get("deliveryDelay")?;
            let entries = entries(delay, "delayedRecipients", limits);
            recipients = bounced(delay, entries, Action::Delayed);
            Kind::Bounce
        }
        "Complaint" => {
            if let Some(complaint) = value.get("complaint") {
                complainants = complained(entries(complaint, "complainedRecipients", limits));
            }
            Kind::Feedback
        }
        "Delivery" | "Send" | "Open" | "Click" => Kind::DeliveryNotice,
        _ => return None,
    };
    Some(Notification {
        kind,
        recipients,
        complainants,
        original: original(value.get("mail")),
    })
}

/// The list of this name, as far as it is read.
fn entries<'a>(value: &'a Value, name: &str, limits: &mut Vec<Limit>) -> &'a [Value] {
    let entries = value.get(name).and_then(Value::as_array);
    let entries = entries.map_or(&[][..], Vec::as_slice);
    if entries.len() > MAX_RECIPIENTS {
        limits::hit(limits, Limit::Recipients);
    }
    &entries[..entries.len().min(MAX_RECIPIENTS)]
}

fn bounced(bounce: &Value, entries: &[Value], action: Action) -> Vec<Recipient> {
    fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
        value.get(key).and_then(Value::as_str)
    }
    let field = |text: &str| Arc::from(cut(text.trim(), MAX_FIELD));
    let reporting_mta =
        text(bounce, "reportingMTA").map(|mta| field(mta.trim_start_matches("dns;")));
    let remote_mta = text(bounce, "remoteMtaIp").map(field);
    // Where no server said anything, Amazon's own words for it are all there is.
    let kinds = ["bounceType", "bounceSubType", "delayType"];
    let kinds: Vec<&str> = kinds
        .into_iter()
        .filter_map(|key| text(bounce, key))
        .map(|kind| cut(kind, MAX_FIELD))
        .collect();
    let kinds = Said::of(&kinds.join(" "));
    let source: Arc<str> = "diagnosticCode of an Amazon SES notification".into();
    let recipient = |entry: &Value| {
        let address: Address = entry
            .get("emailAddress")?
            .as_str()
            .and_then(address::in_list)?
            .pop()?;
        let mut recipient = Recipient {
            action,
            status: text(entry, "status").and_then(|status| status.parse().ok()),
            reporting_mta: reporting_mta.clone(),
            remote_mta: remote_mta.clone(),
            ..Recipient::new(address, source.clone())
        };
        match (text(entry, "diagnosticCode"), &kinds) {
            (Some(code), _) => {
                diagnostic::take(&mut recipient, code.strip_prefix("smtp;").unwrap_or(code));
            }
            (None, Some(kinds)) => kinds.about(&mut recipient),
            (None, None) => {}
        }
        Some(recipient)
    };
    entries.iter().filter_map(recipient).collect()
}

fn complained(entries: &[Value]) -> Vec<Address> {
    let address = |entry: &Value| entry.get("emailAddress")?.as_str()?.parse().ok();
    entries.iter().filter_map(address).collect()
}

fn original(mail: Option<&Value>) -> Original {
    let common = |key: &str| mail.and_then(|mail| mail.get("commonHeaders")?.get(key));
    let addresses = |key: &str| -> Vec<Address> {
        let list = common(key).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter_map(address::in_list)
            .flatten()
            .collect()
    };
    Original {
        message_id: common("messageId")
            .and_then(Value::as_str)
            .map(|id| cut(id, MAX_FIELD).to_owned()),
        from: addresses("from").into_iter().next(),
        to: addresses("to"),
        subject: common("subject")
            .and_then(Value::as_str)
            .map(|subject| cut(subject, MAX_SHOWN).to_owned()),
        return_path: mail
            .and_then(|mail| mail.get("source")?.as_str())
            .and_then(|source| source.parse().ok()),
        ..Original::default()
    }
}
