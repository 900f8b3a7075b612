//! `bongsu status`: how the service is; without a running one, what its store says.

use std::path::Path;

use serde_json::{Value, json};

use super::output::{self, Format};
use super::service::{Away, Place, Service};
use crate::config::Loaded;
use crate::console::incident_to_json;
use crate::model::{DRILL_LABEL, WIDE};
use crate::pipeline::empty;
use crate::pipeline::shadow::{InForce, Shadows};
use crate::pipeline::{levels, stamped, stores};
use crate::telemetry::Hops;
use crate::time::{Clock, MINUTE, Ms, SystemClock, rfc3339, show_duration};

/// Rows shown of what may be many.
const ROWS: usize = 20;
/// The newest pages from which the figures of hops are made while no service runs.
const PAGES: usize = 10_000;
/// What stands where nobody knows.
const UNKNOWN: &str = "–";

/// `bongsu status`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    place: Place,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<u8> {
    let loaded = super::run::load(&args.place.config)?;
    let service = Service::at(&loaded.settings.listen.to_string(), &args.place.data_dir.join("token"));
    let (status, open) = match service.map_err(|_| Away::NotRunning).and_then(|service| service.get("/v1/status")) {
        Ok((200, status)) => (status, live(&args.place)),
        Ok((code, answer)) => anyhow::bail!("the service answered {code}: {answer}"),
        Err(Away::NotRunning) => stored(&loaded, &args.place.data_dir)?,
        Err(other) => return Err(other.into()),
    };
    let mut out = std::io::stdout().lock();
    if args.format == Format::Json {
        output::json(&mut out, status.clone())?;
    } else {
        for line in human(&status, &open, SystemClock.wall()) {
            output::line(&mut out, &line)?;
        }
    }
    Ok(u8::from(status["healthy"] != Value::Bool(true)))
}

/// Incidents that are not over, as a running service has them; none where it cannot say, which the count beside them shows.
fn live(place: &Place) -> Vec<Value> {
    let answer = place.service().ok().and_then(|service| service.get("/v1/incidents?limit=5000").ok());
    let all = answer.filter(|(code, _)| *code == 200).and_then(|(_, found)| found["incidents"].as_array().cloned());
    let is_live = |it: &Value| matches!(it["state"].as_str(), Some("open" | "acked"));
    all.unwrap_or_default().into_iter().filter(is_live).collect()
}

/// What the store says while no service runs, and incidents that are not over.
fn stored(loaded: &Loaded, data_dir: &Path) -> anyhow::Result<(Value, Vec<Value>)> {
    let store = stores::open_readonly(&loaded.settings, data_dir)?;
    let force = InForce { rules: &loaded.rules, people: &loaded.people, inventory: &loaded.inventory };
    let partitions: Vec<Value> = store
        .partitions()?
        .into_iter()
        // Where rules over several hosts stand is kept beside the log's own partitions, and is none of them.
        .filter(|(_, partition, _)| *partition != WIDE)
        .map(|(topic, partition, progress)| {
            json!({ "topic": topic, "partition": partition, "offset": progress.offset, "clock": progress.clock })
        })
        .collect();
    let seat = store.seat()?;
    let leader = (!seat.is_free()).then(|| json!({ "name": seat.owner, "here": false }));
    let incidents = store.incidents(10_000)?;
    let live: Vec<Value> = incidents.iter().filter(|incident| incident.state.is_live()).map(incident_to_json).collect();
    let open = live.len();
    let hops = Hops::default();
    store.pages(None, PAGES)?.iter().for_each(|row| hops.row(row));
    let status = json!({
        "healthy": false,
        "troubles": ["서비스가 실행 중이 아닙니다"],
        "leader": leader,
        "partitions": partitions,
        "counts": { "incidents_open": open },
        "sla": levels::standing(store.as_ref(), &incidents, &loaded.people.sla, SystemClock.wall())?,
        "shadows": Shadows::default().look(store.as_ref(), force, SystemClock.wall())?,
        "hops": stamped::figures(&hops.quantiles(true)),
        "empty_steps": empty::views(&empty::of(store.as_ref())?),
        "sources": [],
    });
    Ok((status, live))
}

fn leader(status: &Value) -> String {
    if status["unknown"].is_string() {
        return "leader: unknown".to_owned();
    }
    let here = if status["leader"]["here"] == Value::Bool(true) { " (this process)" } else { "" };
    status["leader"]["name"]
        .as_str()
        .map_or_else(|| "leader: nobody".to_owned(), |name| format!("leader: {name}{here}"))
}

