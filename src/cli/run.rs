//! `bongsu run`: the service, until SIGTERM or SIGINT.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::{self, Loaded};
use crate::pipeline::data_dir::{self, DataDir};
use crate::pipeline::service::Service;
use crate::pipeline::watch::Edited;
use crate::time::{Clock, SystemClock};

use super::service::Place;

/// What a page costs when something around the service is away; held by the table of faults among the tests.
const AWAY: &str = "\
When something is away, the service waits for it and goes on by itself. Nothing is lost, and no page
whose outcome is known is sent twice. Pages come later by the outage and at most:

  Kafka         5 s   its client is back within 2 s, the reader looks every second
  PostgreSQL    1 s   30 s where it died between a page's lease and the answer to it
  gateway      15 s   S1 is tried after 1, 2, 4, 8, then every 10 s, a failing gateway every 5 s
               65 s   below S1: after 5 s, doubling to a minute
  mail server  32 s   where it hangs: as a gateway, after the longest time of a call (12 s) and 5 s
                      where it may have the mail; messages beside it wait 2 s

A second gateway of a channel takes over at once. A record that was away for longer than the window
of its rule is late: it is counted and changes nothing.";

/// `bongsu run`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AWAY)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    place: Place,
}

/// Reads the configuration with the overrides of the environment; what it refers to comes with it.
pub(crate) fn load(file: &Path) -> anyhow::Result<Loaded> {
    anyhow::ensure!(
        file.exists(),
        "configuration `{}` is not there\n  help: name it with -c, or start in the folder that holds configs/",
        file.display()
    );
    Ok(load_all(&[file.to_owned()], true))
}

/// Loads `paths` with the overrides of the environment; `whole`: what a settings file names must be there.
pub(crate) fn load_all(paths: &[PathBuf], whole: bool) -> Loaded {
    let env = config::environment();
    config::load(paths, &config::Ask { env: &env, now: SystemClock.wall(), whole })
}

/// Prints every error of the configuration and refuses where there is one.
pub(crate) fn refuse_broken(loaded: &Loaded) -> anyhow::Result<()> {
    let errors = loaded.errors();
    if errors == 0 {
        return Ok(());
    }
    let mut err = std::io::stderr().lock();
    for problem in loaded.problems.iter().filter(|problem| problem.level == config::Level::Error) {
        writeln!(err, "{}", problem.to_human(loaded.text(problem)))?;
    }
    anyhow::bail!(
        "the configuration has mistakes ({errors}); nothing was done\n  help: mend them, then look again with `bongsu check`"
    )
}

/// The program's own log goes to standard error; `BONGSU_LOG` chooses what.
pub(crate) fn init_logs() -> anyhow::Result<()> {
    let filter = std::env::vars().find(|(name, _)| name == "BONGSU_LOG").map(|(_, value)| value);
    crate::telemetry::init_logs(filter.as_deref()).map_err(|why| anyhow::anyhow!(why))
}

pub(crate) fn run(args: &RunArgs) -> anyhow::Result<u8> {
    init_logs()?;
    let file: PathBuf = args.place.config.clone();
    let loaded = load(&file)?;
    refuse_broken(&loaded)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    data_dir::keep_private();
    let dir = DataDir::take(&args.place.data_dir)?;
    let asked = Arc::new(AtomicBool::new(false));
    listen_for_signals(&asked)?;
    let hash = loaded.rules.hash.clone();
    let again = file.clone();
    let load_again = move || load_all(std::slice::from_ref(&again), true);
    let files = Edited { load: Arc::new(load_again), rules: hash };
    let service = match Service::start(&loaded, files, dir, clock, &asked) {
        Err(why) if asked.load(Ordering::SeqCst) => {
            tracing::info!(%why, "asked to end before everything was there");
            return Ok(0);
        }
        started => started?,
    };
    announce(&service, &loaded)?;
    service.run(&asked)?;
    Ok(0)
}

/// What an operator needs to know at the start, on standard output. A reader that has gone is no reason to end.
fn announce(service: &Service, loaded: &Loaded) -> anyhow::Result<()> {
    let rules = loaded.rules.rules.len();
    let mut text =
        format!("bongsu {}: {rules} rules over {}\n", env!("CARGO_PKG_VERSION"), service.topics().join(", "));
    if let Some(page) = service.page()? {
        text.push_str(&format!("page: {page}\n"));
        text.push_str("  (signs one browser in, once, within 15 minutes; later use the token in the data directory)\n");
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(())
}

/// SIGTERM and SIGINT ask for an end; a second one ends at once.
pub(crate) fn listen_for_signals(asked: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let asked = Arc::clone(asked);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (term, int) = {
        let _inside = runtime.enter();
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let body = move || {
        runtime.block_on(async {
            let (mut term, mut int) = (term, int);
            loop {
                tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
                if asked.swap(true, Ordering::SeqCst) {
                    std::process::exit(2);
                }
            }
        });
    };
    std::thread::Builder::new().name("bongsu-signals".to_owned()).spawn(body)?;
    Ok(())
}
