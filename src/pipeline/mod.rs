//! To be written.

pub mod leader;