fn gateways(status: &Value) -> Vec<String> {
    status["gateways"].as_array().into_iter().flatten().map(gateway).collect()
}

fn gateway(it: &Value) -> String {
    let since = it["since"].as_i64().map_or_else(String::new, |at| format!(" since {}", rfc3339(at)));
    let last = it["last"].as_str().map_or_else(String::new, |word| format!(" ({word})"));
    let how = if it["failing"] == Value::Bool(true) { format!("FAILING{since}{last}") } else { "ok".to_owned() };
    let (id, channel) = (text(&it["id"]), text(&it["channel"]));
    let (accepted, refused, unknown) = (&it["accepted"], &it["refused"], &it["unknown"]);
    format!("gateway {id} ({channel}): {how}, accepted {accepted}, refused {refused}, unknown {unknown}")
}

/// The order is that of whoever is woken: what is wrong with the service, what is open, who hears nothing of it, clocks that
/// run; what the service is made of last.
fn human(status: &Value, open: &[Value], now: Ms) -> Vec<String> {
    let mut lines = health(status);
    lines.push(leader(status));
    lines.extend(tallies(status));
    lines.extend(incidents(open, now));
    lines.extend(muted(status, open));
    lines.extend(levels(status, open));
    lines.extend(partitions(status));
    lines.extend(gateways(status));
    lines.extend(hops(status));
    lines.extend(sources(status));
    lines.extend(windows(status, now));
    lines
}

/// Whether all is well, and what is not: everything that keeps people from being told.
fn health(status: &Value) -> Vec<String> {
    let healthy = status["healthy"] == Value::Bool(true);
    let mut lines = vec![if healthy { "healthy".to_owned() } else { "NOT healthy".to_owned() }];
    lines.extend(texts(&status["troubles"]).map(|trouble| format!("  {trouble}")));
    if let Some(broken) = status["rules"]["broken"].as_str() {
        lines.push(format!("  the newest edit is not in force: {broken}"));
    }
    for (rule, why) in status["rules"]["troubles"].as_object().into_iter().flatten() {
        lines.push(format!("  rule {rule} gives no result: {}", why.as_str().unwrap_or_default()));
    }
    let failing = status["gateways"].as_array().into_iter().flatten().filter(|it| it["failing"] == Value::Bool(true));
    lines.extend(failing.map(|it| format!("  {}", gateway(it))));
    lines.extend(status["empty_steps"].as_array().into_iter().flatten().take(ROWS).map(empty_step));
    for l in status["limits"].as_array().into_iter().flatten() {
        lines.push(format!("  limit {} of {} reached {} times", text(&l["name"]), l["limit"], l["hits"]));
    }
    lines
}

/// Incidents that are not over, the worst and oldest first; those that another speaks for are counted.
fn incidents(open: &[Value], now: Ms) -> Vec<String> {
    let (mut own, under): (Vec<&Value>, Vec<&Value>) = open.iter().partition(|it| it["parent"].is_null());
    own.sort_by_key(|it| (text(&it["severity"]).to_owned(), it["detected"].as_i64()));
    let line = |it: &&Value| {
        let labels = it["labels"].as_object().into_iter().flatten().filter(|(name, _)| *name != DRILL_LABEL);
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={}", text(value))).collect();
        let age = show_duration((now - it["detected"].as_i64().unwrap_or(now)).max(0) / 1_000 * 1_000);
        let (id, severity, state) = (text(&it["id"]), text(&it["severity"]), text(&it["state"]));
        let by = it["ack"]["by"].as_str().map_or_else(String::new, |by| format!(" by {by}"));
        let muted = it["muted"]["kind"].as_str().map_or_else(String::new, |kind| {
            format!(", muted by {kind} {}", it["muted"]["by"].as_str().unwrap_or_default())
        });
        format!("{id} {severity} {state}{by}{muted}, {age}: {} {}", text(&it["title"]), labels.join(" "))
    };
    let mut lines: Vec<String> = own.iter().take(ROWS).map(line).collect();
    let (more, under) = (own.len().saturating_sub(ROWS), under.len());
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    if under > 0 {
        lines.push(format!("  {under} more hang under these: their parent is told in their place"));
    }
    lines
}

