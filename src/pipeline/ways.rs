//! The ways out that a configuration names, put together: secrets read, clients prepared, paced.
//!
//! The idea: a channel that has a gateway never falls back to the handset, which would take a page that no phone shows;
//! a channel that has none is shown there, and the log says so.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::config::{Settings, read_secret};
use crate::model::{Channel, GATEWAY_FAILING, HttpWay, Labels, Secret, State, Way, WayKind};
use crate::notify::{Gateway, Handset, HttpGateway, Paced, SmtpGateway};
use crate::pipeline::shell::Shared;
use crate::pipeline::watch::own;
use crate::time::{Clock, Ms, SECOND};

/// Senders at most: more would only wait for the store.
const SENDERS_MAX: usize = 8;

/// Where the handset shows its pages, in the data directory.
pub const HANDSET_FOLDER: &str = "handset";

/// A gateway that fails for less is a hiccup: pages wait or take the next one.
const FAILING_FOR: Ms = 30 * SECOND;

/// All gateways in order of preference.
///
/// # Errors
/// A secret, a certificate or the handset's folder cannot be used; the text says which gateway and what to do.
pub fn open(settings: &Settings, data_dir: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<Vec<Arc<Paced>>> {
    let mut ways = Vec::new();
    for way in &settings.gateways {
        let gateway = one(way, data_dir, clock).with_context(|| format!("gateway `{}`", way.id))?;
        ways.push(Arc::new(Paced::new(gateway, way, Arc::clone(clock))));
    }
    let unserved: Vec<Channel> =
        Channel::ALL.into_iter().filter(|channel| !ways.iter().any(|way| way.serves(*channel))).collect();
    if unserved.is_empty() {
        return Ok(ways);
    }
    let handset = handset(data_dir, clock)?;
    for channel in unserved {
        if !settings.gateways.is_empty() {
            tracing::warn!(channel = channel.word(), "no gateway for this channel: the handset shows its pages");
        }
        ways.push(Arc::new(Paced::shown(Arc::clone(&handset), channel, Arc::clone(clock))));
    }
    Ok(ways)
}

/// Whether some channel's pages go to the handset.
pub fn shows_on_handset(settings: &Settings) -> bool {
    let serves = |way: &Way, channel: Channel| {
        way.channel == channel || (way.channel == Channel::Sms && channel == Channel::Mms)
    };
    settings.gateways.iter().any(|way| way.kind == WayKind::Handset)
        || Channel::ALL.into_iter().any(|channel| !settings.gateways.iter().any(|way| serves(way, channel)))
}

/// How many senders these gateways keep busy.
pub fn senders(settings: &Settings) -> usize {
    let real = settings.gateways.iter().filter(|way| way.kind != WayKind::Handset);
    real.map(|way| way.concurrency).sum::<usize>().clamp(1, SENDERS_MAX)
}

/// Makes an incident of a gateway that has been failing for a while.
#[derive(Debug)]
pub struct GatewayWatch {
    ways: Vec<Arc<Paced>>,
    /// Gateways whose trouble is raised.
    raised: BTreeSet<String>,
    /// Gateways that were seen well in this life.
    well: BTreeSet<String>,
}

impl GatewayWatch {
    /// Nothing is raised yet.
    pub fn new(ways: Vec<Arc<Paced>>) -> Self {
        Self { ways, raised: BTreeSet::new(), well: BTreeSet::new() }
    }

    /// One look.
    pub fn look(&mut self, shared: &Shared) {
        let now = shared.clock.wall();
        for health in self.ways.iter().map(|way| way.health()) {
            let labels = Labels::new([("gateway", health.id.as_str())]);
            if health.since.is_some_and(|since| now - since >= FAILING_FOR) && self.raised.insert(health.id.clone()) {
                own(shared, &GATEWAY_FAILING, labels, State::Firing);
            } else if !health.failing && health.accepted > 0 {
                // The first yes of a life also ends what an earlier life raised.
                let is_first = self.well.insert(health.id.clone());
                if self.raised.remove(&health.id) || is_first {
                    own(shared, &GATEWAY_FAILING, labels, State::Resolved);
                }
            }
        }
    }
}

fn one(way: &Way, data_dir: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Gateway>> {
    match &way.kind {
        WayKind::Handset => handset(data_dir, clock),
        WayKind::Http(http) => {
            let gateway = HttpGateway::new(way, http, secrets(http)?, Arc::clone(clock));
            Ok(Arc::new(gateway.map_err(anyhow::Error::msg)?))
        }
        WayKind::Smtp(smtp) => {
            let read = |(user, password): &_| anyhow::Ok((read_secret(user)?, read_secret(password)?));
            let login = smtp.login.as_ref().map(read).transpose()?;
            let gateway = SmtpGateway::new(way, smtp, login, Arc::clone(clock));
            Ok(Arc::new(gateway.map_err(anyhow::Error::msg)?))
        }
    }
}

fn handset(data_dir: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Gateway>> {
    let folder = data_dir.join(HANDSET_FOLDER);
    let handset = Handset::open(&folder, Arc::clone(clock))
        .with_context(|| format!("open handset folder `{}`", folder.display()))?;
    Ok(Arc::new(handset))
}

fn secrets(http: &HttpWay) -> anyhow::Result<Vec<(String, Secret)>> {
    http.secrets.iter().map(|(name, from)| Ok((name.clone(), read_secret(from)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, Page};
    use crate::notify::{Address, LookedUp, Refusal, Sent};
    use crate::pipeline::shell::Shell;
    use crate::store::{MemoryStore, Store};
    use crate::telemetry::Metrics;
    use crate::time::ManualClock;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Debug, Default)]
    struct Fake(AtomicBool);

    impl Gateway for Fake {
        fn id(&self) -> &str {
            "fake"
        }

        fn serves(&self, _channel: Channel) -> bool {
            true
        }

        fn send(&self, _page: &Page, _address: &Address) -> Sent {
            if self.0.load(Ordering::SeqCst) {
                Sent::Accepted { id: String::new() }
            } else {
                Sent::Refused { reason: Refusal::Server, permanent: false, retry_after: None }
            }
        }

        fn look_up(&self, _page: &Page) -> Option<LookedUp> {
            None
        }
    }

    #[test]
    fn a_gateway_that_fails_for_a_while_is_an_incident_until_it_is_well() {
        let clock = Arc::new(ManualClock::at(1_764_000_000_000));
        let store = Arc::new(MemoryStore::default());
        let shell = Shell::new(store.clone(), clock.clone(), Arc::new(Metrics::new(0)));
        let fake = Arc::new(Fake::default());
        let way = Arc::new(Paced::shown(fake.clone(), Channel::Sms, clock.clone()));
        let mut watch = GatewayWatch::new(vec![way.clone()]);
        let states = || -> Vec<State> {
            let taken = store.inputs(&[], 100).expect("memory is never away");
            let own = taken.into_iter().map(|taken| match taken.input {
                Input::Own(signal) => signal.to,
                other => panic!("{other:?}"),
            });
            own.collect()
        };
        let address = Address("010-0000-0001".to_owned());
        for _ in 0..20 {
            way.send(&Page::sample(0), &address);
            watch.look(&shell.shared);
            clock.advance(2 * SECOND);
        }
        assert_eq!(states(), [State::Firing], "once, and not in the first half minute");
        fake.0.store(true, Ordering::SeqCst);
        for _ in 0..5 {
            clock.advance(6 * SECOND);
            way.send(&Page::sample(0), &address);
            watch.look(&shell.shared);
        }
        assert_eq!(states(), [State::Firing, State::Resolved]);
    }
}
