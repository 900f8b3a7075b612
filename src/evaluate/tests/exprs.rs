//! Rules that are expressions: what they say does not hang on how hosts are spread over partitions, nor on restarts,
//! and it is what a plain evaluation over everything says.

use super::*;
use crate::evaluate::Wide;
use crate::evaluate::promql::{Memory, NAME, Value, instant, parse};
use crate::model::{ExprGroup, ExprStep, Recover};

const HOSTS: u32 = 6;
const EVERY: Ms = 10 * SECOND;

/// An alert and, before it, what it may look at.
fn world(text: &str, hold: Ms, keep: Ms, record: Option<(&str, &str)>, partitions: i32) -> Arc<Setup> {
    let mut alert = rule("alert", Function::Last, Comparison::Present, 0.0);
    alert.watch = Watch::Expr { text: text.to_owned() };
    (alert.by, alert.over, alert.interval) = (None, 10 * MINUTE, EVERY);
    alert.levels = vec![level(Severity::S2, 0.0, hold)];
    alert.recover = Recover { threshold: None, hold: keep };
    let mut steps: Vec<ExprStep> = Vec::new();
    if let Some((name, expr)) = record {
        let (name, expr) = (name.to_owned(), expr.to_owned());
        steps.push(ExprStep::Record { name, labels: Labels::default(), expr });
    }
    let labels = Labels::new([("who", "{{ $labels.host }}!")]);
    steps.push(ExprStep::Alert { rule: Arc::clone(&alert.id), labels });
    let group = ExprGroup { name: "g".to_owned(), interval: EVERY, behind: 0, limit: 0, steps };
    let set = RuleSet { hash: "x".to_owned(), rules: vec![Arc::new(alert)], groups: vec![Arc::new(group)] };
    Arc::new(Setup { rules: Arc::new(set), partitions, ..(*setup(Vec::new(), false)).clone() })
}

/// Records of all hosts in the order of their append times; each goes up and down at its own pace.
fn records() -> Vec<(Ms, u32, f64)> {
    let mut all = Vec::new();
    for step in 0..120 {
        for host in 0..HOSTS {
            // One host falls silent for a while.
            if host == 3 && (40..80).contains(&step) {
                continue;
            }
            let high = (step / (4 + i64::from(host))) % 2 == 1;
            let at = BEGIN + step * EVERY + i64::from(host) * 700;
            all.push((at, host, if high { 90.0 + f64::from(host) } else { 10.0 }));
        }
    }
    all
}

/// All that is known of a run: what a store would have.
#[derive(Default)]
struct Store {
    rows: Rows,
    wide: Option<Progress>,
    parts: BTreeMap<i32, Progress>,
    signals: Vec<Signal>,
}

/// Runs records `from..to`, what is below `durable` muted, as a process that found `store`.
fn run(setup: &Arc<Setup>, store: &mut Store, to: usize) {
    let n = setup.partitions;
    let rows = store.rows.0.values().cloned().collect();
    let mut wide = Wide::start(Arc::clone(setup), store.wide.as_ref(), rows);
    let mut parts: BTreeMap<i32, Partition> = (0..n)
        .map(|p| (p, Partition::start(Arc::clone(setup), p, store.parts.get(&p), Vec::new(), Warm::default())))
        .collect();
    let mut offsets: BTreeMap<i32, i64> = BTreeMap::new();
    for (at, host, value) in records().into_iter().take(to) {
        let home = i32::try_from(host).unwrap() % n;
        for (p, part) in &mut parts {
            let offset = offsets.entry(*p).or_default();
            let mut out = Effects::default();
            let record = if *p == home { number(host, at, value) } else { pulse() };
            part.apply(*offset, at, &record, &mut out);
            *offset += 1;
            for leaf in out.leaves.drain(..) {
                wide.offer(*p, leaf);
            }
        }
        let mut out = Effects::default();
        wide.advance(parts.iter().map(|(p, part)| (*p, part.place().1)), &mut out);
        store.rows.take(&out.rows);
        store.signals.append(&mut out.signals);
    }
    store.wide = Some(wide.progress());
    store.parts = parts.iter().map(|(p, part)| (*p, part.progress())).collect();
    assert!(wide.troubles().is_empty(), "{:?}", wide.troubles());
}

