//! The ways out that a configuration names, put together: secrets read, clients prepared, paced.
//!
//! The idea: a channel that has a gateway never falls back to the handset, which would take a page that no phone shows;
//! a channel that has none is shown there, and the log says so.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::config::{Settings, read_secret};
use crate::model::{Channel, HttpWay, SecretText, Way, WayKind};
use crate::notify::{Gateway, Handset, HttpGateway, Paced, SmtpGateway};
use crate::time::Clock;

/// Senders at most: more would only wait for the store.
const SENDERS_MAX: usize = 8;

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

/// How many senders these gateways keep busy.
pub fn senders(settings: &Settings) -> usize {
    let real = settings.gateways.iter().filter(|way| way.kind != WayKind::Handset);
    real.map(|way| way.concurrency).sum::<usize>().clamp(1, SENDERS_MAX)
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
    let folder = data_dir.join("handset");
    let handset = Handset::open(&folder, Arc::clone(clock))
        .with_context(|| format!("open handset folder `{}`", folder.display()))?;
    Ok(Arc::new(handset))
}

fn secrets(http: &HttpWay) -> anyhow::Result<Vec<(String, SecretText)>> {
    http.secrets.iter().map(|(name, from)| Ok((name.clone(), read_secret(from)?))).collect()
}
