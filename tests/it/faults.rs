//! The table of faults: while incidents keep being raised, one of the things around the service is away for a while;
//! what reached the phones is counted where it arrived, and the time is taken there.
//!
//! The idea: every record raises one incident of its own, so each record's birth has one page to be looked for. A page
//! may be late by the fault and the distance of the next try; none may be missing, none may come twice. One fault at a
//! time, on a service of its own. `BONGSU_LONG=1` lets each last a minute instead of seconds.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bongsu::model::{PageRow, PageState, Reason};
use bongsu::store::{self, Store};
use serde_json::Value;

use crate::gateway_http::example;
use crate::kafka::{Kafka, Order};
use crate::service_postgres;
use crate::site::{Site, bongsu, now};
use crate::sms_double::{Mood, SmsDouble};
use crate::smtp::Smtp;
use crate::ways_out::only_nhn;

/// As many people as there are rules, so that nobody gets so many pages a minute that they are folded into one.
const TEAMS: usize = 20;
/// One record, and so one incident, each.
const EVERY: Duration = Duration::from_millis(700);
/// Load before the fault and after it.
const AROUND: usize = 4;
/// From a record to its page where nothing is wrong, on a machine that is busy with other tests: two ticks and more.
const WELL: i64 = 6_000;
/// Everything must have arrived so long after the end of the load.
const PATIENCE: Duration = Duration::from_secs(120);

fn fault_length() -> Duration {
    Duration::from_secs(if std::env::var_os("BONGSU_LONG").is_some() { 60 } else { 10 })
}

/// What one way out received: page id and arrival.
type Arrivals = Vec<(String, i64)>;

/// One line of the table.
struct Line {
    fault: &'static str,
    length: i64,
    pages: usize,
    /// Of the latest page, after its record and after its decision, ms.
    latest: (i64, i64),
    /// As late as the latest may be, after its record, ms.
    allowed: i64,
    lost: usize,
    doubled: usize,
    /// Sent again because nobody could know, under the same id, as the contract says.
    resent: usize,
    /// What the service said meanwhile: for whoever has to explain a line.
    log: String,
}

/// A site of [`TEAMS`] rules with a person each; `by` are the channels of every chain. Windows are longer than any
/// fault: a record that was away for longer than its window is late and changes nothing.
fn site(by: &str) -> Site {
    let mut rules = String::new();
    let (mut contacts, mut chains) = ("contacts:\n".to_owned(), "chains:\n".to_owned());
    for n in 0..TEAMS {
        rules.push_str(&format!(
            "  - id: load-{n}\n    title: 부하 과다\n    domain: 인프라\n    metric: app.load.{n}\n    by: [host, job]\n    \
             window: {{ fn: last, over: 10m }}\n    when: above\n    severity: {{ S1: {{ value: 90 }} }}\n    chain: team-{n}\n"
        ));
        contacts.push_str(&format!(
            "  - {{ id: duty-{n}, org: MSP, roles: [duty], name: 가상인, phone: \"010-0000-{n:04}\", \
             email: duty-{n}@example.test, confirmed: 2026-01-02 }}\n"
        ));
        chains.push_str(&format!(
            "  - id: team-{n}\n    steps:\n      - {{ to: [\"@duty-{n}\"], by: {by}, wait: 1h }}\n    \
             last: {{ to: [\"@duty-{n}\"], by: {by}, repeat: 1h }}\n"
        ));
    }
    chains.push_str("  - id: all\n    default: true\n    steps: [{ to: [MSP/duty], by: [sms], wait: 1h }]\n");
    chains.push_str("    last: { to: [MSP/duty], by: [sms], repeat: 1h }\n");
    let site = Site::new(&rules);
    std::fs::write(site.path("contacts.yaml"), contacts).unwrap();
    std::fs::write(site.path("chains.yaml"), chains).unwrap();
    site
}

/// The site's messages leave by the provider, and its mail by the server where there is one.
fn ways_out(site: &Site, double: &SmsDouble, smtp: Option<&Smtp>) {
    let text = example(&site.path(""), &double.base());
    let mut ways = only_nhn(&text).replace("timeout: 700ms", "timeout: 3s");
    if let Some(smtp) = smtp {
        let mail = text[text.find("  # Mail over").unwrap()..].replace("mail.example.test", "localhost");
        let mail = mail.replace("587", &smtp.starttls.to_string());
        let with_ca = format!("tls: starttls\n      ca_file: {}", smtp.authority().display());
        ways = format!("{ways}\n{}", mail.replace("tls: starttls", &with_ca));
    }
    let main = std::fs::read_to_string(site.path("bongsu.yaml")).unwrap();
    std::fs::write(site.path("bongsu.yaml"), format!("{main}{ways}")).unwrap();
}

