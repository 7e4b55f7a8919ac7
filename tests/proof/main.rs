//! Proofs in the whole service: what they let through, what they keep out, and where they are shown.

#[path = "../support/mod.rs"]
mod support;

mod recipes;
mod service;
