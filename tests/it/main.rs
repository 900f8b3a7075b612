//! Tests that cross module borders or need a real server. One binary; each module says why it is here.

/// The door's client against a real TCP server that misbehaves.
mod agent_door;
/// The decoder against a slow and obvious one, over generated and mutated records.
mod decode_reference;