/// Counts of what came in, what is open and what was sent.
fn tallies(status: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let counts = &status["counts"];
    let open = counts["incidents_open"].as_u64().map_or_else(|| "unknown".to_owned(), |open| open.to_string());
    lines.push(format!(
        "rules {} · records {} · samples {} · open incidents {open}",
        count(&status["rules"]["count"]),
        count(&counts["records"]),
        count(&counts["samples"])
    ));
    if status["unknown"].is_string() {
        lines.push("pages, service levels, silences: unknown while the store cannot be read".to_owned());
    }
    if let Some(shadow) = status["rules"]["shadow"].as_u64().filter(|shadow| *shadow > 0) {
        lines.push(format!("  {shadow} of the rules in shadow: nobody is told of them"));
    }
    for view in status["shadows"].as_array().into_iter().flatten().take(ROWS) {
        lines.extend(texts(&view["lines"]).map(|line| format!("  {line}")));
    }
    for (name, what) in [("rejected", "rejected"), ("pages", "pages")] {
        let members = counts[name].as_object().into_iter().flatten();
        let shown: Vec<String> =
            members.filter(|(_, n)| n.as_u64() != Some(0)).map(|(k, n)| format!("{k} {n}")).collect();
        if !shown.is_empty() {
            lines.push(format!("{what}: {}", shown.join(" · ")));
        }
    }
    lines
}

fn partitions(status: &Value) -> Vec<String> {
    let line = |p: &Value| {
        // Before its first record a partition has no clock.
        let clock = p["clock"].as_i64().filter(|clock| *clock > 0).map_or_else(|| UNKNOWN.to_owned(), rfc3339);
        let (topic, high) = (text(&p["topic"]), count(&p["high"]));
        format!("partition {topic}/{}: offset {} of {high}, clock {clock}", p["partition"], p["offset"])
    };
    status["partitions"].as_array().into_iter().flatten().map(line).collect()
}

/// Windows that are not whole: read again, or without their beginning.
fn windows(status: &Value, now: Ms) -> Vec<String> {
    let mut lines: Vec<String> = status["restoring"].as_array().into_iter().flatten().map(restoring).collect();
    for w in status["warming"].as_array().into_iter().flatten() {
        let Some(until) = w["until"].as_i64() else { continue };
        // Seconds would change at every look.
        let left = ((until - now).max(0) / MINUTE + 1) * MINUTE;
        let (rule, left) = (text(&w["rule"]), show_duration(left));
        lines.push(format!("rule {rule} is warming until {}: its window is whole in {left}", rfc3339(until)));
    }
    lines
}

/// How far the past has been read again, for which rule, and how long the rest takes.
fn restoring(it: &Value) -> String {
    let number = |name: &str| it[name].as_i64().unwrap_or(0);
    let share = number("done") * 100 / number("of").max(1);
    let left = it["left_ms"].as_i64().map_or_else(
        || "time left not known yet".to_owned(),
        |left| format!("about {} left", show_duration((left / 1_000 + 1) * 1_000)),
    );
    let (topic, rule, over) = (text(&it["topic"]), text(&it["rule"]), show_duration(number("over_ms")));
    format!(
        "restoring windows of {topic}/{}: {share}% ({} of {} records), {left}; rule {rule} looks back {over}",
        it["partition"], it["done"], it["of"]
    )
}

/// Service levels: the clock that runs out first for each open incident that stands alone, and each service's month.
fn levels(status: &Value, open: &[Value]) -> Vec<String> {
    #[expect(clippy::cast_precision_loss, reason = "a month is far below 2^53 ms")]
    let minutes = |value: &Value| value.as_i64().unwrap_or(0) as f64 / MINUTE as f64;
    let hangs = |id: &Value| open.iter().any(|it| it["id"] == *id && it["parent"].is_string());
    let clocks = status["sla"]["incidents"].as_array().into_iter().flatten();
    let mut lines: Vec<String> = clocks
        .filter(|incident| incident["tightest"].is_object() && !hangs(&incident["incident"]))
        .take(ROWS)
        .map(|incident| {
            let first = &incident["tightest"];
            format!(
                "sla {} {}: {} by {}, {:.2} min left",
                text(&incident["incident"]),
                text(&incident["severity"]),
                text(&first["clock"]),
                first["by"].as_i64().map_or_else(String::new, rfc3339),
                minutes(&first["left_ms"])
            )
        })
        .collect();
    for month in status["sla"]["months"].as_array().into_iter().flatten().take(ROWS) {
        lines.push(format!(
            "sla month of {}: {:.2} of {:.2} min used, {:.2} left",
            text(&month["service"]),
            minutes(&month["used_ms"]),
            minutes(&month["budget_ms"]),
            minutes(&month["left_ms"])
        ));
    }
    lines
}

