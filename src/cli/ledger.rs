//! `bongsu ledger verify`: proof that no decision was altered, removed or put in.

use serde_json::json;

use super::output::{self, Format};
use super::service::Place;
use crate::model::Entry;
use crate::store::Store;

/// Entries read at once.
const PAGE: usize = 1_000;

/// `bongsu ledger`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum LedgerCommand {
    /// Follows the hash chain from the first entry to the last; names the first bad one.
    Verify(VerifyArgs),
}

/// `bongsu ledger verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    place: Place,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(command: &LedgerCommand) -> anyhow::Result<u8> {
    let LedgerCommand::Verify(args) = command;
    let loaded = super::run::load(&args.place.config)?;
    let store = crate::pipeline::stores::open_readonly(&loaded.settings, &args.place.data_dir)?;
    let verdict = verify(store.as_ref())?;
    let mut out = std::io::stdout().lock();
    let (entries, bad) = (verdict.entries, verdict.bad);
    match args.format {
        Format::Json => {
            output::json(&mut out, json!({ "type": "ledger", "entries": entries, "bad": bad, "hash": verdict.hash }))?
        }
        Format::Human => match bad {
            None => output::line(&mut out, &format!("{entries} entries, all in order; last hash {}", verdict.hash))?,
            Some(no) => output::line(
                &mut out,
                &format!("entry {no} does not follow its predecessor: it was altered, or one before it is missing"),
            )?,
        },
    }
    Ok(u8::from(bad.is_some()))
}

struct Verdict {
    entries: i64,
    bad: Option<i64>,
    hash: String,
}

fn verify(store: &dyn Store) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict { entries: 0, bad: None, hash: Entry::GENESIS.to_owned() };
    loop {
        let page = store.ledger(verdict.entries, PAGE)?;
        if page.is_empty() {
            return Ok(verdict);
        }
        for entry in page {
            let no = verdict.entries + 1;
            let expected = Entry::after(&verdict.hash, no, entry.at, &entry.kind, entry.json.clone());
            if entry != expected {
                return Ok(Verdict { bad: Some(no), ..verdict });
            }
            verdict.entries = no;
            verdict.hash = entry.hash;
        }
    }
}
