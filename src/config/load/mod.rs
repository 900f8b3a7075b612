//! A whole configuration: settings, rules, people, inventory, calendar and scenarios, with all problems of all files.
//!
//! The idea: files are read and parsed first, each with its own notes; then each kind becomes values; then the kinds
//! are asked whether they fit together. A question whose other half is not loaded (`check` of a single file) is not
//! asked.

mod reached;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::adjust::{adjust, adjust_adopted};
use super::alertmanager;
use super::calendar::{CALENDAR, Edited, calendar};
use super::chain::{self, CHAINS, ChainPlaces};
use super::files::{FileKind, Source, SourceFile, yaml_files};
use super::fit;
use super::guard::Guard;
use super::inventory::{INVENTORY, inventory};
use super::lint::{self, Parts, Sifted, Traffic};
use super::mute;
use super::overrides::lay_over;
use super::people::{self, CONTACTS, Placed};
use super::problem::{Mark, Notes, Problem};
use super::prometheus;
use super::read::{Obj, check};
use super::rules::{self, Around, FILE, PlacedRule};
use super::scenario::{Known, Scenario, brought, own, scenarios};
use super::settings::{Role, SETTINGS, Settings, settings};
use super::sla;
use super::table::Table;
use super::tree::{Data, Node};
use super::unit::{UnitFile, unit_file};
use crate::model::{Calendar, Chain, Contact, Inventory, Muting, People, Rota, RuleFile, RuleSet, SlaPlan};
use crate::time::Ms;

/// What [`load`] needs beside files.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Environment variables; those that begin with `BONGSU__` count.
    pub env: &'a [(String, String)],
    /// Wall time, for reachability.
    pub now: Ms,
    /// What a settings file names has to be there: for `run`. A folder with a settings file is always taken so; `check`
    /// of the one file looks at the others where they are.
    pub whole: bool,
}

/// Everything that was read, as far as it could be understood, and everything that is wrong with it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// `bongsu.yaml`, or its defaults.
    pub settings: Settings,
    /// Rules without errors.
    pub rules: RuleSet,
    /// Prometheus rule files, their rules without errors.
    pub rule_files: Vec<RuleFile>,
    /// promtool's unit-test files.
    pub unit_files: Vec<UnitFile>,
    /// Contacts and chains.
    pub people: People,
    /// Resources.
    pub inventory: Inventory,
    /// Days off and business hours.
    pub calendar: Calendar,
    /// What mutes by configuration; its limits are those of `settings`.
    pub muting: Muting,
    /// Scenarios without errors.
    pub scenarios: Vec<Scenario>,
    /// Rules with errors, in neither `rules` nor `rule_files`.
    pub refused: usize,
    /// What is wrong, by file and place.
    pub problems: Vec<Problem>,
    /// What would be, had nobody said why it is meant so.
    pub silenced: Vec<Problem>,
    /// Files that were read or should have been.
    pub files: Vec<SourceFile>,
}

/// Loads what `paths` stand for: a settings file or a folder with one (a whole configuration, its other files found by
/// `paths:`), a folder of rule files, or single files. Never fails: what cannot be read is a problem.
pub fn load(paths: &[PathBuf], ask: &Ask<'_>) -> Loaded {
    gather(paths, ask).finish(None)
}

/// Loads one file of rules, scenarios or both that stands nowhere but in `text`; `name` is what problems call it.
pub fn load_text(name: &str, text: &str, ask: &Ask<'_>) -> Loaded {
    let source = Source::parse(Path::new(name), text.as_bytes(), Some(FileKind::Rules));
    Load { ask: *ask, sources: vec![source], settings: None, whole: false }.finish(None)
}

/// As [`load`], the rules judged against what came in a recording too.
pub fn load_against(paths: &[PathBuf], ask: &Ask<'_>, traffic: &Traffic) -> Loaded {
    gather(paths, ask).finish(Some(traffic))
}

fn gather<'a>(paths: &[PathBuf], ask: &Ask<'a>) -> Load<'a> {
    let mut load = Load { ask: *ask, sources: Vec::new(), settings: None, whole: ask.whole };
    for path in paths {
        load.path(path);
    }
    load
}

