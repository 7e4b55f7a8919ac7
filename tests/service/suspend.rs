//! The suspender against real HTTP servers: good ones, and each kind of bad one.

mod answers;
mod claims;
mod harness;
mod outages;
mod requests;
mod tls;
mod xikolo;
