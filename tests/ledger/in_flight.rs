//! in_flight