fn told(setup: &Arc<Setup>) -> Vec<Signal> {
    let mut store = Store::default();
    run(setup, &mut store, usize::MAX);
    store.signals
}

const TEXTS: [&str; 5] = [
    "m > 80",
    "avg by (host) (avg_over_time(m[1m])) > 60",
    "sum(m) > 350",
    "m > 80 unless on(host) m offset 1m > 80",
    "count(changes(m[2m]) > 2) > 2 or absent(m{host=\"h3\"})",
];

#[test]
fn partitions_do_not_show() {
    for text in TEXTS {
        let one = told(&world(text, 20 * SECOND, 30 * SECOND, None, 1));
        assert!(one.len() > 4, "{text}: {} signals", one.len());
        assert_eq!(one, told(&world(text, 20 * SECOND, 30 * SECOND, None, 7)), "{text}");
    }
}

#[test]
fn a_restart_does_not_show() {
    let record = Some(("r", "sum by (host) (m)"));
    for text in TEXTS.into_iter().chain(["avg_over_time(r[3m]) > 50"]) {
        let setup = world(text, 20 * SECOND, 30 * SECOND, record, 3);
        let whole = told(&setup);
        let total = records().len();
        for cut in (1..total).step_by(37) {
            let mut store = Store::default();
            run(&setup, &mut store, cut);
            run(&setup, &mut store, total);
            assert_eq!(store.signals, whole, "{text}, cut at {cut}");
        }
    }
}

/// Without `for`, an instance fires exactly while a plain evaluation over everything has it in its result.
#[test]
fn what_fires_is_what_a_plain_evaluation_gives() {
    for text in TEXTS {
        let expr = parse(text).unwrap();
        let mut memory = Memory::default();
        let mut expected: BTreeMap<Ms, Vec<Labels>> = BTreeMap::new();
        let all = records();
        let mut left = all.iter().peekable();
        let end = all.last().unwrap().0;
        for at in (BEGIN..end).step_by(usize::try_from(EVERY).unwrap()) {
            while let Some((time, host, value)) = left.next_if(|(time, ..)| *time <= at) {
                let host = format!("h{host}");
                let labels = Labels::new([(NAME, "m"), ("host", host.as_str()), ("instance", host.as_str())]);
                memory.append(&labels, *time, *value);
            }
            let Value::Vector(found) = instant(&expr, &memory, at).unwrap() else { panic!("{text}") };
            let identity = |labels: &Labels| {
                let who = format!("{}!", labels.get("host").unwrap_or_default());
                Labels::new(labels.iter().filter(|(name, _)| *name != NAME).chain([("who", who.as_str())]))
            };
            let mut now: Vec<Labels> = found.iter().map(|sample| identity(&sample.labels)).collect();
            now.sort();
            expected.insert(at, now);
        }
        let signals = told(&world(text, 0, 0, None, 2));
        let mut firing: Vec<Labels> = Vec::new();
        for (at, expected) in expected {
            for signal in signals.iter().filter(|signal| signal.at == at) {
                firing.retain(|labels| *labels != signal.labels);
                if signal.to.is_active() {
                    firing.push(signal.labels.clone());
                }
            }
            firing.sort();
            assert_eq!(firing, expected, "{text} at {}", at - BEGIN);
        }
    }
}

