//! `bongsu contacts`: the 비상연락망 as a list, as a document, and whether it can be relied on.
//!
//! The idea: everything comes from the edited files; what a running service learned beside them (a number that a carrier
//! refused for good) is read from the store where there is one. Names and addresses are masked; who asks for them in
//! full says why, and that stands in `access.ndjson` of the data directory before anything is shown.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::output::{self, Format};
use super::service::Place;
use super::table::Columns;
use crate::config::{Level, Loaded};
use crate::model::Contact;
use crate::pipeline::{roster, stores};
use crate::report::contacts::{Sheet, cells, csv, html, ordered, state};
use crate::time::{Clock, Ms, SystemClock, rfc3339};

/// Pages among which refused numbers are looked for.
const PAGES_MAX: usize = 10_000;
/// Where who looked at personal data stands, in the data directory.
pub(super) const ACCESS: &str = "access.ndjson";

/// `bongsu contacts …`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ContactsCommand {
    /// Who can be told, masked.
    List(ListArgs),
    /// Whether the list can be relied on: mistakes, gaps of the next 30 days, numbers to call again. Ends 1 where not.
    Verify(ListArgs),
    /// Numbers that were not confirmed for long, or that a carrier refused. Ends 1 where there are some.
    Freshness(ListArgs),
    /// What changed in the list, when, masked; and who looked at it in full.
    History(ListArgs),
    /// The document '클라우드 운영 비상연락망'.
    Document(DocumentArgs),
}

/// `bongsu contacts list`, `verify`, `freshness` and `history`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For a browser and for print.
    Html,
    /// For spreadsheets.
    Csv,
}

