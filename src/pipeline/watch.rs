//! Watches what can change under a running service: the edited files and the machine's wall clock.
//!
//! Files are looked at, not subscribed to: a look at a dozen time stamps every two seconds costs nothing and works the
//! same for editors that rename, mounted config maps and network disks; they are read once they stand still (`versions`).
//! A broken file keeps the old set and raises an incident of its own; so does a set of rules or resources of which
//! suddenly nothing is left. So does a wall clock that jumped, or that differs from the log's or the store's.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Level, Loaded, SourceFile};
use crate::evaluate::Setup;
use crate::model::{AckKey, BROKEN_CONFIG, Builtin, Input, Labels, State, WALL_CLOCK};
use crate::pipeline::leader::World;
use crate::pipeline::outbox::Contacts;
use crate::pipeline::own::own_signal;
use crate::pipeline::service;
use crate::pipeline::shell::{Mail, Shared};
use crate::pipeline::versions::Versions;
use crate::time::{Clock, MINUTE, Ms, SECOND};

/// A wall clock that moved by more than this against the machine's uptime has jumped; one that is further from the log's
/// differs.
const JUMP: Ms = 5 * SECOND;
/// Incidents among which those of an earlier run are looked for.
const INCIDENTS_MAX: usize = 10_000;
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

/// Where a watch leaves what changed: for the evaluator, and for the leader.
pub type Mails = (Arc<Mail<Arc<Setup>>>, Arc<Mail<Arc<World>>>);

/// The watch.
#[derive(Debug)]
pub struct Watch {
    files: Edited,
    contacts: Contacts,
    setups: Arc<Mail<Arc<Setup>>>,
    worlds: Arc<Mail<Arc<World>>>,
    /// By which changes of numbers are known whose masks stay.
    key: Option<AckKey>,
    versions: Versions,
    /// Whether the incident about the files is open; `None` until the store was asked.
    broken: Option<bool>,
    /// Whether the incident about the clock is open; `None` until the store was asked.
    wrong: Option<bool>,
    /// Wall time minus uptime at the last look.
    offset: Ms,
    jumped_at: Option<Ms>,
}

impl Watch {
    /// Distance of looks.
    pub const EVERY: Duration = Duration::from_secs(2);

    /// A watch over `read`, the files as they were read at the start, that leaves what changed in `mails`. `clock`: a
    /// jump is one since now.
    pub fn new(files: Edited, read: &[SourceFile], contacts: Contacts, mails: Mails, clock: &dyn Clock) -> Self {
        let (setups, worlds) = mails;
        let offset = clock.wall() - clock.elapsed();
        let versions = Versions::of(read);
        Self {
            files,
            contacts,
            setups,
            worlds,
            key: None,
            versions,
            broken: None,
            wrong: None,
            offset,
            jumped_at: None,
        }
    }

    /// This watch, which seals contacts by `key`.
    pub fn sealed_by(mut self, key: AckKey) -> Self {
        self.key = Some(key);
        self
    }

    /// One look.
    pub fn look(&mut self, shared: &Shared) {
        self.look_at_clock(shared);
        if self.broken.is_none() {
            // What was read at the start is good: an incident that an earlier run left open is over.
            self.broken = is_open(shared, &BROKEN_CONFIG);
            settle(shared, &BROKEN_CONFIG, &mut self.broken, false);
        }
        self.look_at_files(shared);
    }

    fn look_at_clock(&mut self, shared: &Shared) {
        let (wall, elapsed) = (shared.clock.wall(), shared.clock.elapsed());
        let moved = wall - elapsed - std::mem::replace(&mut self.offset, wall - elapsed);
        if moved.abs() > JUMP {
            tracing::warn!(by_ms = moved, "the wall clock jumped");
            self.jumped_at = Some(elapsed);
        }
        let jumped = self.jumped_at.is_some_and(|at| elapsed - at < JUMP_OVER);
        // Of two processes on one store, the one that is ahead takes the other's leases and lets its pages expire: whoever
        // reads no log has only the store's clock to see that.
        let stores = || Some(shared.store.clock().ok()?? - shared.clock.wall());
        let is_off = |by: &Ms| by.abs() > JUMP;
        let differs = shared.board.clock_difference().filter(is_off).or_else(|| stores().filter(is_off));
        self.wrong = self.wrong.or_else(|| is_open(shared, &WALL_CLOCK));
        if let (Some(by), Some(false)) = (differs, self.wrong) {
            tracing::warn!(by_ms = by, "the wall clock differs from the log's or the store's");
        }
        settle(shared, &WALL_CLOCK, &mut self.wrong, jumped || differs.is_some());
    }

