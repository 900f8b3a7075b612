//! `bongsu store migrate`: makes the tables as the role that owns them, so that the service's role need not.

use std::path::PathBuf;

use super::output;
use crate::pipeline::stores;

/// `bongsu store`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum StoreCommand {
    /// Makes the tables of a PostgreSQL store, or brings them up to date. Run it before a new release starts.
    Migrate(MigrateArgs),
}

/// `bongsu store migrate`.
#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// The service's configuration.
    #[arg(short, long, value_name = "FILE", default_value = "configs/bongsu.yaml")]
    config: PathBuf,
    /// postgres://OWNER@HOST/DATABASE: the role that owns the tables; left out, the URL of the configuration. Its
    /// password comes by BONGSU__STORE__PASSWORD.
    #[arg(long)]
    url: Option<String>,
}

pub(crate) fn run(command: &StoreCommand) -> anyhow::Result<u8> {
    let StoreCommand::Migrate(args) = command;
    let loaded = super::run::load(&args.config)?;
    let told = match stores::migrate(&loaded.settings, args.url.as_deref())? {
        Some(true) => "the tables are up to date now",
        Some(false) => "the tables were up to date",
        None => "the store is a file: the service itself brings its tables up to date",
    };
    output::line(&mut std::io::stdout().lock(), told)?;
    Ok(0)
}