/// Loads as [`load`] does, with `changes` of the form `RULE.path=value` put into the rules.
///
/// # Errors
/// A change that addresses nothing; a value that does not fit is a problem like any other.
pub fn load_adjusted(paths: &[PathBuf], ask: &Ask<'_>, changes: &[String]) -> Result<Loaded, String> {
    let mut load = gather(paths, ask);
    let mut others = Vec::new();
    for change in changes {
        if !adjust(&mut load.sources, change)? {
            others.push(change);
        }
    }
    let mut loaded = load.finish(None);
    others.into_iter().try_for_each(|change| adjust_adopted(&mut loaded, change))?;
    Ok(loaded)
}

/// The people, chains and calendar that ship with the program: for whoever has no configuration yet.
pub fn shipped(now: Ms) -> Loaded {
    const FILES: [(&str, &str, FileKind); 3] = [
        ("contacts.yaml", include_str!("../../../configs/contacts.yaml"), FileKind::Contacts),
        ("chains.yaml", include_str!("../../../configs/chains.yaml"), FileKind::Chains),
        ("calendar.yaml", include_str!("../../../configs/calendar.yaml"), FileKind::Calendar),
    ];
    let ask = Ask { env: &[], now, whole: false };
    let parse =
        |(name, text, kind): (&str, &str, FileKind)| Source::parse(Path::new(name), text.as_bytes(), Some(kind));
    Load { ask, sources: FILES.into_iter().map(parse).collect(), settings: None, whole: false }.finish(None)
}

struct Load<'a> {
    ask: Ask<'a>,
    sources: Vec<Source>,
    settings: Option<Settings>,
    /// What a settings file names has to be there.
    whole: bool,
}

/// What was read, places with it; `None` = no such file.
#[derive(Default)]
struct Read {
    contacts: Option<Vec<Placed<Contact>>>,
    rotas: Vec<Rota>,
    fresh_for: Option<Ms>,
    chains: Option<Vec<(Chain, ChainPlaces)>>,
    inventory: Inventory,
    calendar: Edited,
    sla: SlaPlan,
    muting: Muting,
}

impl Read {
    fn people(&self) -> People {
        let contacts = self.contacts.iter().flatten().map(|contact| contact.value.clone()).collect();
        let chains = self.chains.iter().flatten().map(|(chain, _)| chain.clone()).collect();
        let (rotas, sla) = (self.rotas.clone(), self.sla.clone());
        People {
            contacts,
            chains,
            pages_an_hour: None,
            sla,
            rotas,
            calendar: self.calendar.calendar(),
            fresh_for: self.fresh_for,
        }
    }
}

