//! What stages say of themselves, turned into the board's views and the metrics.

use std::collections::BTreeMap;

use crate::console::{
    CountsView, LimitView, PartitionView, ReadingView, RestoreView, RulesView, SourceView, WarmingView,
};
use crate::model::{Change, Incident, Input, Mode, WIDE};
use crate::notify::{Did, What};
use crate::pipeline::evaluator::Evaluator;
use crate::pipeline::front::Evaluation;
use crate::pipeline::leader::{Leader, View};
use crate::pipeline::levels;
use crate::pipeline::shell::Shared;
use crate::time::Ms;

/// Readings shown on the page.
const READINGS: usize = 40;

/// Publishes what an evaluator says of itself.
pub(super) fn evaluation(evaluator: &Evaluator, shared: &Shared) {
    let tally = evaluator.tally();
    let metrics = &shared.metrics;
    for (counter, now) in [
        (&metrics.records, tally.records),
        (&metrics.samples, tally.evaluation.samples),
        (&metrics.lines, tally.evaluation.lines),
        (&metrics.late, tally.evaluation.late),
        (&metrics.misplaced, tally.misplaced),
        (&metrics.gone, tally.gone),
        (&metrics.dead_letters, tally.dead_letters),
        (&metrics.dead_letters_lost, tally.dead_letters_lost),
        (&metrics.fenced, tally.fenced),
        (&metrics.flushes, tally.flushes),
        (&metrics.flush_rows, tally.rows),
        (&metrics.signals, tally.signals),
        (&metrics.ticks, tally.evaluation.ticks),
        (&metrics.visited, tally.evaluation.visited),
    ] {
        counter.inc_by(now.saturating_sub(counter.get()));
    }
    shared.board.set_clock_difference(evaluator.clock_difference());
    shared.board.publish(Evaluation {
        partitions: partitions(evaluator, shared),
        sources: sources(evaluator),
        counts: CountsView {
            records: tally.records,
            samples: tally.evaluation.samples,
            lines: tally.evaluation.lines,
            rejected: tally.rejects.iter().map(|(reason, n)| (reason.code().to_owned(), *n)).collect(),
            late: tally.evaluation.late,
            unordered: tally.evaluation.unordered,
            thin: tally.evaluation.thin,
            misplaced: tally.misplaced,
            signals: tally.signals,
            ..CountsView::default()
        },
        restoring: restoring(evaluator),
        warming: warming(evaluator),
        limits: limits(evaluator),
        readings: readings(evaluator),
        rules: RulesView {
            count: evaluator.setup().rules.rules.len(),
            shadow: evaluator.setup().rules.rules.iter().filter(|rule| rule.mode == Mode::Shadow).count(),
            troubles: evaluator
                .lanes()
                .wide()
                .troubles()
                .iter()
                .map(|(of, why)| (of.to_string(), why.clone()))
                .collect(),
            hash: evaluator.setup().rules.hash.clone(),
            broken: None,
        },
    });
}

fn partitions(evaluator: &Evaluator, shared: &Shared) -> Vec<PartitionView> {
    let now = shared.clock.wall();
    let views = evaluator.places().filter_map(|(partition, next, high)| {
        let progress = evaluator.lanes().partition(partition)?.progress();
        let durable = evaluator.durable_offset(partition).unwrap_or(progress.offset);
        Some(PartitionView {
            topic: evaluator.topic().name.clone(),
            partition,
            offset: durable,
            high,
            clock: progress.clock,
            lag_ms: if progress.clock == 0 { 0 } else { (now - progress.clock).max(0) },
            caught_up: next >= high && partition != WIDE,
            segment: progress.segment,
        })
    });
    views.collect()
}

fn sources(evaluator: &Evaluator) -> Vec<SourceView> {
    let inventory = &evaluator.setup().inventory.resources;
    let mut views: Vec<SourceView> = Vec::new();
    for partition in evaluator.lanes().owned().filter_map(|p| evaluator.lanes().partition(p)) {
        views.extend(partition.sources().into_iter().map(|source| SourceView {
            known_to_inventory: inventory.contains_key(source.host.as_ref()),
            host: source.host.to_string(),
            last: source.last,
            skew_ms: source.skew,
        }));
    }
    views.sort_by(|a, b| a.host.cmp(&b.host));
    views
}

/// The rule that looks back furthest is named: without it the restart would be shorter.
fn restoring(evaluator: &Evaluator) -> Vec<RestoreView> {
    let rules = evaluator.setup().rules.rules.iter();
    let look = |rule: &crate::model::Rule| rule.also.iter().map(|other| other.over).fold(rule.over, Ms::max);
    let furthest = rules.max_by_key(|rule| (look(rule), std::cmp::Reverse(rule.id.clone())));
    let all = evaluator.restoring().into_iter().map(|it| RestoreView {
        topic: evaluator.topic().name.clone(),
        partition: it.partition,
        rule: furthest.map_or_else(String::new, |rule| rule.id.to_string()),
        over_ms: furthest.map_or(0, |rule| look(rule)),
        done: it.done,
        of: it.of,
        left_ms: it.left,
    });
    all.collect()
}

