//! The properties of a message, without those that this service does not use.

use super::table::{Reader, each_entry};
use bytes::BufMut;

/// The headers that this service reads. The first is what `send_message_to_rabbitmq.sh` sets, the second is a quorum
/// queue's.
pub(in crate::intake::amqp) const MESSAGE_ID: &str = "message-id";
pub(in crate::intake::amqp) const DELIVERY_COUNT: &str = "x-delivery-count";

/// Flags of a message's properties, in the order of the properties.
const CONTENT_TYPE: u16 = 1 << 15;
const CONTENT_ENCODING: u16 = 1 << 14;
const HEADERS: u16 = 1 << 13;
const DELIVERY_MODE: u16 = 1 << 12;
const PRIORITY: u16 = 1 << 11;
const CORRELATION_ID: u16 = 1 << 10;
const REPLY_TO: u16 = 1 << 9;
const EXPIRATION: u16 = 1 << 8;
const MESSAGE_ID_PROPERTY: u16 = 1 << 7;
/// Another word of flags follows.
const MORE_FLAGS: u16 = 1;

/// The properties of a message that this service uses, as they were written.
#[derive(Default)]
pub(super) struct Used<'a> {
    /// Names with their values.
    headers: Vec<&'a [u8]>,
    message_id: Option<&'a [u8]>,
}

impl<'a> Used<'a> {
    pub fn read(&mut self, mut rest: Reader<'a>) -> Option<()> {
        let flags = rest.u16()?;
        let mut more = flags;
        while more & MORE_FLAGS != 0 {
            more = rest.u16()?;
        }
        let has = |flag| flags & flag != 0;
        for flag in [CONTENT_TYPE, CONTENT_ENCODING] {
            if has(flag) {
                rest.short()?;
            }
        }
        if has(HEADERS) {
            let _ = each_entry(Reader(rest.long()?), |entry| {
                let is_used = match entry.name {
                    name if name == MESSAGE_ID.as_bytes() => entry.kind == b'S',
                    name if name == DELIVERY_COUNT.as_bytes() => entry.kind == b'l',
                    _ => false,
                };
                if is_used {
                    self.headers.push(entry.whole);
                }
            });
        }
        for flag in [DELIVERY_MODE, PRIORITY] {
            if has(flag) {
                rest.take(1)?;
            }
        }
        for flag in [CORRELATION_ID, REPLY_TO, EXPIRATION] {
            if has(flag) {
                rest.short()?;
            }
        }
        if has(MESSAGE_ID_PROPERTY) {
            self.message_id = Some(rest.short()?).filter(|id| std::str::from_utf8(id).is_ok());
        }
        Some(())
    }

    pub fn written(&self) -> Vec<u8> {
        let mut flags = 0;
        let mut list = Vec::new();
        if !self.headers.is_empty() {
            flags |= HEADERS;
            let headers = self.headers.concat();
            list.put_u32(headers.len() as u32);
            list.extend(headers);
        }
        if let Some(id) = self.message_id {
            flags |= MESSAGE_ID_PROPERTY;
            list.put_u8(id.len() as u8);
            list.extend(id);
        }
        [&flags.to_be_bytes()[..], &list].concat()
    }
}
