//! `store:`: where decisions are kept, and how a server is reached.
//!
//! The idea: an address that cannot work, or would speak in the open, is refused at its line; a password never stands in
//! the file. Reading the password file and connecting is the service's.

use std::path::{Path, PathBuf};

use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::model::{PostgresUrl, Secret, Tls};
use crate::time::{Ms, SECOND};

/// Which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A SQLite file; relative = in the data directory.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<PostgresSettings>),
}

/// How a PostgreSQL database is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// Where it is.
    pub url: PostgresUrl,
    /// The role's password, where the environment gives it.
    pub password: Option<Secret>,
    /// The file that holds it otherwise.
    pub password_file: Option<PathBuf>,
    /// The host may be one that does not prove its name.
    pub unverified: bool,
    /// Connections of this process, at most.
    pub connections: usize,
    /// Longest time of a statement, ms.
    pub statement_timeout: Ms,
}

pub(super) fn store(store: Obj<'_>, folder: &Path, notes: &mut Notes) -> StoreUrl {
    let url = store.text("url").unwrap_or("sqlite:bongsu.db");
    let password = store.owned("password").map(Secret::new);
    // A place in a file, not a variable.
    if password.is_some() && store.at("password").line > 0 {
        let help = "give it by BONGSU__STORE__PASSWORD, or name a file with `password_file`";
        notes.error("inline-secret", store.at("password"), "a password stands in the file", help);
    }
    if PostgresUrl::is_one(url) {
        match PostgresUrl::parse(url, store.flag("unverified")) {
            Ok(url) => return StoreUrl::Postgres(Box::new(postgres(store, folder, url, password))),
            Err(problem) => notes.error(problem.id, store.at("url"), problem.why, &problem.help),
        }
    } else if let Some(file) = url.strip_prefix("sqlite:").filter(|file| !file.is_empty()) {
        for key in ["password", "password_file", "unverified", "connections", "statement_timeout"] {
            if store.has(key) {
                let help = "leave it out, or write url: postgres://USER@HOST/DATABASE";
                notes.warning("store-key", store.key_at(key), format!("`{key}` is for PostgreSQL alone"), help);
            }
        }
        return StoreUrl::Sqlite(PathBuf::from(file));
    } else {
        let help = "write sqlite:bongsu.db or postgres://USER@HOST/DATABASE";
        notes.error("bad-value", store.at("url"), "`url` names no store", help);
    }
    StoreUrl::Sqlite(PathBuf::from("bongsu.db"))
}

fn postgres(store: Obj<'_>, folder: &Path, mut url: PostgresUrl, password: Option<Secret>) -> PostgresSettings {
    if let Tls::Verified { roots } = &mut url.tls {
        *roots = folder.join(&*roots).display().to_string();
    }
    PostgresSettings {
        url,
        password,
        password_file: store.text("password_file").map(|file| folder.join(file)),
        unverified: store.flag("unverified"),
        connections: store.count("connections").unwrap_or(8),
        statement_timeout: store.duration("statement_timeout").unwrap_or(10 * SECOND),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::overrides::lay_over;
    use crate::config::read::check;
    use crate::config::settings::{SETTINGS, settings};
    use crate::config::tree;

    /// The store of a file with these variables, and the ids of what is wrong.
    fn read(text: &str, variables: &[(&str, &str)]) -> (StoreUrl, Vec<&'static str>) {
        let mut notes = Notes::new("bongsu.yaml");
        let mut root = tree::parse(text, &mut notes).unwrap();
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        lay_over(&mut root, &SETTINGS, &variables, &mut notes);
        check(&root, &SETTINGS, &mut notes);
        let made = settings(Obj::new(&root, &SETTINGS), Path::new("/etc/bongsu"), &mut notes);
        (made.store, notes.into_list().iter().map(|problem| problem.id).collect())
    }

    #[test]
    fn a_password_comes_by_variable_or_file_and_is_not_shown() {
        let url = "store: { url: \"postgres://bongsu@127.0.0.1/bongsu\"";
        let (store, problems) = read(&format!("{url} }}"), &[("BONGSU__STORE__PASSWORD", "right-horse")]);
        assert_eq!(problems, [""; 0]);
        let StoreUrl::Postgres(postgres) = &store else { panic!("{store:?}") };
        assert_eq!(postgres.password, Some(Secret::new("right-horse")));
        assert!(!format!("{store:?}").contains("horse"));
        let (store, problems) = read(&format!("{url}, password_file: db.secret, connections: 3 }}"), &[]);
        let StoreUrl::Postgres(postgres) = store else { panic!("{store:?}") };
        assert_eq!((problems.len(), postgres.connections), (0, 3));
        assert_eq!(postgres.password_file, Some(PathBuf::from("/etc/bongsu/db.secret")));
        assert_eq!(read(&format!("{url}, password: right-horse }}"), &[]).1, ["inline-secret"]);
    }

    #[test]
    fn a_host_elsewhere_needs_proof_or_a_word() {
        let at = |query: &str, more: &str| {
            read(&format!("store: {{ url: \"postgres://bongsu@db.example.test/bongsu{query}\"{more} }}"), &[])
        };
        assert_eq!(at("", "").1, ["store-tls"]);
        assert_eq!(at("?sslmode=require", "").1, ["store-tls"]);
        assert_eq!(at("?sslmode=require", ", unverified: true").1, [""; 0]);
        let (store, problems) = at("?sslmode=verify-full&sslrootcert=ca.pem", "");
        let StoreUrl::Postgres(postgres) = store else { panic!("{store:?}") };
        assert_eq!(problems, [""; 0]);
        assert_eq!(postgres.url.tls, Tls::Verified { roots: "/etc/bongsu/ca.pem".to_owned() });
    }

    #[test]
    fn what_a_file_does_not_need_is_said() {
        assert_eq!(read("store: { url: \"sqlite:a.db\", connections: 3 }", &[]).1, ["store-key"]);
        assert_eq!(read("store: { url: \"mysql://a@b/c\" }", &[]).1, ["bad-value"]);
    }
}