/// What does not fit together moves nothing, and is told.
#[test]
fn a_result_with_two_of_one_identity_is_an_error() {
    let setup = world("m * on(z) m", 0, 0, None, 1);
    let mut store = Store::default();
    let mut wide = Wide::start(Arc::clone(&setup), None, Vec::new());
    let mut part = start(&setup);
    let mut out = Effects::default();
    for (offset, (at, host, value)) in (0..).zip(records().into_iter().take(60)) {
        part.apply(offset, at, &number(host, at, value), &mut out);
        for leaf in std::mem::take(&mut out.leaves) {
            wide.offer(0, leaf);
        }
        wide.advance([(0, part.place().1)].into_iter(), &mut out);
    }
    store.signals.append(&mut out.signals);
    // The first host alone fits; from the second on nothing is known, and what was known stands.
    assert_eq!(show(&store.signals), ["0 alert inactive>firing S2"]);
    assert!(wide.troubles().contains_key("alert"), "{:?}", wide.troubles());
}

/// At a limit those that are there go on, and it is told.
#[test]
fn what_a_limit_keeps_out_is_told() {
    let plain = world("m > 80", 0, 0, None, 1);
    for (limits, of) in [((4, 1_000), "limits.series"), ((1_000, 2), "alert")] {
        let limits = Limits { series: limits.0, series_per_rule: limits.1, window_memory: 1 << 30 };
        let setup = Arc::new(Setup { limits, builtins: true, ..(*plain).clone() });
        let mut wide = Wide::start(Arc::clone(&setup), None, Vec::new());
        let mut part = start(&setup);
        let (mut own, mut out, mut told) = (Effects::default(), Effects::default(), false);
        for (offset, (at, host, _)) in (0..).zip(records().into_iter().take(60)) {
            part.apply(offset, at, &number(host, at, 99.0), &mut own);
            for leaf in std::mem::take(&mut own.leaves) {
                wide.offer(0, leaf);
            }
            wide.advance([(0, part.place().1)].into_iter(), &mut out);
            told |= wide.troubles().contains_key(of);
        }
        let (alarms, alerts): (Vec<&Signal>, Vec<&Signal>) =
            out.signals.iter().partition(|signal| *signal.rule == *crate::model::LIMIT.id);
        let names: Vec<Labels> = alarms.into_iter().map(|signal| signal.labels.clone()).collect();
        let (labels, name) = match of {
            "alert" => (Labels::new([("limit", "series_per_rule"), ("rule", "alert")]), "series_per_rule alert"),
            // That of the partitions, whose native rules see the same series.
            _ => (Labels::new([("limit", "series")]), "series"),
        };
        assert_eq!(names, std::slice::from_ref(&labels), "one incident");
        let theirs = own.signals.iter().filter(|signal| *signal.rule == *crate::model::LIMIT.id);
        assert!(theirs.map(|signal| &signal.labels).all(|theirs| *theirs == labels), "and the partition's is the same");
        assert!(wide.limits_hit().iter().any(|(hit, ..)| *hit == name));
        a_limit_is_told_of_once(&setup, &wide, &out);
        let firing = alerts.iter().filter(|signal| signal.to.is_active()).count();
        assert!(told, "{of}: {:?}", wide.troubles());
        assert_eq!(firing, if of == "alert" { 2 } else { 4 }, "{of}: the oldest stay");
        assert!(alerts.iter().all(|signal| signal.to.is_active()), "{of}: nobody who fires is dropped");
    }
}

/// Who starts from the rows knows of the limit, and says so when it is over.
fn a_limit_is_told_of_once(setup: &Arc<Setup>, wide: &Wide, before: &Effects) {
    let mut rows = Rows::default();
    rows.take(&before.rows);
    let mut again = Wide::start(Arc::clone(setup), Some(&wide.progress()), rows.0.into_values().collect());
    let mut out = Effects::default();
    again.offer(0, crate::evaluate::LeafTick::live());
    for minute in 1..15 {
        again.advance([(0, wide.progress().clock + minute * MINUTE)].into_iter(), &mut out);
    }
    let limits: Vec<String> = show(&out.signals).into_iter().filter(|line| line.contains(" limit ")).collect();
    assert_eq!(limits.len(), 1, "{limits:?}");
    assert!(limits[0].contains("firing>resolved"), "{limits:?}");
}

