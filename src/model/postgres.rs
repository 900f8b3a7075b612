//! The address of a PostgreSQL database, as people write it: `postgres://user@host/db?sslmode=verify-full&…`.
//!
//! The idea: the configuration refuses what cannot work at its line, the store connects to the same typed value; a
//! password is no part of it, so that it can be shown anywhere.
//! Not here: files, names and connections.

use std::fmt;
// The value alone: nothing here opens a socket.
use core::net::IpAddr;

/// PostgreSQL's own port.
const PORT: u16 = 5432;
/// What may follow the `?`.
const PARAMETERS: &str = "sslmode=disable|require|verify-full, sslrootcert=FILE";

/// Where a database is and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// The role to sign in as.
    pub user: String,
    /// Servers in the order in which they are tried: host name, address, or folder of a Unix socket; port.
    pub hosts: Vec<(String, u16)>,
    /// The database.
    pub database: String,
    /// Encryption.
    pub tls: Tls,
}

/// Encryption of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// None.
    Off,
    /// Encrypted, but with whoever answers.
    Unverified,
    /// Encrypted, and the server proves its name by a certificate signed by those in this file (PEM).
    Verified {
        /// The file.
        roots: String,
    },
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlProblem {
    /// A stable id of the kind of problem.
    pub id: &'static str,
    /// What is wrong; never holds a secret.
    pub why: String,
    /// What to do.
    pub help: String,
}

fn problem(id: &'static str, why: impl Into<String>, help: impl Into<String>) -> UrlProblem {
    UrlProblem { id, why: why.into(), help: help.into() }
}

impl PostgresUrl {
    /// Whether `url` means PostgreSQL.
    pub fn is_one(url: &str) -> bool {
        url.starts_with("postgres:") || url.starts_with("postgresql:")
    }

    /// Reads `url`. A host that is not this machine needs `sslmode=verify-full`, unless `unverified` says that whoever
    /// runs this has been told.
    ///
    /// # Errors
    /// It is incomplete, holds a password, or would speak in the open.
    pub fn parse(url: &str, unverified: bool) -> Result<Self, UrlProblem> {
        let bad = |why: &str| problem("bad-value", why, "write postgres://USER@HOST:PORT/DATABASE");
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| bad("`url` names no store"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').ok_or_else(|| bad("`url` names no database"))?;
        let (user, hosts) = authority.rsplit_once('@').ok_or_else(|| bad("`url` names no user"))?;
        if user.contains(':') || query.split('&').any(|part| part.starts_with("password=")) {
            let help = "leave it out of the URL: give it by BONGSU__STORE__PASSWORD or `password_file`";
            return Err(problem("inline-secret", "a password stands in `url`", help));
        }
        let text = |part: &str| decoded(part).ok_or_else(|| bad("`url` has a broken % sign"));
        let (user, database) = (text(user)?, text(database)?);
        if user.is_empty() || database.is_empty() || database.contains('/') {
            return Err(bad("`url` needs a user and one database"));
        }
        let hosts = hosts.split(',').map(|one| host(one, &bad)).collect::<Result<Vec<_>, _>>()?;
        let tls = tls(query, hosts.iter().all(|(host, _)| is_here(host)), unverified)?;
        Ok(Self { user, hosts, database, tls })
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.user)?;
        for (n, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            if host.contains(':') { write!(f, "{comma}[{host}]:{port}")? } else { write!(f, "{comma}{host}:{port}")? }
        }
        write!(f, "/{}", self.database)
    }
}

fn host(text: &str, bad: &impl Fn(&str) -> UrlProblem) -> Result<(String, u16), UrlProblem> {
    let (host, port) = match text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(PORT), |port| port.parse().ok()).filter(|port| *port > 0);
    let host = decoded(host).filter(|host| !host.is_empty()).ok_or_else(|| bad("`url` names no host"))?;
    Ok((host, port.ok_or_else(|| bad("`url` has a port that is none"))?))
}