/// How long the hops of pages take, the channels apart where there are several.
fn hops(status: &Value) -> Vec<String> {
    let all: Vec<&Value> = status["hops"].as_array().into_iter().flatten().collect();
    let mut channels: Vec<&str> = all.iter().filter_map(|hop| hop["channel"].as_str()).collect();
    channels.sort_unstable();
    channels.dedup();
    let several = channels.len() > 1;
    // With one channel all of them together says the same again.
    let shown = all.iter().filter(|hop| several || hop["channel"].is_null());
    let line = |hop: &&&Value| {
        let name = format!("{} {}", text(&hop["hop"]), hop["channel"].as_str().unwrap_or(""));
        let at = |name: &str| hop[name].as_i64().unwrap_or_default();
        let (count, p50, p90) = (at("count"), at("p50_ms"), at("p90_ms"));
        format!("  {name:<24} {count:>7} {p50:>9} {p90:>9} {:>9} {:>9}", at("p99_ms"), at("max_ms"))
    };
    let lines: Vec<String> = shown.map(|hop| line(&hop)).collect();
    if lines.is_empty() {
        return lines;
    }
    let head =
        format!("  {:<24} {:>7} {:>9} {:>9} {:>9} {:>9}", "way of a page, ms", "pages", "p50", "p90", "p99", "max");
    std::iter::once(head.trim_end().to_owned()).chain(lines).collect()
}

/// Silences with what is left of them, and incidents that nobody is told of for the moment and that are not named above.
fn muted(status: &Value, open: &[Value]) -> Vec<String> {
    let left = |it: &Value| show_duration(it["left_ms"].as_i64().unwrap_or_default() / 1_000 * 1_000);
    let silence = |it: &Value| {
        let state = text(&it["state"]);
        let (id, matchers, by, reason) = (text(&it["id"]), text(&it["matchers"]), text(&it["by"]), text(&it["reason"]));
        format!("silence {id} ({state}, {} left): {matchers} · {by} · {reason}", left(it))
    };
    let mut lines: Vec<String> = status["silences"].as_array().into_iter().flatten().take(ROWS).map(silence).collect();
    let is_named = |it: &&Value| open.iter().any(|known| known["id"] == it["incident"]);
    for it in status["muted"].as_array().into_iter().flatten().filter(|it| !is_named(it)).take(ROWS) {
        lines.push(format!("muted {}: {} {}", text(&it["incident"]), text(&it["kind"]), text(&it["by"])));
    }
    lines
}

/// A step of a chain that nobody is behind.
fn empty_step(it: &Value) -> String {
    let names: Vec<&str> = texts(&it["to"]).collect();
    let step = match it["last"] == Value::Bool(true) {
        true => "its last group".to_owned(),
        false => format!("step {}", it["step"].as_u64().unwrap_or_default() + 1),
    };
    let incidents: Vec<&str> = texts(&it["incidents"]).collect();
    let (n, first) = (incidents.len(), incidents.first().unwrap_or(&"?"));
    let chain = text(&it["chain"]);
    format!(
        "  chain {chain}: {step} ({}) has NOBODY; passed by {n}, first {first}: look at `bongsu contacts list`",
        names.join(", ")
    )
}

fn sources(status: &Value) -> Vec<String> {
    let all: Vec<&Value> = status["sources"].as_array().into_iter().flatten().collect();
    let unknown: Vec<&&Value> =
        all.iter().filter(|source| source["known_to_inventory"] == Value::Bool(false)).collect();
    let mut lines = vec![format!("sources heard: {}", all.len())];
    for source in unknown.iter().take(ROWS) {
        let last = source["last"].as_i64().map_or_else(String::new, rfc3339);
        lines.push(format!("  not in the inventory: {} (last heard {last})", text(&source["host"])));
    }
    if unknown.len() > ROWS {
        lines.push(format!("  and {} more", unknown.len() - ROWS));
    }
    lines
}

