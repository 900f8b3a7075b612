//! Puts the service together from its configuration: which sides, which stages, in which order they end.
//!
//! Everything that can be refused is refused here, before the first thread starts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::config::{self, AgentTo, Loaded, LogKind, Role, Settings, Skew, StoreUrl};
use crate::console;
use crate::evaluate::{Limits, Setup, SkewPolicy};
use crate::log::Sink;
use crate::model::{AckKey, Muting, RuleSet};
use crate::notify::{Gateway, Paced, Unwritten, Worker};
use crate::pipeline::data_dir::DataDir;
use crate::pipeline::dues::{AtEnd, Places};
use crate::pipeline::evaluator::{Evaluator, Sides};
use crate::pipeline::front::{DecodeFrame, Desk, Front, LogIntake, Standing};
use crate::pipeline::gate::Gate;
use crate::pipeline::heartbeat::{self, Heartbeat};
use crate::pipeline::leader::World;
use crate::pipeline::leading::Leading;
use crate::pipeline::outages::Outages;
use crate::pipeline::outbox::{Contacts, StoreOutbox};
use crate::pipeline::receipts::{Asking, Receipts};
use crate::pipeline::roster::RosterWatch;
use crate::pipeline::selfwatch::SelfWatch;
use crate::pipeline::shadow::Shadows;
use crate::pipeline::shell::{self, Mail, Shell};
use crate::pipeline::sides::{self, LogSides};
use crate::pipeline::stores;
use crate::pipeline::sweep::{self, Sweeper};
use crate::pipeline::watch::{Edited, Watch};
use crate::pipeline::ways::{self, GatewayWatch};
use crate::telemetry::Metrics;
use crate::time::Clock;

/// Accepted pages are looked through for receipts to ask for this often.
const RECEIPTS_EVERY: std::time::Duration = std::time::Duration::from_millis(500);

/// The command line's and the browser's secret in the data directory.
const TOKEN_FILE: &str = "token";
/// The file with the key of one-time codes, unless the settings name another.
pub(super) const ACK_KEY_FILE: &str = "ack-key";

/// What `evaluate` runs under these settings.
pub fn setup(settings: &Settings, rules: Arc<RuleSet>, inventory: Arc<crate::model::Inventory>, topic: &str) -> Setup {
    Setup {
        rules,
        inventory,
        topic: topic.to_owned(),
        partitions: settings.log.partitions,
        limits: Limits {
            series: settings.limits.series,
            series_per_rule: settings.limits.series_per_rule,
            window_memory: settings.limits.window_memory,
        },
        skew: match settings.skew {
            Skew::Shift => SkewPolicy::Shift,
            Skew::Quarantine => SkewPolicy::Quarantine,
        },
        builtins: true,
        source_silent: Some(crate::model::SOURCE_SILENT.severity),
    }
}

/// What the leader looks things up in.
pub fn world(loaded: &Loaded, key: Option<&AckKey>) -> Arc<World> {
    let mut people = loaded.people.clone();
    people.pages_an_hour = Some(loaded.settings.limits.pages_per_hour);
    let world = World::new(loaded.rules.clone(), people, loaded.inventory.clone());
    let mut world = world.storm_after(loaded.settings.limits.storm).muted_by(&muting(loaded));
    world.open_incidents = loaded.settings.limits.open_incidents;
    world.hash = hash(loaded);
    Arc::new(match key {
        Some(key) => world.sealed_by(key),
        None => world,
    })
}

/// What mutes, under the settings.
pub(super) fn muting(loaded: &Loaded) -> Muting {
    let limits = &loaded.settings.limits;
    Muting {
        silence_length: limits.silence_length,
        silence_incidents: limits.silence_incidents,
        ..loaded.muting.clone()
    }
}