/// Whether nobody between can listen: a Unix socket, or loopback.
fn is_here(host: &str) -> bool {
    host.starts_with('/') || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn tls(query: &str, here: bool, unverified: bool) -> Result<Tls, UrlProblem> {
    let (mut mode, mut roots) = (None, None);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("sslmode", word)) => mode = Some(word),
            Some(("sslrootcert", file)) => roots = decoded(file).filter(|file| !file.is_empty()),
            other => {
                let name = other.map_or(part, |(name, _)| name);
                return Err(problem("bad-value", format!("`{name}` is no parameter of `url`"), takes()));
            }
        }
    }
    let open = |tls: Tls, word: &str| {
        if here || unverified {
            return Ok(tls);
        }
        let why = format!("{word} for a host that is not this machine: who answers is not known");
        let help = "write ?sslmode=verify-full&sslrootcert=FILE, or accept the risk with `unverified: true`";
        Err(problem("store-tls", why, help))
    };
    match mode {
        Some("disable") => open(Tls::Off, "sslmode=disable"),
        None if here => Ok(Tls::Off),
        Some("require") => open(Tls::Unverified, "sslmode=require"),
        Some("verify-full") | None => roots.map(|roots| Tls::Verified { roots }).ok_or_else(|| {
            let why =
                if mode.is_none() { "no `sslmode` for a host that is not this machine" } else { "no `sslrootcert`" };
            let help = "write ?sslmode=verify-full&sslrootcert=FILE with the certificate of the authority (PEM)";
            problem("store-tls", why, help)
        }),
        Some(word) => Err(problem("bad-value", format!("`{word}` is no sslmode"), takes())),
    }
}

fn takes() -> String {
    format!("`url` takes {PARAMETERS}")
}

/// Without `%xx`.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (hex, after) = after.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(url: &str) -> &'static str {
        PostgresUrl::parse(url, false).map_or_else(|problem| problem.id, |_| "taken")
    }

    #[test]
    fn an_address_is_read_and_shown_without_what_is_secret() {
        let url =
            "postgresql://bong%40su@db-1.test:6432,[::1],%2Frun%2Fpg/bongsu?sslmode=verify-full&sslrootcert=ca.pem";
        let read = PostgresUrl::parse(url, false).unwrap();
        let hosts = [("db-1.test", 6432), ("::1", 5432), ("/run/pg", 5432)].map(|(h, p)| (h.to_owned(), p));
        assert_eq!((read.user.as_str(), read.database.as_str()), ("bong@su", "bongsu"));
        assert_eq!(read.hosts, hosts);
        assert_eq!(read.tls, Tls::Verified { roots: "ca.pem".to_owned() });
        assert_eq!(read.to_string(), "postgres://bong@su@db-1.test:6432,[::1]:5432,/run/pg:5432/bongsu");
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        for url in ["postgres://u:hunter2@127.0.0.1/d", "postgres://u@127.0.0.1/d?password=hunter2"] {
            let refused = PostgresUrl::parse(url, false).unwrap_err();
            assert_eq!(refused.id, "inline-secret");
            assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        }
    }

    #[test]
    fn a_host_elsewhere_must_prove_its_name() {
        assert_eq!(id("postgres://u@localhost/d"), "taken");
        assert_eq!(id("postgres://u@%2Fvar%2Frun%2Fpostgresql/d"), "taken");
        assert_eq!(id("postgres://u@127.0.0.1/d?sslmode=require"), "taken");
        assert_eq!(id("postgres://u@db.test/d?sslmode=verify-full&sslrootcert=ca.pem"), "taken");
        for query in ["", "?sslmode=disable", "?sslmode=require", "?sslmode=verify-full"] {
            assert_eq!(id(&format!("postgres://u@db.test/d{query}")), "store-tls", "{query}");
            // One host elsewhere is enough.
            assert_eq!(id(&format!("postgres://u@127.0.0.1,db.test/d{query}")), "store-tls", "{query}");
        }
        let told = PostgresUrl::parse("postgres://u@db.test/d?sslmode=require", true).unwrap();
        assert_eq!(told.tls, Tls::Unverified);
        assert_eq!(
            PostgresUrl::parse("postgres://u@db.test/d", true).unwrap_err().id,
            "store-tls",
            "no mode, no guess"
        );
    }

    #[test]
    fn what_is_incomplete_is_refused() {
        for url in [
            "postgres:bongsu",
            "postgres://u@127.0.0.1",
            "postgres://127.0.0.1/d",
            "postgres://@127.0.0.1/d",
            "postgres://u@/d",
            "postgres://u@127.0.0.1/",
            "postgres://u@127.0.0.1:0/d",
            "postgres://u@127.0.0.1:x/d",
            "postgres://u@127.0.0.1/d%2",
            "postgres://u@127.0.0.1/d?sslmode=prefer",
            "postgres://u@127.0.0.1/d?sslkey=x",
        ] {
            assert_eq!(id(url), "bad-value", "{url}");
        }
    }
}
