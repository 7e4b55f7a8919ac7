//! Amazon SES: notifications as JSON, carried by a mail from Amazon SNS.
//!
//! <https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html>. With event publishing `notificationType` is called `eventType`.

use super::super::types::{Action, Kind, Original, Recipient};
use super::super::words;
use crate::address::{self, Address};
use serde_json::Value;

/// What a notification says.
#[derive(Debug)]
pub(in crate::report) struct Notification {
    pub(in crate::report) kind: Kind,
    pub(in crate::report) recipients: Vec<Recipient>,
    pub(in crate::report) complainants: Vec<Address>,
    pub(in crate::report) original: Original,
}

/// Reads the notification that a text starts with.
pub(in crate::report) fn read(text: &str) -> Option<Notification> {
    let text = text.trim_start();
    if !text.starts_with('{') || !text.contains("notificationType") && !text.contains("eventType") {
        return None;
    }
    // Some relays fold the one long line; JSON strings hold no raw line ends.
    let unfolded = text.replace(['\r', '\n'], "");
    let value = first_value(&unfolded)?;
    match value.get("Message").and_then(Value::as_str) {
        Some(message) => notification(&first_value(message)?),
        None => notification(&value),
    }
}

fn first_value(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        .next()?
        .ok()
}

fn notification(value: &Value) -> Option<Notification> {
    let kind = ["notificationType", "eventType"]
        .iter()
        .find_map(|key| value.get(key)?.as_str())?;
    let (kind, recipients) = match kind {
        "Bounce" => (
            Kind::Bounce,
            bounced(value.get("bounce")?, "bouncedRecipients", Action::Failed),
        ),
        "DeliveryDelay" => (
            Kind::Bounce,
            bounced(
                value.get("deliveryDelay")?,
                "delayedRecipients",
                Action::Delayed,
            ),
        ),
        "Complaint" => (Kind::Feedback, Vec::new()),
        "Delivery" | "Send" | "Open" | "Click" => (Kind::DeliveryNotice, Vec::new()),
        _ => return None,
    };
    Some(Notification {
        kind,
        recipients,
        complainants: complained(value.get("complaint")),
        original: original(value.get("mail")),
    })
}

fn bounced(bounce: &Value, list: &str, action: Action) -> Vec<Recipient> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let recipient = |entry: &Value| {
        let address: Address = entry
            .get("emailAddress")?
            .as_str()
            .and_then(address::in_list)?
            .pop()?;
        let mut recipient = Recipient {
            address,
            original_recipient: None,
            action,
            status: text(entry, "status").and_then(|status| status.parse().ok()),
            reply_code: None,
            command: None,
            diagnostic: None,
            reporting_mta: text(bounce, "reportingMTA")
                .map(|mta| mta.trim_start_matches("dns;").trim().to_owned()),
            remote_mta: text(bounce, "remoteMtaIp"),
            source: "diagnosticCode of an Amazon SES notification".to_owned(),
        };
        let said = text(entry, "diagnosticCode").or_else(|| {
            let kinds = [
                text(bounce, "bounceType"),
                text(bounce, "bounceSubType"),
                text(bounce, "delayType"),
            ];
            Some(kinds.into_iter().flatten().collect::<Vec<_>>().join(" "))
        });
        let said = said.unwrap_or_default();
        words::take(&mut recipient, said.strip_prefix("smtp;").unwrap_or(&said));
        Some(recipient)
    };
    let entries = bounce.get(list).and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter_map(recipient)
        .collect()
}

fn complained(complaint: Option<&Value>) -> Vec<Address> {
    let list = complaint.and_then(|complaint| complaint.get("complainedRecipients")?.as_array());
    let address = |entry: &Value| entry.get("emailAddress")?.as_str()?.parse().ok();
    list.into_iter().flatten().filter_map(address).collect()
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
            .map(str::to_owned),
        from: addresses("from").into_iter().next(),
        to: addresses("to"),
        subject: common("subject").and_then(Value::as_str).map(str::to_owned),
        return_path: mail
            .and_then(|mail| mail.get("source")?.as_str())
            .and_then(|source| source.parse().ok()),
    }
}