/// A number, or that nobody knows it: a store alone counts neither records nor rules.
fn count(value: &Value) -> String {
    value.as_u64().map_or_else(|| UNKNOWN.to_owned(), |n| n.to_string())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_that_is_read_again_is_told_with_the_time_that_is_left() {
        let view = json!({ "topic": "t", "partition": 2, "rule": "week-mean", "over_ms": 604_800_000, "done": 250,
            "of": 1000, "left_ms": 89_400 });
        let lines = human(&json!({ "healthy": true, "restoring": [view] }), &[], 0);
        let wanted =
            "restoring windows of t/2: 25% (250 of 1000 records), about 1m30s left; rule week-mean looks back 7d";
        assert!(lines.iter().any(|line| line == wanted), "{lines:#?}");
    }

    #[test]
    fn whoever_is_woken_reads_first_what_is_wrong_and_what_is_open() {
        let clock = |id: &str| {
            let tightest = json!({ "clock": "ack", "by": 90_000, "left_ms": 60_000 });
            json!({ "incident": id, "severity": "S1", "tightest": tightest })
        };
        let status = json!({ "healthy": true, "leader": { "name": "a", "here": true }, "sources": [],
            "counts": { "records": 1, "samples": 2, "incidents_open": 4 },
            "partitions": [{ "topic": "t", "partition": 0, "offset": 1, "high": 1, "clock": 1 }],
            "gateways": [{ "id": "nhn", "channel": "sms", "failing": true, "last": "auth", "accepted": 0, "refused": 9, "unknown": 0 }],
            "sla": { "incidents": [clock("INC-2611-004"), clock("INC-2611-003")] },
            "empty_steps": [{ "chain": "infra", "step": 1, "last": false, "to": ["AP/dba"], "incidents": ["INC-2611-003"] }] });
        let open = |id: &str, severity: &str, detected: i64, more: Value| {
            let mut it = json!({ "id": id, "severity": severity, "state": "open", "title": "CPU", "detected": detected,
                "labels": { "host": "db-01" }, "parent": null });
            more.as_object().into_iter().flatten().for_each(|(name, value)| it[name] = value.clone());
            it
        };
        let open = [
            open("INC-2611-001", "S3", 0, json!({ "state": "acked", "ack": { "by": "duty-1" } })),
            open("INC-2611-003", "S1", 60_000, json!({})),
            open("INC-2611-002", "S1", 30_000, json!({ "muted": { "kind": "silence", "by": "SIL-2611-001" } })),
            open("INC-2611-004", "S1", 0, json!({ "parent": "INC-2611-003" })),
        ];
        let lines = human(&status, &open, 90_000);
        let place = |text: &str| {
            let found = lines.iter().position(|line| line.contains(text));
            found.unwrap_or_else(|| panic!("{text}: {lines:#?}"))
        };
        let order = [
            "  gateway nhn (sms): FAILING (auth)",
            "chain infra: step 2 (AP/dba) has NOBODY",
            "INC-2611-002 S1 open, muted by silence SIL-2611-001, 1m: CPU host=db-01",
            "INC-2611-003 S1 open, 30s: CPU host=db-01",
            "INC-2611-001 S3 acked by duty-1, 1m30s",
            "1 more hang under these",
            "partition t/0",
        ];
        assert!(order.iter().map(|text| place(text)).is_sorted(), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("INC-2611-004")), "its parent is told: {lines:#?}");
    }

    #[test]
    fn what_the_store_alone_knows_is_unknown_while_it_is_away() {
        let status = json!({ "healthy": false, "unknown": "connection refused", "leader": null, "sla": null,
            "counts": { "records": 3, "samples": 3, "incidents_open": null, "pages": null } });
        let lines = human(&status, &[], 0);
        for wanted in ["leader: unknown", "open incidents unknown", "service levels, silences: unknown"] {
            assert!(lines.iter().any(|line| line.contains(wanted)), "{wanted}: {lines:#?}");
        }
        assert!(!lines.iter().any(|line| line.contains("nobody")), "{lines:#?}");
    }

    #[test]
    fn a_rule_whose_window_is_not_whole_is_named_with_how_long_it_takes() {
        let now = 1_772_409_600_000;
        let until = now + 6 * 86_400_000 + 3 * 3_600_000 - 1;
        let lines = human(&json!({ "healthy": true, "warming": [{ "rule": "week-mean", "until": until }] }), &[], now);
        let wanted = "rule week-mean is warming until 2026-03-08T11:59:59.999+09:00: its window is whole in 6d3h";
        assert!(lines.iter().any(|line| line == wanted), "{lines:#?}");
    }
}
