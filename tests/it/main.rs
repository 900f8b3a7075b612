//! Tests that cross module borders or need a real server. One binary; each module says why it is here.

// A real Kafka broker for whoever needs one.
mod kafka;
// The embedded log against real processes: a writer killed, a reader elsewhere.
mod log_embedded;
// Kafka against a real broker: what only it has.
mod log_kafka;
// What both logs promise, once, over both.
mod log_suite;
