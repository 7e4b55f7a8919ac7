//! The whole service behind SMTP: the real binary, real clients, a real mail server, a platform.

#[path = "../support/mod.rs"]
mod support;

mod load;
mod postfix;
mod promises;
mod service;
mod start;
mod swaks;
