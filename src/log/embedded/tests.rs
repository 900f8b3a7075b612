//! Tests of the embedded log that need its file or its clock; what both logs promise is in `tests/it/log_suite.rs`.
