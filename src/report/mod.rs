//! Documents for people who read paper: the same facts as the console's, on pages that can be printed and handed in.
//!
//! The idea: a document is a pure function from values to text; who may see what is decided by the caller before.
//! It reads no store and no clock.

pub mod contacts;
