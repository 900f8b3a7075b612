//! Which store the settings mean, opened for the service, for reading, or for the owner of its tables.
//!
//! The idea: the password is read here, as late as possible, from the environment's value or from its file, and goes to
//! the connection and nowhere else.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::config::{PostgresSettings, Settings, StoreUrl, read_secret_file};
use crate::model::PostgresUrl;
use crate::store::{self, PostgresOptions, Store};

/// The store of these settings, for the service.
///
/// # Errors
/// It cannot be opened; the text says what to do.
pub fn open(settings: &Settings, data_dir: &Path) -> anyhow::Result<Arc<dyn Store>> {
    match &settings.store {
        StoreUrl::Sqlite(path) => Ok(Arc::new(store::open(&sqlite(data_dir, path))?)),
        StoreUrl::Postgres(postgres) => Ok(Arc::new(store::open_postgres(&postgres.url, &options(postgres)?)?)),
    }
}

/// The store, for reading only: works beside a running service and without one.
///
/// # Errors
/// It is not there or cannot be read; the text says what to do.
pub fn open_readonly(settings: &Settings, data_dir: &Path) -> anyhow::Result<Arc<dyn Store>> {
    match &settings.store {
        StoreUrl::Sqlite(path) => {
            let store = store::open_readonly(&sqlite(data_dir, path))
                .with_context(|| format!("read store `{}` (is --data-dir right?)", data_dir.join(path).display()))?;
            Ok(Arc::new(store))
        }
        StoreUrl::Postgres(postgres) => {
            Ok(Arc::new(store::open_postgres_readonly(&postgres.url, &options(postgres)?)?))
        }
    }
}

/// Makes the tables or brings them up to date, at `url` (whose user owns them) or at the address of the settings.
/// `None`: the store is a file, which the service itself brings up to date; else whether there was something to do.
///
/// # Errors
/// The role is not admitted or may not make tables; the text says what to do.
pub fn migrate(settings: &Settings, url: Option<&str>) -> anyhow::Result<Option<bool>> {
    let given = match &settings.store {
        StoreUrl::Postgres(postgres) => Some(postgres),
        StoreUrl::Sqlite(_) => None,
    };
    let url = match (url, given) {
        (Some(url), _) => PostgresUrl::parse(url, given.is_some_and(|given| given.unverified))
            .map_err(|problem| anyhow::anyhow!("--url: {}\n  help: {}", problem.why, problem.help))?,
        (None, Some(given)) => given.url.clone(),
        (None, None) => return Ok(None),
    };
    let mut options = given.map_or_else(|| Ok(PostgresOptions::default()), |given| options(given))?;
    if given.is_some_and(|given| given.url.user != url.user && given.password.is_none()) {
        // The file holds the service's password, which is not the owner's.
        options.password = None;
    }
    Ok(Some(store::migrate_postgres(&url, &options)?))
}

fn sqlite(data_dir: &Path, path: &Path) -> String {
    format!("sqlite:{}", data_dir.join(path).display())
}

fn options(settings: &PostgresSettings) -> anyhow::Result<PostgresOptions> {
    let password = match (&settings.password, &settings.password_file) {
        (Some(password), _) => Some(password.reveal().to_owned()),
        (None, Some(file)) => Some(read_secret_file(file)?.reveal().to_owned()),
        (None, None) => None,
    };
    Ok(PostgresOptions { password, connections: settings.connections, statement_timeout: settings.statement_timeout })
}
