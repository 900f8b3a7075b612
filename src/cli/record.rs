//! `bongsu record`: a range of the log as NDJSON whose lines carry their places, so that `replay` gives the same signals.
//!
//! With `--from`, what a replay needs first comes first: the state rows in force there, found by an undisturbed run over
//! what the log holds before it, and the records of the longest window, marked as muted.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::output;
use super::service::Place;
use crate::config::Loaded;
use crate::decode::{self, record_line, state_line};
use crate::evaluate::{Warm, horizon};
use crate::log::{Event, Source};
use crate::model::{Batch, Fingerprint, Progress, RowChange, StateRow, wire};
use crate::pipeline::stages::{At, Lanes};
use crate::pipeline::{service, sides};
use crate::time::{KST, Ms, parse_instant};

/// One look at the log; it says nothing also after something internal.
const LOOK: Duration = Duration::from_secs(2);
/// So many looks without a record are its end.
const LOOKS: u32 = 15;

/// `bongsu record`.
#[derive(Debug, clap::Args)]
pub(crate) struct RecordArgs {
    /// The topic; the configuration's first where none is named.
    #[arg(long, value_name = "T")]
    topic: Option<String>,
    /// From this append time on.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Ms>,
    /// Up to this append time.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Ms>,
    #[command(flatten)]
    place: Place,
}

fn instant(text: &str) -> Result<Ms, String> {
    parse_instant(text, KST)
        .ok_or_else(|| format!("`{text}` is no time; write 2026-01-31T09:00:00+09:00 or epoch milliseconds"))
}

pub(crate) fn run(args: &RecordArgs) -> anyhow::Result<u8> {
    let loaded = super::run::load(&args.place.config)?;
    super::run::refuse_broken(&loaded)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    range(&loaded, &args.place, (args.topic.as_deref(), args.from, args.to), &mut out)?;
    out.flush()?;
    Ok(0)
}

/// Writes the records of `topic` (left out: the configuration's first) from and up to these append times to `out`.
pub(super) fn range(
    loaded: &Loaded,
    place: &Place,
    (topic, from, to): (Option<&str>, Option<Ms>, Option<Ms>),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut source = sides::reader(&loaded.settings, &place.data_dir, topic)?;
    Range::new(loaded, source.as_mut(), from, to)?.write(source.as_mut(), out)
}

/// What one partition of the range still needs.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// Records from here on are muted.
    muted: i64,
    /// Records from here on are written plainly.
    begin: i64,
    /// The first offset that is left out.
    end: i64,
    /// The next record.
    next: i64,
}

struct Range {
    topic: String,
    spans: BTreeMap<i32, Span>,
    /// Finds the state rows in force at the beginning; `None` without `--from`.
    state: Option<(Lanes, BTreeMap<Fingerprint, StateRow>)>,
}

impl Range {
    fn new(loaded: &Loaded, source: &mut dyn Source, from: Option<Ms>, to: Option<Ms>) -> anyhow::Result<Self> {
        let topic = source.topic()?;
        let window = horizon(&loaded.rules);
        let mut spans = BTreeMap::new();
        for partition in 0..topic.partitions {
            let bounds = source.bounds(partition)?;
            let mut at = |time: Option<Ms>, otherwise: i64| match time {
                Some(time) => source.offset_for_time(partition, time).map(|found| found.unwrap_or(bounds.high)),
                None => Ok(otherwise),
            };
            let begin = at(from, bounds.low)?;
            let muted = at(from.map(|from| from - window), bounds.low)?.max(bounds.low);
            let end = at(to.map(|to| to + 1), bounds.high)?;
            spans.insert(partition, Span { muted, begin, end, next: bounds.low });
        }
        let state = from.map(|_| (lanes(loaded, &topic, spans.keys()), BTreeMap::new()));
        for (partition, span) in &mut spans {
            if state.is_none() {
                span.next = span.begin;
            }
            source.seek(*partition, span.next)?;
        }
        Ok(Self { topic: topic.name, spans, state })
    }

    fn write(&mut self, source: &mut dyn Source, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut kept = Vec::new();
        let mut vain = 0;
        while self.spans.values().any(|span| span.next < span.end) {
            match source.next(LOOK)? {
                Some(Event::Batch(batch)) => {
                    vain = 0;
                    self.batch(&batch, &mut kept, out)?;
                }
                Some(_) => {}
                None if vain < LOOKS => vain += 1,
                None => anyhow::bail!("the log ends before what it promised: try again"),
            }
        }
        if let Some((_, rows)) = &self.state {
            for row in rows.values() {
                output::line(out, &state_line(&wire::state_to_json(row)))?;
            }
        }
        for line in kept {
            output::line(out, &line)?;
        }
        Ok(())
    }

    /// Lines go out at once, unless state rows must come before them: then they are kept.
    fn batch(&mut self, batch: &Batch, kept: &mut Vec<String>, out: &mut dyn Write) -> anyhow::Result<()> {
        let Some(span) = self.spans.get_mut(&batch.partition) else { return Ok(()) };
        for slot in batch.slots.iter().filter(|slot| slot.offset < span.end) {
            let (key, value) = batch.record(slot);
            span.next = slot.offset + 1;
            let muted = slot.offset < span.begin;
            if let Some((lanes, rows)) = self.state.as_mut().filter(|_| muted) {
                let at = At { partition: batch.partition, offset: slot.offset, append: slot.append };
                lanes.feed(at, key, value, &mut |fed| net(rows, &fed.effects.rows));
            }
            if slot.offset < span.muted {
                continue;
            }
            let place = decode::Place {
                topic: self.topic.clone(),
                partition: batch.partition,
                offset: slot.offset,
                at: slot.append,
            };
            let line = record_line(&place, key, value, muted);
            if self.state.is_some() {
                kept.push(line);
            } else {
                output::line(out, &line)?;
            }
        }
        if batch.slots.last().is_some_and(|slot| slot.offset >= span.end) {
            span.next = span.end;
        }
        Ok(())
    }
}

fn lanes<'a>(loaded: &Loaded, topic: &crate::log::Topic, partitions: impl Iterator<Item = &'a i32>) -> Lanes {
    let rules = Arc::new(loaded.rules.clone());
    let inventory = Arc::new(loaded.inventory.clone());
    let mut setup = service::setup(&loaded.settings, rules, inventory, &topic.name);
    setup.partitions = topic.partitions;
    let mut lanes = Lanes::new(Arc::new(setup), service::decode_limits(&loaded.settings), None, Vec::new());
    for partition in partitions {
        lanes.start(*partition, Some(&Progress::default()), Vec::new(), Warm { low: 0, first_append: None });
    }
    lanes
}

fn net(rows: &mut BTreeMap<Fingerprint, StateRow>, changes: &[RowChange]) {
    for change in changes {
        match change {
            RowChange::Put(row) => rows.insert(row.fingerprint, row.as_ref().clone()),
            RowChange::Remove(key) => rows.remove(key),
        };
    }
}
