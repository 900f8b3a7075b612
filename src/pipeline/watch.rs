//! Watches what can change under a running service: the edited files and the machine's wall clock.
//!
//! Files are looked at, not subscribed to: a look at a dozen time stamps every two seconds costs nothing and works the
//! same for editors that rename, mounted config maps and network disks. A broken file keeps the old set and raises an
//! incident of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::{Level, Loaded, SourceFile};
use crate::evaluate::Setup;
use crate::model::{BROKEN_CONFIG, Builtin, Input, Labels, State, WALL_CLOCK};
use crate::pipeline::leader::World;
use crate::pipeline::outbox::Contacts;
use crate::pipeline::own::own_signal;
use crate::pipeline::service;
use crate::pipeline::shell::{Mail, Shared};
use crate::time::{MINUTE, Ms, SECOND};

/// A wall clock that moved by more than this against the machine's uptime has jumped.
const JUMP: Ms = 5 * SECOND;
/// A clock that has not jumped again for so long is good.
const JUMP_OVER: Ms = MINUTE;
/// Reads the edited files anew.
type Load = Arc<dyn Fn() -> Loaded + Send + Sync>;

/// The edited files: how to read them again.
#[derive(Clone)]
pub struct Edited {
    /// Reads all of them.
    pub load: Load,
    /// The rule set in force.
    pub rules: String,
}

impl std::fmt::Debug for Edited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edited").field("rules", &self.rules).finish_non_exhaustive()
    }
}

type Stamp = (PathBuf, Option<SystemTime>, u64);

/// The watch.
#[derive(Debug)]
pub struct Watch {
    files: Edited,
    contacts: Contacts,
    setups: Arc<Mail<Arc<Setup>>>,
    worlds: Arc<Mail<Arc<World>>>,
    stamps: Vec<Stamp>,
    broken: bool,
    /// Wall time minus uptime at the last look.
    offset: Option<Ms>,
    jumped_at: Option<Ms>,
}

impl Watch {
    /// Distance of looks.
    pub const EVERY: Duration = Duration::from_secs(2);

    /// A watch over `read`, the files as they were read at the start, that leaves what changed in `setups` and `worlds`.
    pub fn new(
        files: Edited,
        read: &[SourceFile],
        contacts: Contacts,
        setups: Arc<Mail<Arc<Setup>>>,
        worlds: Arc<Mail<Arc<World>>>,
    ) -> Self {
        Self { files, contacts, setups, worlds, stamps: stamps(read), broken: false, offset: None, jumped_at: None }
    }

    /// One look.
    pub fn look(&mut self, shared: &Shared) {
        self.look_at_clock(shared);
        self.look_at_files(shared);
    }

    fn look_at_clock(&mut self, shared: &Shared) {
        let (wall, elapsed) = (shared.clock.wall(), shared.clock.elapsed());
        let offset = wall - elapsed;
        let before = self.offset.replace(offset).unwrap_or(offset);
        if (offset - before).abs() > JUMP {
            tracing::warn!(by_ms = offset - before, "the wall clock jumped");
            self.jumped_at = Some(elapsed);
            own(shared, &WALL_CLOCK, Labels::default(), State::Firing);
        } else if self.jumped_at.is_some_and(|at| elapsed - at >= JUMP_OVER) {
            self.jumped_at = None;
            own(shared, &WALL_CLOCK, Labels::default(), State::Resolved);
        }
    }

    fn look_at_files(&mut self, shared: &Shared) {
        if self.stamps == stamps_again(&self.stamps) {
            return;
        }
        let loaded = (self.files.load)();
        // The list of files may itself have changed: a new rule file.
        self.stamps = stamps(&loaded.files);
        self.apply(&loaded, shared);
    }

    fn apply(&mut self, loaded: &Loaded, shared: &Shared) {
        let first_error = loaded.problems.iter().find(|problem| problem.level == Level::Error);
        if let Some(problem) = first_error {
            let what = format!("{}:{}:{}: {}", problem.file, problem.line, problem.col, problem.message);
            tracing::error!(what, "an edited file cannot be used; the old set stays in force");
            shared.board.set_broken(Some(what));
            if !std::mem::replace(&mut self.broken, true) {
                own(shared, &BROKEN_CONFIG, Labels::default(), State::Firing);
            }
            return;
        }
        shared.board.set_broken(None);
        if std::mem::replace(&mut self.broken, false) {
            own(shared, &BROKEN_CONFIG, Labels::default(), State::Resolved);
        }
        let rules = Arc::new(loaded.rules.clone());
        let people = Arc::new(loaded.people.clone());
        let inventory = Arc::new(loaded.inventory.clone());
        tracing::info!(rules = rules.rules.len(), hash = rules.hash, "edited files are in force");
        let topic = loaded.settings.log.topics.first().map(|topic| topic.name.clone()).unwrap_or_default();
        let setup = service::setup(&loaded.settings, Arc::clone(&rules), Arc::clone(&inventory), &topic);
        self.setups.put(Arc::new(setup));
        self.contacts.replace(Arc::clone(&people));
        self.worlds.put(service::world(loaded));
        let now = shared.clock.wall();
        if let Err(error) = shared.store.add_input(&Input::Reload { hash: rules.hash.clone() }, now) {
            tracing::warn!(%error, "the reload could not be noted in the ledger");
        }
        self.files.rules.clone_from(&rules.hash);
    }
}

/// Raises or ends a trouble of the engine's own.
pub(super) fn own(shared: &Shared, rule: &Builtin, labels: Labels, to: State) {
    let now = shared.clock.wall();
    if let Err(error) = shared.store.add_input(&Input::Own(own_signal(rule, labels, to, now)), now) {
        tracing::error!(%error, rule = rule.id, "an incident of the engine's own could not be raised");
    }
    shared.lead.ring();
}

fn stamp(path: PathBuf) -> Stamp {
    let found = std::fs::metadata(&path);
    let (when, length) = found.map_or((None, 0), |meta| (meta.modified().ok(), meta.len()));
    (path, when, length)
}

fn stamps(files: &[SourceFile]) -> Vec<Stamp> {
    // A folder's own stamp shows files that come and go.
    let folders = files.iter().filter_map(|file| file.path.parent().map(PathBuf::from));
    let mut all: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).chain(folders).collect();
    all.sort();
    all.dedup();
    all.into_iter().map(stamp).collect()
}

fn stamps_again(before: &[Stamp]) -> Vec<Stamp> {
    before.iter().map(|(path, ..)| stamp(path.clone())).collect()
}
