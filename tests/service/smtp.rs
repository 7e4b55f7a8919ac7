//! The whole service behind SMTP: the real binary, real clients, real mail servers, a platform.

mod exim;
mod load;
mod postfix;
mod promises;
mod service;
mod start;
mod swaks;
