//! Proofs in the whole service: what they let through, what they keep out, and where they are shown.

#[path = "../support/mod.rs"]
mod support;

mod dns;
mod forgery;
mod real;
mod recipes;
mod service;