/// `bongsu contacts document`.
#[derive(Debug, clap::Args)]
pub(crate) struct DocumentArgs {
    #[command(flatten)]
    place: Place,
    /// Its form.
    #[arg(long = "as", value_enum, default_value = "html")]
    form: Form,
    /// Where to write it; left out: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Names and addresses in full; who asks for it and why is noted.
    #[arg(long, requires = "by", requires = "reason")]
    unmask: bool,
    /// Who asks for names and addresses.
    #[arg(long, value_name = "CONTACT")]
    by: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(command: &ContactsCommand) -> anyhow::Result<u8> {
    match command {
        ContactsCommand::List(args) => list(args),
        ContactsCommand::Verify(args) => verify(args),
        ContactsCommand::Freshness(args) => freshness(args),
        ContactsCommand::History(args) => history(args),
        ContactsCommand::Document(args) => document(args),
    }
}

/// Contacts whose number a carrier refused for good; none where there is no store yet.
fn refused(loaded: &Loaded, place: &Place) -> Vec<String> {
    let Ok(store) = stores::open_readonly(&loaded.settings, &place.data_dir) else { return Vec::new() };
    roster::refused(&loaded.people, &store.pages(None, PAGES_MAX).unwrap_or_default())
}

fn with_sheet<T>(args: &Place, unmasked: bool, work: impl FnOnce(&Loaded, &Sheet<'_>) -> T) -> anyhow::Result<T> {
    let loaded = super::run::load(&args.config)?;
    let refused = refused(&loaded, args);
    let fresh_for = loaded.people.fresh_for();
    let sheet = Sheet { people: &loaded.people, at: SystemClock.wall(), unmasked, fresh_for, refused: &refused };
    Ok(work(&loaded, &sheet))
}

fn list(args: &ListArgs) -> anyhow::Result<u8> {
    with_sheet(&args.place, false, |_, sheet| show(sheet, args.format, &|_| true))??;
    Ok(0)
}

fn freshness(args: &ListArgs) -> anyhow::Result<u8> {
    let is_old = |word: &str| matches!(word, "미확인" | "확인 지남" | "수신불가");
    let (n, all) = with_sheet(&args.place, false, |_, sheet| {
        anyhow::Ok((show(sheet, args.format, &is_old)?, sheet.people.contacts.len()))
    })??;
    if n == 0 && args.format == Format::Human {
        output::line(&mut std::io::stdout().lock(), &format!("all {all} contacts are confirmed and none is refused"))?;
    }
    Ok(u8::from(n > 0))
}

/// Prints the contacts whose state passes; returns how many.
fn show(sheet: &Sheet<'_>, format: Format, passes: &dyn Fn(&str) -> bool) -> anyhow::Result<usize> {
    let mut out = std::io::stdout().lock();
    let mut table = Columns::new(
        &["id", "단계", "소속", "직위", "성명", "역할", "담당구간", "전화", "전자우편", "유효기간", "최종확인", "상태"],
        99,
    );
    let mut n = 0;
    for contact in ordered(sheet.people).into_iter().filter(|contact| passes(state(sheet, contact))) {
        n += 1;
        let shown = cells(sheet, contact);
        if format == Format::Json {
            output::json(&mut out, object(sheet, contact, &shown))?;
        }
        table.row([contact.id.clone()].into_iter().chain(shown).collect());
    }
    if format == Format::Human && !table.is_empty() {
        for line in table.lines() {
            output::line(&mut out, &line)?;
        }
    }
    Ok(n)
}

fn object(sheet: &Sheet<'_>, contact: &Contact, shown: &[String; 11]) -> serde_json::Value {
    let [_, _, _, name, _, _, phone, email, ..] = shown;
    json!({
        "type": "contact",
        "id": contact.id,
        "org": contact.org,
        "roles": contact.roles,
        "tier": contact.tier,
        "domains": contact.domains.iter().map(|domain| domain.word()).collect::<Vec<_>>(),
        "name": name,
        "phone": phone,
        "email": email,
        "from": contact.from,
        "until": contact.until,
        "confirmed": contact.confirmed,
        "state": state(sheet, contact),
    })
}

fn verify(args: &ListArgs) -> anyhow::Result<u8> {
    let complaints = with_sheet(&args.place, false, |loaded, sheet| {
        let ours =
            [&loaded.settings.paths.contacts, &loaded.settings.paths.chains].map(|path| path.display().to_string());
        let problems = loaded.problems.iter().filter(|it| ours.contains(&it.file) && it.level != Level::Note);
        let mut complaints: Vec<(String, String)> =
            problems.map(|it| (it.id.to_owned(), it.to_human(loaded.text(it)).trim_end().to_owned())).collect();
        let bad = ordered(sheet.people).into_iter().filter(|contact| state(sheet, contact) == "수신불가");
        complaints.extend(bad.map(|contact| {
            let what = format!("`{}`: a carrier refused its number for good; call it another way", contact.id);
            ("contact-refused".to_owned(), what)
        }));
        complaints
    })?;
    let mut out = std::io::stdout().lock();
    for (id, text) in &complaints {
        match args.format {
            Format::Human => output::line(&mut out, text)?,
            Format::Json => output::json(&mut out, json!({ "type": "complaint", "id": id, "text": text }))?,
        }
    }
    if complaints.is_empty() && args.format == Format::Human {
        output::line(&mut out, "every severity of every 구간 reaches a person with a number for the next 30 days")?;
    }
    Ok(u8::from(!complaints.is_empty()))
}

fn history(args: &ListArgs) -> anyhow::Result<u8> {
    let loaded = super::run::load(&args.place.config)?;
    // A ledger that cannot be read is not one without changes.
    let store = stores::open_readonly(&loaded.settings, &args.place.data_dir)?;
    let events = super::history::events(store.as_ref(), &args.place.data_dir)?;
    let mut out = std::io::stdout().lock();
    for event in &events {
        match args.format {
            Format::Human => output::line(&mut out, &event.line())?,
            Format::Json => output::json(&mut out, event.json())?,
        }
    }
    if events.is_empty() && args.format == Format::Human {
        output::line(&mut out, "nothing changed since the service first started, and nobody looked at it in full")?;
    }
    Ok(0)
}

fn document(args: &DocumentArgs) -> anyhow::Result<u8> {
    if args.unmask {
        note_access(args, SystemClock.wall())?;
    }
    let text = with_sheet(&args.place, args.unmask, |_, sheet| match args.form {
        Form::Html => html(sheet),
        Form::Csv => csv(sheet),
    })?;
    match &args.out {
        Some(path) => write_out(path, &text, args.unmask).with_context(|| format!("write `{}`", path.display()))?,
        None => std::io::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(0)
}

/// A list with whole names and numbers is for whoever asked for it alone.
fn write_out(path: &Path, text: &str, is_private: bool) -> std::io::Result<()> {
    let mode = if is_private { 0o600 } else { 0o666 };
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(path)?;
    if is_private {
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    file.write_all(text.as_bytes())
}

/// Notes who looked at personal data and why; where that cannot be noted nothing is shown.
fn note_access(args: &DocumentArgs, now: Ms) -> anyhow::Result<()> {
    let path = args.place.data_dir.join(ACCESS);
    let reason = args.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    let reason = reason.context("say why the names are needed\n  help: --reason TEXT")?;
    let entry = json!({ "at": rfc3339(now), "by": args.by, "what": "비상연락망 전체 열람", "reason": reason });
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&args.place.data_dir)
        .with_context(|| format!("make `{}`", args.place.data_dir.display()))?;
    let file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let mut file = file.with_context(|| format!("note the access in `{}`", path.display()))?;
    writeln!(file, "{entry}").with_context(|| format!("note the access in `{}`", path.display()))?;
    file.sync_all().with_context(|| format!("note the access in `{}`", path.display()))
}
