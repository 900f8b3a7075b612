//! Tests that cross module borders or need a real server. One binary; each module says why it is here.

// The shipped files, their schemas and the bad-file cases need the repository's own folders.
mod config_shipped;
mod config_bad;
mod config_check;
