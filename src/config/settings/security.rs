//! `log.security`: how to speak to Kafka brokers, and the one secret in it.
//!
//! The idea: a password that stands in the file is refused, one from the environment is taken and never printed again,
//! and one in a file of its own is read by whoever connects. What does not fit together is refused here.

use std::path::{Path, PathBuf};

use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::model::Secret;

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mechanism {
    /// `SCRAM-SHA-512`.
    #[default]
    Sha512,
    /// `SCRAM-SHA-256`.
    Sha256,
}

/// How to speak to the brokers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecuritySettings {
    /// With TLS.
    pub tls: bool,
    /// With a login.
    pub sasl: bool,
    /// Who signed the brokers' certificates.
    pub ca_file: Option<PathBuf>,
    /// Our certificate.
    pub certificate_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// How to log in.
    pub mechanism: Mechanism,
    /// Who logs in.
    pub username: Option<String>,
    /// The password, from the environment.
    pub password: Option<Secret>,
    /// Or the file that holds it.
    pub password_file: Option<PathBuf>,
}

pub(super) fn security(security: Obj<'_>, folder: &Path, notes: &mut Notes) -> SecuritySettings {
    let protocol = security.text("protocol").unwrap_or("plaintext");
    let file = |key: &str| security.text(key).map(|path| folder.join(path));
    let it = SecuritySettings {
        tls: matches!(protocol, "ssl" | "sasl_ssl"),
        sasl: matches!(protocol, "sasl_plaintext" | "sasl_ssl"),
        ca_file: file("ca_file"),
        certificate_file: file("certificate_file"),
        key_file: file("key_file"),
        mechanism: if security.text("mechanism") == Some("SCRAM-SHA-256") {
            Mechanism::Sha256
        } else {
            Mechanism::Sha512
        },
        username: security.owned("username"),
        password: security.owned("password").map(Secret::new),
        password_file: file("password_file"),
    };
    if it.password.is_some() && security.at("password").line > 0 {
        let help = "give it by BONGSU__LOG__SECURITY__PASSWORD, or name a `password_file`";
        notes.error("inline-secret", security.at("password"), "a password stands in `password`", help);
    }
    if it.sasl && (it.username.is_none() || (it.password.is_none() && it.password_file.is_none())) {
        let help = "write `username`, and `password_file` or BONGSU__LOG__SECURITY__PASSWORD";
        notes.error("missing-key", security.at("protocol"), format!("`{protocol}` without a login"), help);
    }
    for (key, there, fits) in [
        ("ca_file", it.ca_file.is_some(), it.tls),
        ("certificate_file", it.certificate_file.is_some(), it.tls),
        ("key_file", it.key_file.is_some(), it.tls),
        ("username", it.username.is_some(), it.sasl),
        ("password_file", it.password_file.is_some(), it.sasl),
    ] {
        if there && !fits {
            let what = format!("`{key}` has no use with `protocol: {protocol}`");
            notes.error("bad-value", security.at(key), what, "write `protocol: sasl_ssl`, or leave it out");
        }
    }
    if it.certificate_file.is_some() != it.key_file.is_some() {
        let at = security.at(if it.key_file.is_some() { "key_file" } else { "certificate_file" });
        notes.error("missing-key", at, "a certificate and its key belong together", "write both, or neither");
    }
    it
}