/// Offers the `n`-th record until it is taken, as an agent does.
fn offer(site: &Site, n: usize, ts: i64, pause: &Receiver<()>) {
    let (host, metric) = (n % 4, n % TEAMS);
    let record = || {
        let sent = now();
        format!(
            "{{\"v\":1,\"ts\":{ts},\"sent\":{sent},\"host\":\"h-{host}\",\"points\":\
             [[\"app.load.{metric}\",99,{{\"job\":\"{n}\"}}]]}}\n"
        )
    };
    let began = Instant::now();
    while site.offer(&record()) != 1 {
        assert!(began.elapsed() < PATIENCE, "record {n} was never taken: {}", site.service_log());
        let _ = pause.recv_timeout(Duration::from_millis(500));
    }
}

/// Keeps raising incidents before, during and after `fault`; gives each record's birth and the fault's length in ms.
fn under_load(site: &Site, fault: impl FnOnce()) -> (BTreeMap<usize, i64>, i64) {
    let births = Mutex::new(BTreeMap::new());
    let births_so_far = || births.lock().unwrap().len();
    let mut length = 0;
    std::thread::scope(|scope| {
        let (stop, stopped) = channel::<()>();
        let births = &births;
        scope.spawn(move || {
            for n in 0.. {
                let (_never, pause) = channel::<()>();
                let birth = now();
                births.lock().unwrap().insert(n, birth);
                // A record that waits must not hold up those behind it.
                scope.spawn(move || offer(site, n, birth, &pause));
                // The load's own beat, not a wait for anything.
                if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        let more = |what: &str| {
            let before = births_so_far();
            crate::site::eventually(what, || (births_so_far() >= before + AROUND).then_some(()));
        };
        more("load before the fault");
        let began = now();
        fault();
        length = now() - began;
        more("load after the fault");
        drop(stop);
    });
    (births.into_inner().unwrap(), length)
}

/// The load's own beat as a clock: how long a fault is left standing.
fn hold() {
    let (_never, pause) = channel::<()>();
    let _ = pause.recv_timeout(fault_length());
}

/// Reads the store past the service: the pages about the beginnings of the load's incidents, with their record's number.
fn pages(url: &str) -> Vec<(usize, PageRow)> {
    let Ok(store) = store::open_readonly(url) else { return Vec::new() };
    let (Ok(incidents), Ok(pages)) = (store.incidents(10_000), store.pages(None, 10_000)) else { return Vec::new() };
    let job = |row: &PageRow| {
        let incident = incidents.iter().find(|incident| incident.id == row.page.incident)?;
        incident.labels.get("job")?.parse().ok()
    };
    let firsts = pages.into_iter().filter(|row| row.page.reason == Reason::First);
    firsts.filter_map(|row| Some((job(&row)?, row))).collect()
}

/// How often each page was sent again on purpose, as the ledger has it.
fn resent(url: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for entry in store::open_readonly(url).unwrap().ledger(0, 100_000).unwrap() {
        let json: Value = serde_json::from_str(&entry.json).unwrap_or_default();
        let input = &json["input"];
        if input["outcome"] == "resent" {
            *found.entry(input["page"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    found
}

/// Waits until every record has its page on `channel`, then judges what arrived.
fn judge(
    (fault, channel, retry): (&'static str, &str, i64),
    (site, url): (&Site, &str),
    (births, length): &(BTreeMap<usize, i64>, i64),
    arrivals: &dyn Fn() -> Arrivals,
) -> Line {
    let began = Instant::now();
    let of_channel = || -> Vec<(usize, PageRow)> {
        pages(url).into_iter().filter(|(_, row)| row.page.channel.word() == channel).collect()
    };
    let (_never, pause) = std::sync::mpsc::channel::<()>();
    let settled = |row: &PageRow| !matches!(row.state, PageState::Waiting | PageState::Handed);
    loop {
        let rows = of_channel();
        let done = rows.iter().filter(|(_, row)| settled(row)).count();
        if done >= births.len() && rows.len() == done || began.elapsed() > PATIENCE {
            break;
        }
        let _ = pause.recv_timeout(Duration::from_millis(100));
    }
    let (rows, arrived, again) = (of_channel(), arrivals(), resent(url));
    let mut times: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (page, at) in &arrived {
        times.entry(page).or_default().push(*at);
    }
    let mut latest = (0, 0);
    let mut arrived_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (job, row) in &rows {
        let Some(first) = times.get(row.page.id.as_str()).and_then(|times| times.iter().min()) else { continue };
        *arrived_of.entry(*job).or_default() += 1;
        latest = (latest.0.max(first - births[job]), latest.1.max(first - row.page.decided));
    }
    let excused = |page: &str| again.get(page).copied().unwrap_or(0);
    let twice: usize = times.iter().map(|(page, times)| (times.len() - 1).saturating_sub(excused(page))).sum();
    Line {
        fault,
        length: *length,
        pages: arrived_of.len(),
        latest,
        allowed: length + retry + WELL,
        lost: births.len() - arrived_of.len(),
        doubled: twice + arrived_of.values().map(|n| n - 1).sum::<usize>(),
        resent: rows.iter().filter(|(_, row)| again.contains_key(&row.page.id)).count(),
        log: site.service_log(),
    }
}

fn messages(double: &SmsDouble) -> impl Fn() -> Arrivals {
    || double.messages().into_iter().map(|message| (message.page, message.at)).collect()
}

fn sqlite(site: &Site) -> String {
    format!("sqlite:{}", site.data().join("bongsu.db").display())
}

/// Kafka's client comes back after at most 2 s; a look that began before takes 1 s, and the next one begins 1 s later; the
/// load's own next try half a second.
fn broker_dies() -> Line {
    let double = SmsDouble::start();
    let mut kafka = Kafka::start(1);
    let site = site("[sms]");
    site.edit("bongsu.yaml", "kind: embedded", &format!("kind: kafka, brokers: [\"{}\"]", kafka.brokers()));
    ways_out(&site, &double, None);
    let service = site.start();
    let load = under_load(&site, || {
        kafka.tell(0, Order::Kill);
        hold();
        kafka.tell(0, Order::Start);
        kafka.await_metadata();
    });
    let line = judge(("broker killed", "sms", 5_000), (&site, &sqlite(&site)), &load, &messages(&double));
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    line
}

/// Stages look again every second; a page whose lease was committed while its answer was lost waits for the lease's end.
fn database_dies() -> Line {
    let double = SmsDouble::start();
    let server = service_postgres::server();
    let site = site("[sms]");
    let url = server.url("bongsu", "bongsu");
    site.keep_in(&url);
    ways_out(&site, &double, None);
    let (config, owner) = (site.path("bongsu.yaml"), server.url("bongsu_owner", "bongsu"));
    let made = bongsu(&["store", "migrate", "-c", config.to_str().unwrap(), "--url", &owner]);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let service = site.start();
    let load = under_load(&site, || {
        server.kill();
        hold();
        server.restart();
    });
    let line = judge(("PostgreSQL kill -9", "sms", 30_000), (&site, &url), &load, &messages(&double));
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    line
}

/// A gateway in trouble is tried every 5 s, an S1 page every 10 s at most.
fn provider_fails() -> Line {
    let double = SmsDouble::start();
    let site = site("[sms]");
    ways_out(&site, &double, None);
    let service = site.start();
    let load = under_load(&site, || {
        double.always(Mood::Status(500, 0));
        hold();
        double.always(Mood::Well);
    });
    let line = judge(("gateway answers 500", "sms", 15_000), (&site, &sqlite(&site)), &load, &messages(&double));
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    line
}

/// As above, after the 8 s that a call may take and half as much for its beginning; what the server may have is settled
/// 5 s later. Messages beside it only wait for a sender that waits half a second for its turn at the mail server.
fn mail_hangs() -> [Line; 2] {
    let (double, smtp) = (SmsDouble::start(), Smtp::start());
    let site = site("[sms, mail]");
    ways_out(&site, &double, Some(&smtp));
    let service = site.start();
    let load = under_load(&site, || {
        smtp.freeze();
        hold();
        smtp.thaw();
    });
    let url = sqlite(&site);
    let mails = || -> Arrivals {
        let page = |mail: &Value| Some(mail["id"].as_str()?.trim_start_matches('<').split('@').next()?.to_owned());
        smtp.mails().iter().filter_map(|mail| Some((page(mail)?, mail["at"].as_i64()?))).collect()
    };
    let mail = judge(("mail server hangs", "mail", 32_000), (&site, &url), &load, &mails);
    let beside = judge(("… messages beside it", "sms", 2_000), (&site, &url), &(load.0, 0), &messages(&double));
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
    [mail, beside]
}

/// Past the harness's capture: the table is what this test is for.
fn print(lines: &[Line]) {
    let seconds = |ms: i64| format!("{}.{}", ms / 1_000, ms % 1_000 / 100);
    let mut text = "\nfault                  length s  pages  latest s: after record, decision  allowed s  lost  doubled  resent\n".to_owned();
    for line in lines {
        text.push_str(&format!(
            "{:<22} {:>8}  {:>5}  {:>22}, {:>8}  {:>9}  {:>4}  {:>7}  {:>6}\n",
            line.fault,
            seconds(line.length),
            line.pages,
            seconds(line.latest.0),
            seconds(line.latest.1),
            seconds(line.allowed),
            line.lost,
            line.doubled,
            line.resent,
        ));
    }
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[test]
fn a_fault_delays_pages_by_no_more_than_itself_and_loses_and_doubles_none() {
    let mut lines = vec![broker_dies(), database_dies(), provider_fails()];
    lines.extend(mail_hangs());
    print(&lines);
    for line in &lines {
        let fault = line.fault;
        assert_eq!((line.lost, line.doubled), (0, 0), "{fault}: lost, doubled");
        let (latest, log) = (line.latest.0, &line.log);
        assert!(latest <= line.allowed, "{fault}: the latest page came {latest} ms after its record; {log}");
        assert!(line.pages > 2 * AROUND, "{fault}: there was load");
    }
}
