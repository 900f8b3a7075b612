//! The grouping alone.
