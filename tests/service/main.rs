//! The whole service with real parts: the binary as an operator runs it, a real RabbitMQ, real mail servers, real web servers.
//!
//! One test binary, so that it is linked once and its tests share one RabbitMQ. What is process-wide is kept apart: each test has folders,
//! ports, virtual hosts and platforms of its own, and environment variables are those of the processes that it starts.

#[path = "../support/mod.rs"]
mod support;

mod brake;
mod broker;
mod chaos;
mod classify;
mod commands;
mod develop_webserver;
mod hardship;
mod log;
mod pipeline;
mod postfix;
mod smtp;
mod suspend;