    fn look_at_files(&mut self, shared: &Shared) {
        if !self.versions.look() {
            return;
        }
        let loaded = (self.files.load)();
        // The list of files may itself have changed: a new rule file.
        if self.versions.were_read(&loaded.files) {
            self.apply(&loaded, shared);
        }
    }

    /// Why the files cannot be used.
    fn unusable(&self, loaded: &Loaded) -> Option<String> {
        if let Some(problem) = loaded.problems.iter().find(|problem| problem.level == Level::Error) {
            return Some(format!("{}:{}:{}: {}", problem.file, problem.line, problem.col, problem.message));
        }
        // A volume that is not mounted looks like a folder that somebody emptied: all incidents would be over.
        let paths = &loaded.settings.paths;
        let gone = |what: &str, path: &std::path::Path| {
            let path = path.display();
            Some(format!("{path}: no {what} is left; put them back, or start the service anew without them"))
        };
        let (rules, inventory) = (self.contacts.rules(), self.contacts.inventory());
        if loaded.rules.rules.is_empty() && !rules.rules.is_empty() {
            return gone("rule", &paths.rules);
        }
        if loaded.inventory.resources.is_empty() && !inventory.resources.is_empty() {
            return gone("resource", &paths.inventory);
        }
        None
    }

    fn apply(&mut self, loaded: &Loaded, shared: &Shared) {
        if let Some(what) = self.unusable(loaded) {
            tracing::error!(what, "an edited file cannot be used; the old set stays in force");
            shared.board.set_broken(Some(what));
            settle(shared, &BROKEN_CONFIG, &mut self.broken, true);
            return;
        }
        shared.board.set_broken(None);
        settle(shared, &BROKEN_CONFIG, &mut self.broken, false);
        let rules = Arc::new(loaded.rules.clone());
        let people = Arc::new(loaded.people.clone());
        let inventory = Arc::new(loaded.inventory.clone());
        tracing::info!(rules = rules.rules.len(), hash = rules.hash, "edited files are in force");
        let topic = loaded.settings.log.topics.first().map(|topic| topic.name.clone()).unwrap_or_default();
        let setup = service::setup(&loaded.settings, Arc::clone(&rules), Arc::clone(&inventory), &topic);
        self.setups.put(Arc::new(setup));
        self.contacts.replace(Arc::clone(&people));
        self.contacts.stock(Arc::clone(&inventory), Arc::clone(&rules));
        self.worlds.put(service::world(loaded, self.key.as_ref()));
        self.files.rules.clone_from(&rules.hash);
    }
}

/// Whether an earlier run left the incident of `rule` open; `None` where the store does not say.
pub(super) fn is_open(shared: &Shared, rule: &Builtin) -> Option<bool> {
    let incidents = shared.store.incidents(INCIDENTS_MAX).ok()?;
    Some(incidents.iter().any(|incident| *incident.rule == *rule.id && incident.state.is_live()))
}

/// Opens or ends the incident of `rule`, where it is not as it should be; tried again at the next look where the store
/// does not take it.
pub(super) fn settle(shared: &Shared, rule: &Builtin, open: &mut Option<bool>, wanted: bool) {
    if open.is_none_or(|open| open == wanted) {
        return;
    }
    let to = if wanted { State::Firing } else { State::Resolved };
    let now = shared.clock.wall();
    match shared.store.add_input(&Input::Own(own_signal(rule, Labels::default(), to, now)), now) {
        Ok(_) => *open = Some(wanted),
        Err(error) => tracing::error!(%error, rule = rule.id, "an incident of the engine's own could not be told"),
    }
    shared.lead.ring();
}

/// Raises or ends a trouble of the engine's own.
pub(super) fn own(shared: &Shared, rule: &Builtin, labels: Labels, to: State) {
    let now = shared.clock.wall();
    if let Err(error) = shared.store.add_input(&Input::Own(own_signal(rule, labels, to, now)), now) {
        tracing::error!(%error, rule = rule.id, "an incident of the engine's own could not be told");
    }
    shared.lead.ring();
}