/// A window that reaches behind what the log still holds says nothing until it does not.
#[test]
fn what_the_log_has_lost_is_no_verdict() {
    let setup = world("max_over_time(m[10m]) < 50", 0, 0, None, 1);
    let run = |low: i64| {
        let warm = Warm { low, first_append: Some(BEGIN) };
        let mut part = Partition::start(Arc::clone(&setup), 0, None, Vec::new(), warm);
        let mut wide = Wide::start(Arc::clone(&setup), None, Vec::new());
        let mut out = Effects::default();
        for (offset, step) in (0..).zip(0..70) {
            let at = BEGIN + step * EVERY;
            // It was high before the log begins, and is again in the last minute.
            part.apply(offset, at, &number(1, at, if step > 64 { 90.0 } else { 10.0 }), &mut out);
            for leaf in std::mem::take(&mut out.leaves) {
                wide.offer(0, leaf);
            }
            wide.advance([(0, part.place().1)].into_iter(), &mut out);
        }
        assert_eq!(part.warming(), []);
        show(&out.signals)
    };
    assert_eq!(run(0), ["0 alert inactive>firing S2", "650000 alert firing>resolved S2"]);
    assert_eq!(
        run(7),
        ["0 alert inactive>inactive - warming", "600000 alert inactive>firing S2", "650000 alert firing>resolved S2"]
    );
}

/// The log begins a minute before the restart, the expression looks back ten: `status` names the rule and the end.
#[test]
fn an_expression_that_looks_back_behind_the_logs_beginning_is_named_as_warming() {
    let setup = world("max_over_time(m[10m]) > 5", 0, 0, None, 1);
    let progress = Progress { offset: 12, clock: BEGIN, ..Progress::default() };
    let warm = |low| Warm { low, first_append: Some(BEGIN - MINUTE) };
    let until = |low| Partition::start(Arc::clone(&setup), 0, Some(&progress), Vec::new(), warm(low)).warming();
    assert_eq!(until(10), [(Arc::from("alert"), BEGIN + 9 * MINUTE)]);
    assert_eq!(until(0), [], "an empty new log has lost nothing");
}

/// What the inventory knows of a host can be matched and grouped by, and is no part of an identity that does not name it.
#[test]
fn labels_of_the_inventory_are_joined_where_they_are_named() {
    let of = |zone: &str, class: &str| crate::model::Resource {
        zone: Some(zone.to_owned()),
        class: Some(class.to_owned()),
        ..crate::model::Resource::default()
    };
    let resources = (0..HOSTS).map(|host| {
        (format!("h{host}"), of(if host % 2 == 0 { "even" } else { "odd" }, if host < 4 { "db" } else { "web" }))
    });
    let inventory = Arc::new(Inventory { resources: resources.collect() });
    let identities = |text: &str| {
        let setup = world(text, 0, 0, None, 2);
        let signals = told(&Arc::new(Setup { inventory: Arc::clone(&inventory), ..(*setup).clone() }));
        let mut all: Vec<String> = signals.iter().map(|signal| signal.labels.to_string()).collect();
        all.sort();
        all.dedup();
        all
    };
    assert_eq!(
        identities("m{zone=\"odd\", class=\"db\"} > 80"),
        [r#"{host="h1",instance="h1",who="h1!"}"#, r#"{host="h3",instance="h3",who="h3!"}"#],
        "matched, and no part of who it is"
    );
    assert_eq!(
        identities("max by (zone) (m{class=\"web\"}) > 80"),
        [r#"{who="!",zone="even"}"#, r#"{who="!",zone="odd"}"#]
    );
    assert_eq!(identities("max without (host, instance) (m) > 80"), [r#"{who="!"}"#], "as Prometheus means it");
}
