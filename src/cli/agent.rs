//! `bongsu agent`: the collector on a monitored host, until SIGTERM or SIGINT.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::agent::Deliver;
use crate::config::{AgentTo, LogKind, Settings};
use crate::pipeline::data_dir::{self, DataDir};
use crate::pipeline::sides;
use crate::pipeline::wake::Wake;
use crate::time::SystemClock;

/// `bongsu agent`.
#[derive(Debug, clap::Args)]
pub(crate) struct AgentArgs {
    /// The agent's own file: `agent:` and `log:` alone, or a service's.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// File with the door's token, over `agent.token_file`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The agent's own data directory: the spool. Not a service's.
    #[arg(long, value_name = "DIR", default_value = "./bongsu-agent-data")]
    data_dir: PathBuf,
}

pub(crate) fn run(args: &AgentArgs) -> anyhow::Result<u8> {
    super::run::init_logs()?;
    let loaded = super::run::load_all(std::slice::from_ref(&args.config), false);
    super::run::refuse_broken(&loaded)?;
    let deliver = deliver(&loaded.settings, args)?;
    data_dir::keep_private();
    let dir = match loaded.settings.agent.spool {
        0 => None,
        _ => Some(DataDir::take(&args.data_dir)?),
    };
    let agent = sides::agent(&loaded.settings, dir.as_ref().map(|dir| dir.path.as_path()), Arc::new(SystemClock))?;
    let asked = Arc::new(AtomicBool::new(false));
    super::run::listen_for_signals(&asked)?;
    let stop = Arc::new(Wake::default());
    let bell = Arc::clone(&stop);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let pause = Wake::default();
            while !asked.load(Ordering::SeqCst) {
                pause.wait(Duration::from_millis(100));
            }
            bell.stop();
        });
        sides::run_agent(agent, &SystemClock, deliver.as_ref(), &stop);
    });
    Ok(0)
}

fn deliver(settings: &Settings, args: &AgentArgs) -> anyhow::Result<Box<dyn Deliver>> {
    match (&settings.agent.to, settings.log.kind) {
        (AgentTo::Door(address), _) => sides::to_door(settings, address, args.token_file.as_deref()),
        (AgentTo::Log, LogKind::Kafka) => sides::deliver(settings, sides::kafka_sink(settings)?),
        (AgentTo::Log, LogKind::Embedded) => anyhow::bail!(
            "agent.to: the embedded log belongs to the service's process\n  \
             help: name a door (agent.to: 127.0.0.1:9480), or a Kafka log"
        ),
    }
}
