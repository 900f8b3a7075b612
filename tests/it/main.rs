//! Tests that cross module borders or need a real server. One binary; each module says why it is here.

/// The layers, lengths and headers of the house.
mod house;