/// Of all edited files as they are: a comment that changed makes another world, which harms nobody.
fn hash(loaded: &Loaded) -> String {
    use sha2::Digest;
    let mut files: Vec<_> = loaded.files.iter().collect();
    files.sort_by_key(|file| file.path.file_name().map(std::ffi::OsStr::to_owned));
    let mut hash = sha2::Sha256::new();
    for file in files {
        // Where the files lie may differ from one instance to the next.
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        hash.update(format!("{name}\x1f{}\x1f{}\x1e", file.text.len(), file.text));
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What the decoder takes under these settings.
pub fn decode_limits(settings: &Settings) -> crate::decode::Limits {
    crate::decode::Limits { record_bytes: settings.limits.record_bytes, shapes: settings.limits.series }
}

/// A service that is ready to run.
#[derive(Debug)]
pub struct Service {
    shell: Shell,
    app: Option<(console::App, std::net::TcpListener)>,
    topics: Vec<String>,
    _dir: DataDir,
}

/// What the parts of a service are made of.
struct Making<'a> {
    loaded: &'a Loaded,
    files: &'a Edited,
    dir: &'a DataDir,
    clock: Arc<dyn Clock>,
    world: Arc<World>,
    contacts: Contacts,
    owner: String,
    /// What senders know and could not write.
    unwritten: Unwritten,
    ways: Vec<Arc<Paced>>,
    codes: AckKey,
}

impl Service {
    /// Builds and starts every role of `loaded.settings`; gives up where `asked` is set while it waits for Kafka.
    ///
    /// # Errors
    /// Something cannot work: a port that is taken, a topic that must not be used, a store of a newer version.
    pub fn start(
        loaded: &Loaded,
        files: Edited,
        dir: DataDir,
        clock: Arc<dyn Clock>,
        asked: &AtomicBool,
    ) -> anyhow::Result<Self> {
        let settings = &loaded.settings;
        let on = |role: Role| settings.roles.contains(&role);
        check(settings, &dir)?;
        let listener = on(Role::Console).then(|| console::bind(settings.listen)).transpose()?;
        let store = stores::open(settings, &dir.path)?;
        let metrics = Arc::new(Metrics::new(clock.wall()));
        let mut shell = Shell::new(Arc::clone(&store), Arc::clone(&clock), metrics);
        shell.shared.gate = Arc::new(Gate::closed(clock.elapsed(), on(Role::Evaluate), places(settings)));
        let people = Arc::new(loaded.people.clone());
        let codes = ack_key(settings, &dir)?;
        let world = world(loaded, Some(&codes));
        let contacts = Contacts::new(people);
        contacts.stock(Arc::new(loaded.inventory.clone()), Arc::new(loaded.rules.clone()));
        let making = Making {
            loaded,
            files: &files,
            dir: &dir,
            clock: Arc::clone(&clock),
            world,
            contacts,
            owner: owner(settings, &dir),
            codes,
            unwritten: Unwritten::default(),
            ways: if on(Role::Notify) { ways::open(settings, &dir.path, &clock)? } else { Vec::new() },
        };
        let mut log = sides::open(settings, &dir.path, Arc::clone(&clock), asked)?;
        let sink = Arc::clone(&log.sink);
        if on(Role::Agent) {
            start_agent(&mut shell, &making, Arc::clone(&sink))?;
        }
        let watch = start_stages(&mut shell, &making, &mut log)?;
        start_watch(&mut shell, watch, &making)?;
        if let Some(heartbeat) = &settings.heartbeat {
            let mut beat = Heartbeat::new(heartbeat.clone(), making.ways.clone())?;
            shell.start("heartbeat", move |shared, stop| {
                while stop.wait(heartbeat::LOOK) {
                    beat.look(shared);
                }
                Ok(())
            })?;
        }
        let app = listener.map(|listener| anyhow::Ok((make_app(&shell, &making, sink)?, listener))).transpose()?;
        let topics = settings.log.topics.iter().map(|topic| topic.name.clone()).collect();
        Ok(Self { shell, app, topics, _dir: dir })
    }

    /// The address of the page, with a sign-in link that is good once.
    pub fn page(&self) -> anyhow::Result<Option<String>> {
        let Some((app, listener)) = &self.app else { return Ok(None) };
        Ok(Some(format!("http://{}{}", listener.local_addr()?, app.sign_in_path()?)))
    }

    /// The topics it reads.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// Runs until `asked` is set or a stage ends by itself, then ends everything in order.
    ///
    /// # Errors
    /// A stage ended by itself.
    pub fn run(self, asked: &Arc<AtomicBool>) -> anyhow::Result<()> {
        let console = self.app.map(|(app, listener)| serve(app, listener)).transpose()?;
        let ended = self.shell.wait(asked);
        let clean = self.shell.end();
        if let Some((stop, thread)) = console {
            // The receiver is gone only when the console is.
            let _ = stop.send(());
            let _ = thread.join();
        }
        match ended {
            Some((stage, why)) => anyhow::bail!("stage `{stage}` ended: {why}"),
            None if !clean => anyhow::bail!("the end took too long; what was left is found again at the next start"),
            None => Ok(()),
        }
    }
}

/// Refuses what lies in the data directory and cannot be used, before anything is made there.
fn check(settings: &Settings, dir: &DataDir) -> anyhow::Result<()> {
    let on = |role: Role| settings.roles.contains(&role);
    let mut databases: Vec<&Path> = Vec::new();
    if let StoreUrl::Sqlite(file) = &settings.store {
        databases.push(file);
    }
    let (log, lock) = (Path::new(sides::LOG_FILE), format!("{}.lock", sides::LOG_FILE));
    let mut files: Vec<&Path> = Vec::new();
    if is_embedded(settings) {
        databases.push(log);
        files.push(Path::new(&lock));
    }
    if on(Role::Console) {
        files.push(Path::new(TOKEN_FILE));
    }
    files.push(Path::new(ACK_KEY_FILE));
    let handset = on(Role::Notify) && ways::shows_on_handset(settings);
    let folders: &[&Path] = if handset { &[Path::new(ways::HANDSET_FOLDER)] } else { &[] };
    dir.check(&databases, &files, folders)?;
    if on(Role::Console) {
        console::read_token(&dir.path.join(TOKEN_FILE))?;
    }
    Ok(())
}

/// The key of one-time codes: the one that instances share, or one of this data directory's own.
fn ack_key(settings: &Settings, dir: &DataDir) -> anyhow::Result<AckKey> {
    let secret = match &settings.ack_key_file {
        Some(file) => config::read_secret_file(file)?,
        None => console::token_file(&dir.path.join(ACK_KEY_FILE))?,
    };
    Ok(AckKey::new(secret))
}

type Console = (tokio::sync::oneshot::Sender<()>, std::thread::JoinHandle<()>);

fn serve(app: console::App, listener: std::net::TcpListener) -> anyhow::Result<Console> {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let body = move || {
        let shutdown = async {
            let _ = stopped.await;
        };
        if let Err(error) = runtime.block_on(console::serve(listener, app, shutdown)) {
            tracing::error!(%error, "the console ended");
        }
    };
    Ok((stop, std::thread::Builder::new().name("bongsu-console".to_owned()).spawn(body)?))
}

/// What is read of the log under these settings: of its topics the first.
fn places(settings: &Settings) -> Places {
    let partitions = (settings.log.kind == LogKind::Embedded).then_some(settings.log.partitions);
    Places::of(settings.log.topics.first().map(|topic| (topic.name.clone(), partitions)))
}

/// The name under which this process holds partitions, the lead and leases: the same after a restart, so that it need
/// not wait for itself, and no other process's, as one process at a time has the directory.
fn owner(settings: &Settings, dir: &DataDir) -> String {
    format!("{}@{}", settings.log.instance.as_deref().unwrap_or("bongsu"), dir.id)
}

fn start_agent(shell: &mut Shell, making: &Making<'_>, sink: Arc<dyn Sink>) -> anyhow::Result<()> {
    let settings = &making.loaded.settings;
    // A full disk that stops the embedded log would stop the spool beside it too; places in log files need it all the
    // same.
    let own_log = settings.log.kind == LogKind::Embedded && settings.agent.to == AgentTo::Log;
    let own_log = own_log && settings.agent.logs.is_empty();
    let folder = (!own_log).then_some(making.dir.path.as_path());
    let agent = sides::agent(settings, folder, Arc::clone(&making.clock))?;
    let clock = Arc::clone(&making.clock);
    let deliver = sides::deliver(&making.loaded.settings, sink)?;
    shell.start("agent", move |_, stop| {
        sides::run_agent(agent, clock.as_ref(), deliver.as_ref(), stop);
        Ok(())
    })?;
    Ok(())
}

/// Starts evaluator, log writer, leader and senders, in the order in which they end.
fn start_stages(shell: &mut Shell, making: &Making<'_>, log: &mut LogSides) -> anyhow::Result<Watch> {
    let settings = &making.loaded.settings;
    let on = |role: Role| settings.roles.contains(&role);
    let setups = Arc::new(Mail::default());
    let worlds = Arc::new(Mail::default());
    let at_end = AtEnd::default();
    // The writer must run before anything reads or appends, and end after; so it is started first and ended later.
    let writer = log.start_writer()?;
    if on(Role::Evaluate) {
        let sides = Sides {
            source: log.source()?,
            pulses: Some(Arc::clone(&log.sink)),
            dead: log.dead.clone(),
            store: Arc::clone(&shell.shared.store),
            clock: Arc::clone(&making.clock),
        };
        let topic = sides.source.topic()?;
        let rules = Arc::new(making.loaded.rules.clone());
        let mut setup = setup(settings, rules, Arc::new(making.loaded.inventory.clone()), &topic.name);
        setup.partitions = topic.partitions;
        let mut evaluator = Evaluator::start(sides, &making.owner, Arc::new(setup), decode_limits(settings))?;
        evaluator.tell_end(&at_end);
        let mail = Arc::clone(&setups);
        shell.shared.board.report("evaluate", making.clock.elapsed(), Some(shell::STARTING.to_owned()));
        shell.start("evaluate", move |shared, stop| shell::evaluate(evaluator, &mail, shared, stop))?;
    }
    if let Some(writer) = writer {
        shell.start("log", move |_, stop| {
            while stop.wait(std::time::Duration::from_secs(3_600)) {}
            writer.stop_and_join()
        })?;
    }
    if on(Role::Incident) {
        let (store, world) = (Arc::clone(&shell.shared.store), Arc::clone(&making.world));
        let leading =
            Leading::new(store, Arc::clone(&making.clock), &making.owner, world).beside(&at_end, &places(settings));
        let mail = Arc::clone(&worlds);
        shell.start("incident", move |shared, stop| shell::lead(leading, &mail, shared, stop))?;
    }
    if on(Role::Notify) {
        start_senders(shell, making)?;
        start_receipts(shell, making)?;
    }
    let (files, read) = (making.files.clone(), &making.loaded.files);
    let watch = Watch::new(files, read, making.contacts.clone(), (setups, worlds), making.clock.as_ref());
    Ok(watch.sealed_by(making.codes.clone()))
}

/// The watches, and the sweeper beside them: none of them shares a timer with what it looks at.
fn start_watch(shell: &mut Shell, mut watch: Watch, making: &Making<'_>) -> anyhow::Result<()> {
    let settings = &making.loaded.settings;
    if settings.roles.contains(&Role::Incident) {
        let sends = settings.roles.contains(&Role::Notify);
        let worker = sends.then(|| worker(shell, making, format!("{}-sweeper", making.owner)));
        let mut sweeper = Sweeper::new(&making.owner, worker);
        shell.start("sweeper", move |shared, stop| {
            while stop.wait(sweep::EVERY) {
                sweeper.look(shared);
            }
            Ok(())
        })?;
    }
    let mut gateways = GatewayWatch::new(making.ways.clone());
    let mut own = SelfWatch::new(making.dir.path.clone());
    let mut roster = RosterWatch::new(making.contacts.clone());
    let mut outages = Outages::new(&making.owner);
    shell.start("watch", move |shared, stop| {
        while stop.wait(Watch::EVERY) {
            outages.look(shared);
            watch.look(shared);
            gateways.look(shared);
            own.look(shared);
            roster.look(shared);
        }
        Ok(())
    })?;
    Ok(())
}

fn receipts(shell: &Shell, making: &Making<'_>) -> Receipts {
    Receipts {
        store: Arc::clone(&shell.shared.store),
        clock: Arc::clone(&making.clock),
        ways: making.ways.clone(),
        wake: Arc::clone(&shell.shared.lead),
        metrics: Arc::clone(&shell.shared.metrics),
    }
}

/// Asks for receipts where a gateway is to be asked; those that are posted come through the door.
fn start_receipts(shell: &mut Shell, making: &Making<'_>) -> anyhow::Result<()> {
    let receipts = receipts(shell, making);
    if receipts.has_to_ask() {
        let mut asking = Asking::new(receipts);
        shell.start("receipts", move |shared, stop| {
            while stop.wait(RECEIPTS_EVERY) {
                if let Err(error) = asking.turn(shared.clock.wall(), &|| stop.is_stopped()) {
                    tracing::warn!(%error, "receipts cannot be written, trying again");
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// As many senders as the gateways keep busy: one that waits for a gateway must not hold up the pages of another.
fn start_senders(shell: &mut Shell, making: &Making<'_>) -> anyhow::Result<()> {
    for n in 0..ways::senders(&making.loaded.settings) {
        let name = if n == 0 { making.owner.clone() } else { format!("{}-{n}", making.owner) };
        let worker = worker(shell, making, name);
        let owner = making.owner.clone();
        let bell = shell.start("notify", move |shared, stop| {
            shell::send(worker, &owner, shared, stop);
            Ok(())
        })?;
        shell.shared.senders.add(bell);
    }
    Ok(())
}

/// A sender called `name`. Whichever of them takes an ended lease must know what another one knows: the sweeper's, too.
fn worker(shell: &Shell, making: &Making<'_>, name: String) -> Worker {
    let gateways = making.ways.iter().map(|way| Arc::clone(way) as Arc<dyn Gateway>).collect();
    let outbox = Arc::new(StoreOutbox::new(Arc::clone(&shell.shared.store), Some(making.codes.clone())));
    let worker = Worker::new(name, outbox, gateways, Arc::new(making.contacts.clone()), Arc::clone(&making.clock));
    worker.sharing(&making.unwritten)
}

fn make_app(shell: &Shell, making: &Making<'_>, sink: Arc<dyn Sink>) -> anyhow::Result<console::App> {
    let shared = &shell.shared;
    let settings = &making.loaded.settings;
    let front = Front {
        board: Arc::clone(&shared.board),
        store: Arc::clone(&shared.store),
        contacts: making.contacts.clone(),
        asks: Arc::clone(&shared.asks),
        clock: Arc::clone(&making.clock),
        standing: Standing {
            started: making.clock.wall(),
            roles: settings.roles.iter().map(|role| role.word().to_owned()).collect(),
            data_dir: making.dir.path.display().to_string(),
            owner: making.owner.clone(),
        },
        ways: making.ways.clone(),
        shadows: Shadows::default(),
        hops: Arc::clone(&shared.metrics.hops),
    };
    let desk =
        Desk { store: Arc::clone(&shared.store), clock: Arc::clone(&making.clock), wake: Arc::clone(&shared.lead) };
    let metrics = Arc::clone(&shared.metrics);
    Ok(console::App::new(console::Parts {
        intake: Arc::new(LogIntake(sink)),
        frame: Arc::new(DecodeFrame),
        view: Arc::new(front),
        act: Arc::new(desk),
        receipts: Arc::new(receipts(shell, making)),
        metrics: Arc::new(move || metrics.encode()),
        metrics_type: Metrics::CONTENT_TYPE,
        token: console::token_file(&making.dir.path.join(TOKEN_FILE))?,
        codes: making.codes.clone(),
        clock: Arc::clone(&making.clock),
        limits: console::Limits { record_bytes: settings.limits.record_bytes, ..console::Limits::default() },
    }))
}

/// Whether the log is the embedded one.
pub fn is_embedded(settings: &Settings) -> bool {
    settings.log.kind == LogKind::Embedded
}
