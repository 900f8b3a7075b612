//! How we show a cluster who we are, and how it shows us who it is.
//!
//! The idea: one value holds every setting of it and never prints the secret among them; what a refusal must name (our
//! principal) is known here too. Certificates are files; nothing here reads them, librdkafka does.

use std::path::PathBuf;

use rdkafka::config::ClientConfig;

use crate::log::LogError;
use crate::model::Secret;

/// A SASL login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// `SCRAM-SHA-512` or `SCRAM-SHA-256`.
    pub mechanism: &'static str,
    /// The user's name.
    pub user: String,
    /// And password.
    pub password: Secret,
}

/// TLS files, all PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Who may have signed the brokers' certificates; `None` = whoever the machine trusts.
    pub authority: Option<PathBuf>,
    /// Our own certificate, where brokers ask for one …
    pub certificate: Option<PathBuf>,
    /// … and its key.
    pub key: Option<PathBuf>,
}

/// Everything about security. The default is neither TLS nor a login.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// TLS; `None` = none.
    pub tls: Option<Tls>,
    /// A login; `None` = none.
    pub login: Option<Login>,
}

impl Security {
    /// Puts it into a client's settings.
    pub(super) fn apply(&self, settings: &mut ClientConfig) {
        let protocol = match (&self.tls, &self.login) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        settings.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            let files = [
                ("ssl.ca.location", &tls.authority),
                ("ssl.certificate.location", &tls.certificate),
                ("ssl.key.location", &tls.key),
            ];
            for (key, file) in files {
                if let Some(file) = file {
                    settings.set(key, file.display().to_string());
                }
            }
        }
        if let Some(login) = &self.login {
            settings.set("sasl.mechanism", login.mechanism);
            settings.set("sasl.username", &login.user).set("sasl.password", login.password.reveal());
        }
    }

    /// Refuses files that cannot be read: librdkafka does not say which.
    pub(super) fn check(&self) -> Result<(), LogError> {
        let Some(tls) = &self.tls else { return Ok(()) };
        let files = [("ca_file", &tls.authority), ("certificate_file", &tls.certificate), ("key_file", &tls.key)];
        for (key, file) in files {
            let Some(file) = file else { continue };
            std::fs::File::open(file).map_err(|why| LogError::Refused {
                what: format!("read `{}`", file.display()),
                why: why.to_string(),
                help: format!("`log.security.{key}` must name a PEM file that this user can read"),
            })?;
        }
        Ok(())
    }

    /// Under which name the cluster's permissions know us.
    pub(super) fn principal(&self) -> String {
        match (&self.login, &self.tls) {
            (Some(login), _) => format!("User:{}", login.user),
            (None, Some(Tls { certificate: Some(_), .. })) => "User:SUBJECT-OF-THE-CERTIFICATE".to_owned(),
            (None, _) => "User:ANONYMOUS".to_owned(),
        }
    }
}

/// What the brokers' refusal of a connection says about our settings, where it does: librdkafka only logs it, and
/// whatever was asked then just never gets an answer.
pub(super) fn advice(said: &str) -> Option<&'static str> {
    if said.contains("SASL authentication error") || said.contains("SASL SCRAM") {
        return Some(
            "correct `username` and the password in `log.security`; kafka-configs.sh --describe --entity-type users \
             shows who is known, by which mechanism",
        );
    }
    if said.contains("certificate verify failed") || said.contains("SSL handshake failed") {
        return Some(
            "`log.security.ca_file` must hold the authority that signed the brokers' certificates, and `log.brokers` \
             the names that stand in them",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Login, Security};
    use crate::model::Secret;

    #[test]
    fn a_password_is_never_printed() {
        let login = Login { mechanism: "SCRAM-SHA-512", user: "a".to_owned(), password: Secret::new("geheim") };
        let security = Security { tls: None, login: Some(login) };
        assert!(!format!("{security:?}").contains("geheim"));
    }
}
