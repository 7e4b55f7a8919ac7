//! How mail arrives: over a message broker, by SMTP, from files.
//!
//! An intake never looks into a mail. It hands a [`Delivery`](crate::mail::Delivery) to the engine through a bounded channel, so that
//! a slow disk slows the intake down instead of filling the memory.

pub mod amqp;
pub mod files;
pub mod smtp;