impl Load<'_> {
    fn path(&mut self, path: &Path) {
        if !path.is_dir() {
            return self.file(path);
        }
        let main = path.join("bongsu.yaml");
        if main.is_file() {
            self.whole = true;
            return self.file(&main);
        }
        match yaml_files(path) {
            Ok(files) => files.iter().for_each(|file| self.file(file)),
            Err(why) => self.missing(path, None, &why.to_string()),
        }
    }

    fn file(&mut self, path: &Path) {
        if self.sources.iter().any(|source| source.file.path == path) {
            return;
        }
        let source = Source::read(path, None);
        self.add(source);
    }

    fn add(&mut self, source: Source) {
        let main = source.kind == FileKind::Settings;
        self.sources.push(source);
        if main && self.settings.is_none() {
            self.main(self.sources.len() - 1);
        }
    }

    /// Reads the settings file and, where the process does more than collect, the files that it names.
    fn main(&mut self, n: usize) {
        let Some(source) = self.sources.get_mut(n) else { return };
        let folder = source.file.path.parent().unwrap_or(Path::new("")).to_owned();
        let Some(root) = &mut source.root else { return };
        lay_over(root, &SETTINGS, self.ask.env, &mut source.notes);
        let root = root.clone();
        check(&root, &SETTINGS, &mut source.notes);
        let read = settings(Obj::new(&root, &SETTINGS), &folder, &mut source.notes);
        let alone =
            root.get("agent").is_some() && root.entries().iter().all(|e| matches!(e.key.as_str(), "agent" | "log"));
        let works = read.roles.iter().any(|role| matches!(role, Role::Evaluate | Role::Incident | Role::Notify));
        if works && !alone && source.file.path.is_file() {
            self.named(&read, &root, n);
        }
        self.settings = Some(read);
    }

    fn named(&mut self, settings: &Settings, root: &Node, n: usize) {
        let paths = &settings.paths;
        let written = |key: &str| root.get("paths").and_then(|paths| paths.get(key)).map(|node| node.at);
        let files = [
            ("contacts", &paths.contacts, FileKind::Contacts, true),
            ("chains", &paths.chains, FileKind::Chains, true),
            ("inventory", &paths.inventory, FileKind::Inventory, false),
            ("calendar", &paths.calendar, FileKind::Calendar, false),
        ];
        for (key, path, kind, needed) in files {
            if path.is_file() {
                self.sources.push(Source::read(path, Some(kind)));
            } else if self.whole && (needed || written(key).is_some()) {
                self.missing(path, Some((n, written(key).or(root.get("paths").map(|p| p.at)))), "no such file");
            }
        }
        match yaml_files(&paths.rules) {
            Ok(files) => self.sources.extend(files.iter().map(|path| Source::read(path, Some(FileKind::Rules)))),
            Err(_) if paths.rules.is_file() => self.sources.push(Source::read(&paths.rules, Some(FileKind::Rules))),
            Err(why) if self.whole => self.missing(&paths.rules, Some((n, written("rules"))), &why.to_string()),
            Err(_) => {}
        }
    }

    /// Notes a file that cannot be read, at the place that names it where there is one.
    fn missing(&mut self, path: &Path, named: Option<(usize, Option<Mark>)>, why: &str) {
        let message = format!("`{}` cannot be read: {why}", path.display());
        let help = "create it, or name another under `paths:`";
        if let Some((n, at)) = named
            && let Some(source) = self.sources.get_mut(n)
        {
            return source.notes.error("file-missing", at.unwrap_or(Mark::new(1, 1, 0)), message, help);
        }
        let mut notes = Notes::new(&path.display().to_string());
        notes.error("file-missing", Mark::new(1, 1, 0), message, "name a file or folder that is there");
        let file = SourceFile { path: path.to_owned(), text: Arc::from("") };
        self.sources.push(Source { kind: FileKind::Rules, file, root: None, documents: Vec::new(), notes });
    }

    fn finish(mut self, traffic: Option<&Traffic>) -> Loaded {
        self.sources = self.sources.into_iter().flat_map(Source::parted).collect();
        let read = self.read();
        self.fit(&read);
        let people = read.people();
        let guard = Guard::of(&read.inventory, &people);
        let (mut rules, refused) = self.rules(&read, &guard);
        let scenarios = self.scenarios(&read, &rules, &guard);
        let (rule_files, unread) = self.rule_files();
        let unit_files = self.unit_files();
        self.reach(&people, &read.inventory);
        let sound = self.sound(FileKind::Contacts) && self.sound(FileKind::Chains);
        let parts = Parts {
            now: self.ask.now,
            settings: self.settings.as_ref(),
            rules: &rules,
            contacts: read.contacts.as_deref().filter(|_| sound),
            chains: read.chains.as_deref().filter(|_| sound),
            people: &people,
            inventory: &read.inventory,
        };
        lint::note(&mut self.sources, parts, traffic);
        let Sifted { problems, silenced, files } = lint::sift(self.sources);
        // A finding that is an error refuses its rule like any other mistake, unless somebody said that it is meant.
        let before = rules.len();
        rules.retain(|id, _| !lint::refused(&problems, id));
        let refused = refused + unread + before - rules.len();
        let (alerts, groups) = prometheus::adopt(&rule_files, rules.keys().cloned().collect(), &guard);
        let native = rules.into_values().map(|placed| placed.rule);
        let calendar = read.calendar.calendar();
        Loaded {
            settings: self.settings.take().unwrap_or_else(defaults),
            refused,
            rules: rules::set(native.chain(alerts).collect(), groups),
            rule_files,
            unit_files,
            people,
            inventory: read.inventory,
            muting: Muting { calendar: calendar.clone(), ..read.muting },
            calendar,
            scenarios,
            problems,
            silenced,
            files,
        }
    }

    /// Everything but rules, each file by itself.
    fn read(&mut self) -> Read {
        let mut read = Read::default();
        for source in &mut self.sources {
            let Some(root) = &source.root else { continue };
            let notes = &mut source.notes;
            match source.kind {
                FileKind::Contacts => {
                    let file = judged(root, &CONTACTS, notes);
                    let contacts = people::contacts(file, notes);
                    read.rotas.extend(people::rotas(file, &contacts, notes));
                    read.fresh_for = file.duration("fresh_for").or(read.fresh_for);
                    read.contacts.get_or_insert_default().extend(contacts);
                }
                FileKind::Chains => {
                    let file = judged(root, &CHAINS, notes);
                    read.chains.get_or_insert_default().extend(chain::chains(file, notes));
                    read.sla = sla::sla(file, notes);
                    read.muting.inhibit.extend(mute::inhibits(file, notes));
                }
                FileKind::Inventory => {
                    let inventory = inventory(judged(root, &INVENTORY, notes), notes);
                    read.inventory.resources.extend(inventory.resources);
                }
                FileKind::Calendar => {
                    let file = judged(root, &CALENDAR, notes);
                    read.muting.windows.extend(mute::windows(file, notes));
                    let calendar = calendar(file, notes);
                    read.calendar.holidays.extend(calendar.holidays);
                    read.calendar.office = calendar.office;
                    read.calendar.intervals.extend(calendar.intervals);
                }
                // Judged, and asked by `route --alertmanager` alone.
                FileKind::Alertmanager => {
                    alertmanager::read(root, notes);
                }
                FileKind::Settings | FileKind::Rules | FileKind::Prometheus | FileKind::Unit => {}
            }
        }
        read
    }

    /// Chains against the calendar and contacts.
    fn fit(&mut self, read: &Read) {
        if let Some(chains) = &read.chains
            && let Some(notes) = self.notes(FileKind::Chains)
        {
            fit::hours(chains, &read.calendar.calendar(), notes);
        }
        let (Some(contacts), Some(chains)) = (&read.contacts, &read.chains) else { return };
        if !self.sound(FileKind::Contacts) {
            // A contact with a mistake would be missing in every chain that means it.
            return;
        }
        let mut theirs = self.take_notes(FileKind::Contacts);
        if let Some(ours) = self.notes(FileKind::Chains) {
            fit::cross(chains, (contacts, &read.rotas), ours, &mut theirs);
        }
        self.give_notes(FileKind::Contacts, theirs);
    }

    /// The rules without errors by id, and how many have some.
    fn rules(&mut self, read: &Read, guard: &Guard) -> (BTreeMap<String, PlacedRule>, usize) {
        let ids: Option<Vec<String>> =
            read.chains.as_ref().map(|chains| chains.iter().map(|(chain, _)| chain.id.clone()).collect());
        let keeps = self.settings.as_ref().and_then(Settings::keeps);
        let mut all: BTreeMap<String, (PlacedRule, String)> = BTreeMap::new();
        let (mut written, mut bad) = (0, Vec::new());
        for source in self.sources.iter_mut().filter(|source| source.kind == FileKind::Rules) {
            let Some(root) = &mut source.root else { continue };
            rules::merge(root, &mut source.notes);
            let file = judged(root, &FILE, &mut source.notes);
            let own: Option<Vec<String>> =
                file.has("chains").then(|| file.subs("chains").filter_map(|c| c.owned("id")).collect());
            let around = Around { chains: own.as_deref().or(ids.as_deref()), keeps, guard, source: &source.file.text };
            let name = source.file.path.display().to_string();
            written += file.list("rules").len();
            for placed in rules::rules(file, around, &mut source.notes) {
                let id = placed.rule.id.to_string();
                if let Some((first, place)) = all.get(&id) {
                    let message = format!("rule `{id}` stands twice, first at {place}:{}", first.at.line);
                    let outer = source.notes.within(Some(id));
                    source.notes.error("duplicate-id", placed.at, message, "rename one");
                    source.notes.within(outer);
                    continue;
                }
                all.insert(id, (placed, name.clone()));
            }
            bad.extend(source.notes.rules_with_errors().map(|rule| (name.clone(), rule.to_owned())));
        }
        // The first of two rules with one id has no mistake of its own, but which of the two is meant is unknown.
        all.retain(|id, (_, file)| !bad.iter().any(|(place, rule)| rule == id && place == file));
        let refused = written - all.len().min(written);
        (all.into_iter().map(|(id, (placed, _))| (id, placed)).collect(), refused)
    }

    fn scenarios(&mut self, read: &Read, rules: &BTreeMap<String, PlacedRule>, guard: &Guard) -> Vec<Scenario> {
        let mut ids: Vec<String> = self.written_rules();
        ids.sort();
        ids.dedup();
        let contacts: Option<Vec<String>> = read
            .contacts
            .as_ref()
            .filter(|_| self.sound(FileKind::Contacts))
            .map(|contacts| contacts.iter().map(|contact| contact.value.id.clone()).collect());
        let whole = self.settings.is_some();
        let mut found = Vec::new();
        for source in self.sources.iter_mut().filter(|source| source.kind == FileKind::Rules) {
            let Some(root) = &source.root else { continue };
            let file = Obj::new(root, &FILE);
            let own = Arc::new(own(file, rules, &mut source.notes));
            let own_contacts: Option<Vec<String>> =
                own.contacts.as_ref().map(|contacts| contacts.iter().map(|contact| contact.id.clone()).collect());
            // Who comes later is known as well.
            let later = |ids: Option<Vec<String>>, part: &str| Some([ids?, brought(file, part)?].concat());
            let rules = later((whole || file.has("rules")).then(|| ids.clone()), "rules");
            let contacts = later(own_contacts.or_else(|| contacts.clone()), "contacts");
            let known =
                Known { rules: rules.as_deref(), contacts: contacts.as_deref(), guard, source: &source.file.text };
            let name = source.file.path.display().to_string();
            found.extend(scenarios(file, &name, &own, known, &mut source.notes));
        }
        found
    }

    /// Prometheus's rule files, and how many of their rules have errors.
    fn rule_files(&mut self) -> (Vec<RuleFile>, usize) {
        let (mut found, mut refused) = (Vec::new(), 0);
        for source in self.sources.iter_mut().filter(|source| source.kind == FileKind::Prometheus) {
            let name = source.file.path.display().to_string();
            let read = prometheus::read(&name, &source.file.text, &source.documents, &mut source.notes);
            refused += read.refused;
            found.push(read.file);
        }
        (found, refused)
    }

    fn unit_files(&mut self) -> Vec<UnitFile> {
        let mut found = Vec::new();
        for source in self.sources.iter_mut().filter(|source| source.kind == FileKind::Unit) {
            let Some(root) = &source.root else { continue };
            found.push(unit_file(&source.file.path, &source.file.text, root, &mut source.notes));
        }
        found
    }

    /// Ids of all rules that are written, with or without mistakes: a scenario about a broken rule names it rightly.
    fn written_rules(&self) -> Vec<String> {
        let roots = self.sources.iter().filter(|source| source.kind == FileKind::Rules).filter_map(|s| s.root.as_ref());
        let native = roots.flat_map(|root| Obj::new(root, &FILE).subs("rules").filter_map(|rule| rule.owned("id")));
        let documents = self.sources.iter().flat_map(|source| &source.documents);
        let alerts = documents.flat_map(|document| prometheus::standing(std::slice::from_ref(document)));
        native.chain(alerts.filter_map(|rule| rule.item.owned("alert"))).collect()
    }

    /// Whether there are files of this kind, and no error in them.
    fn sound(&self, kind: FileKind) -> bool {
        let mut sources = self.sources.iter().filter(|source| source.kind == kind).peekable();
        sources.peek().is_some() && sources.all(|source| source.root.is_some() && source.notes.errors() == 0)
    }

    fn notes(&mut self, kind: FileKind) -> Option<&mut Notes> {
        self.sources.iter_mut().find(|source| source.kind == kind).map(|source| &mut source.notes)
    }

    fn take_notes(&mut self, kind: FileKind) -> Notes {
        self.notes(kind).map_or_else(|| Notes::new(""), |notes| std::mem::replace(notes, Notes::new("")))
    }

    fn give_notes(&mut self, kind: FileKind, given: Notes) {
        if let Some(notes) = self.notes(kind) {
            *notes = given;
        }
    }
}

/// Checks a tree against its table and gives it for reading.
fn judged<'n>(root: &'n Node, table: &'static Table, notes: &mut Notes) -> Obj<'n> {
    check(root, table, notes);
    Obj::new(root, table)
}

/// Settings of an empty file.
fn defaults() -> Settings {
    let nothing = Node { at: Mark::new(1, 1, 0), data: Data::Null };
    settings(Obj::new(&nothing, &SETTINGS), Path::new("configs"), &mut Notes::new(""))
}
