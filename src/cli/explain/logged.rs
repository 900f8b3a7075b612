//! The past, and a service that does not run: the rules judge again what the log holds; what became of it is in the store.
//!
//! The idea: a range of the log, as `bongsu record` writes it, holds the state rows in force and full windows, so a run over
//! its last minute ends in the state that the service had. Nothing is decided again: incidents and pages are the store's.

use std::path::Path;

use serde_json::{Value, json};

use super::ExplainArgs;
use super::past::run_until;
use crate::cli::progress::Progress;
use crate::cli::record;
use crate::config::Loaded;
use crate::model::Labels;
use crate::pipeline::affairs::{Filed, filed, no_incident};
use crate::pipeline::explained::{Looked, Question, look, tell};
use crate::pipeline::feed::{self, Reading};
use crate::pipeline::{service, stores};
use crate::time::{MINUTE, Ms, rfc3339};

/// What is told of `at` (left out: of the end of the log).
pub(super) fn logged(args: &ExplainArgs, at: Option<Ms>) -> anyhow::Result<Vec<Value>> {
    let loaded = crate::cli::run::load(&args.place.config)?;
    crate::cli::run::refuse_broken(&loaded)?;
    let store = stores::open_readonly(&loaded.settings, &args.place.data_dir)?;
    let asked = Question { rule: args.rule.clone().unwrap_or_default(), labels: args.labels.clone() };
    let Some(filed) = filed(store.as_ref(), args.incident.as_deref(), asked, at)? else {
        let id = args.incident.as_deref().unwrap_or_default();
        let when = at.map_or_else(String::new, |at| format!("{}에는 ", rfc3339(at)));
        return Ok(vec![json!({ "type": "explain", "found": false, "lines": [format!("{when}{}", no_incident(id))] })]);
    };
    // Where nobody says when: the furthest that the service judged.
    let furthest = store.partitions()?.into_iter().map(|(_, _, progress)| progress.clock).max().unwrap_or(0);
    let looked = judged(args, &loaded, &filed, at.unwrap_or(furthest))?;
    Ok(tell(&filed.question, &looked, &filed.affairs(&loaded.people)))
}

/// What the rules find in the log of each topic.
fn judged(args: &ExplainArgs, loaded: &Loaded, filed: &Filed, at: Ms) -> anyhow::Result<Looked> {
    let mut all = Looked::default();
    for topic in &loaded.settings.log.topics {
        let mut looked = of_topic(args, loaded, &topic.name, (filed, at))?;
        if looked.parts_found() >= all.parts_found() {
            all.parts = looked.parts.take();
        }
        all.rule = all.rule.or(looked.rule);
        all.found.extend(looked.found);
        all.near.extend(looked.near);
        all.rules = looked.rules;
        all.clock = all.clock.max(looked.clock);
    }
    anyhow::ensure!(
        all.clock > 0,
        "the log holds nothing up to {}\n  help: give a later --at, or --input that was recorded in time",
        rfc3339(at)
    );
    // One topic holds what is asked for; the others only hold what comes close.
    if !all.found.is_empty() {
        all.near.clear();
    }
    Ok(all)
}

fn of_topic(args: &ExplainArgs, loaded: &Loaded, topic: &str, (filed, at): (&Filed, Ms)) -> anyhow::Result<Looked> {
    let mut progress = Progress::new("reading");
    let mut lines = Vec::new();
    record::range(loaded, &args.place, (Some(topic), Some(at - MINUTE), Some(at)), &mut lines)?;
    let how = Reading {
        metric: None,
        labels: Labels::default(),
        offset: args.tz,
        limits: service::decode_limits(&loaded.settings),
    };
    let feed = feed::read_lines(Path::new(topic), &lines, &how)?;
    if feed.records.is_empty() {
        return Ok(Looked::default());
    }
    progress.turn_to("replaying");
    let (run, _) = run_until(loaded, &feed, at, &mut progress)?;
    Ok(look(run.lanes(), &loaded.rules, &filed.question))
}