fn warming(evaluator: &Evaluator) -> Vec<WarmingView> {
    let owned = evaluator.lanes().owned().filter_map(|p| evaluator.lanes().partition(p));
    // A rule is whole once it is in every partition.
    let mut last: BTreeMap<String, Ms> = BTreeMap::new();
    for (rule, until) in owned.flat_map(|partition| partition.warming()) {
        let known = last.entry(rule.to_string()).or_insert(until);
        *known = until.max(*known);
    }
    last.into_iter().map(|(rule, until)| WarmingView { rule, until }).collect()
}

fn limits(evaluator: &Evaluator) -> Vec<LimitView> {
    let owned = evaluator.lanes().owned().filter_map(|p| evaluator.lanes().partition(p));
    owned
        .flat_map(|partition| partition.limits_hit())
        .chain(evaluator.lanes().wide().limits_hit())
        .map(|(name, limit, hits)| LimitView { name, limit, hits })
        .collect()
}

/// The newest shares (0 to 1) of the hosts, the highest first: what a newcomer looks for.
fn readings(evaluator: &Evaluator) -> Vec<ReadingView> {
    let owned = evaluator.lanes().owned().filter_map(|p| evaluator.lanes().partition(p));
    let mut views: Vec<ReadingView> = owned
        .flat_map(|partition| partition.readings(READINGS))
        .map(|reading| {
            let ratio = reading.key.name.ends_with(".utilization");
            let extra =
                reading.key.labels.iter().filter(|(name, _)| ["mountpoint", "device", "direction"].contains(name));
            let extra: Vec<&str> = extra.map(|(_, value)| value).collect();
            let host = reading.key.labels.get("host").unwrap_or_default().to_owned();
            let name = [&[reading.key.name.as_ref()], extra.as_slice()].concat().join(" ");
            ReadingView { host, name, value: reading.value, ratio, at: reading.at }
        })
        .collect();
    views.sort_by(|a, b| b.ratio.cmp(&a.ratio).then(b.value.total_cmp(&a.value)).then(a.name.cmp(&b.name)));
    views.truncate(READINGS);
    views
}

/// Counts the clocks of service levels that ran out in the leader's last transaction.
pub(super) fn decided(view: &View, shared: &Shared) {
    for (_, change, _) in &view.moved {
        match change {
            Change::Overdue => shared.metrics.missed("notify"),
            Change::AckOverdue => shared.metrics.missed("ack"),
            Change::RecoverOverdue => shared.metrics.missed("recover"),
            Change::BudgetSpent => shared.metrics.missed("month"),
            _ => {}
        }
    }
}

/// Says how the months of the services stand.
pub(super) fn months(leader: &Leader, shared: &Shared) {
    let is_down = |it: &&Incident| it.sla.as_ref().is_some_and(|clocks| clocks.down_since.is_some());
    let down: Vec<Incident> = leader.open_incidents().filter(is_down).cloned().collect();
    let plan = leader.world().people.sla.clone();
    match levels::months(shared.store.as_ref(), &down, &plan, shared.clock.wall()) {
        Ok(months) => months.iter().for_each(|it| shared.metrics.month(&it.service, it.budget, it.used)),
        Err(error) => tracing::warn!(%error, "the months of the services could not be read"),
    }
}

/// Counts what a sender did.
pub(super) fn sent(did: &Did, shared: &Shared) {
    let now = shared.clock.elapsed();
    let trouble = did.trouble.as_ref().map(|trouble| format!("발송함에 접근할 수 없습니다: {trouble}"));
    shared.board.report("notify", now, trouble);
    for (channel, took) in &did.took {
        if let Some(p99) = shared.paces.took(*channel, *took) {
            let pace = Input::Pace { channel: *channel, p99 };
            if let Err(error) = shared.store.add_input(&pace, shared.clock.wall()) {
                tracing::warn!(%error, "the pace of a channel could not be told");
            }
        }
    }
    for page in &did.pages {
        page.passage.iter().for_each(|passage| shared.metrics.accepted(passage));
        match &page.what {
            What::Outcome(outcome) => {
                shared.metrics.page(outcome.word(), page.after);
                shared.lead.ring();
            }
            What::GivenBack { .. } => shared.metrics.page("given_back", page.after),
            What::Unsettled => shared.metrics.page("unsettled", page.after),
            What::Lost => shared.metrics.page("lost", page.after),
        }
    }
}
