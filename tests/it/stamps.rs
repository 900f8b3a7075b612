//! The eight stamps of a page in the running service: on every page and in order, also of what a process left that was
//! killed; and what people and machines are shown of them.

use serde_json::Value;

use crate::service::RULE;
use crate::site::{Site, bongsu, eventually, json_lines, record};

/// Up to the provider's yes, in the order of the way: a phone of ours sends no receipts.
const STAMPS: [&str; 7] = ["sampled", "appended", "consumed", "decided", "queued", "submitted", "accepted"];

/// The stamps of the first page about `host`, once somebody has taken it; all there and in order.
fn stamps(site: &Site, host: &str) -> Vec<i64> {
    let page = eventually("a page that was taken", || {
        let told =
            site.command(&["explain", "--rule", "load-high", "--labels", &format!("host={host}"), "--format", "json"]);
        let told = json_lines(&told).pop()?;
        let pages = told["pages"].as_array().cloned().unwrap_or_default();
        pages.into_iter().find(|page| page["reason"] == "first" && page["state"] == "accepted")
    });
    let found: Vec<i64> = STAMPS.iter().map(|stamp| page["stamps"][stamp].as_i64().unwrap_or(-1)).collect();
    assert!(found[0] > 0 && found.is_sorted(), "{page}");
    assert_eq!((&page["prompt"], &page["stamps"]["delivered"]), (&Value::Bool(true), &Value::Null), "{page}");
    found
}

/// The value of a metric's sample.
fn metric(site: &Site, line: &str) -> Option<f64> {
    let text = site.text("/metrics");
    text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
}

#[test]
fn every_page_carries_its_stamps_also_after_a_kill() {
    let site = Site::new(RULE);
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    let first = stamps(&site, "known-01");

    let incident = site.get("/v1/incidents")["incidents"][0]["id"].as_str().unwrap().to_owned();
    let told = site.command(&["explain", &incident]);
    let told = String::from_utf8(told.stdout).unwrap();
    for word in ["수집", "적재", "판독", "결정", "대기열", "발송", "접수", "도착 —", "수집→접수"]
    {
        assert!(told.contains(word), "{word} is not in\n{told}");
    }
    for hop in ["sampled_appended", "consumed_decided", "submitted_accepted", "sampled_accepted"] {
        let count = metric(&site, &format!("bongsu_page_hop_seconds_count{{hop=\"{hop}\",channel=\"sms\"}}"));
        assert_eq!(count, Some(1.0), "{hop}");
    }
    assert_eq!(metric(&site, "bongsu_pages_late_total{channel=\"sms\"}"), Some(0.0));
    let status = json_lines(&site.command(&["status", "--format", "json"])).pop().unwrap();
    let whole = status["hops"].as_array().unwrap().iter().find(|hop| hop["hop"] == "sampled_accepted");
    assert_eq!(whole.unwrap()["max_ms"].as_i64(), Some(first[6] - first[0]), "{status}");

    // Durable, and nothing more: what follows is another process's work.
    site.send(&record("known-02", "app.load", 99.0));
    service.kill();
    let service = site.start();
    assert_eq!(stamps(&site, "known-01"), first, "what was written down stays");
    let second = stamps(&site, "known-02");
    assert!(second[1] > first[6]);
    assert_eq!(service.end(), Some(0), "{}", site.service_log());

    let status = json_lines(&site.command(&["status", "--format", "json"])).pop().unwrap();
    let whole = status["hops"].as_array().unwrap().iter().find(|hop| hop["hop"] == "sampled_accepted");
    assert_eq!(whole.unwrap()["count"], 2, "read off the store while no service runs: {status}");
}

#[test]
fn a_measured_run_ends_with_every_page_on_the_phone() {
    let done = bongsu(&["selftest", "latency", "--pages", "12", "--rate", "8", "--early", "--format", "json"]);
    let summary = json_lines(&done).pop().unwrap_or_default();
    assert_eq!(done.status.code(), Some(0), "{summary} {}", String::from_utf8_lossy(&done.stderr));
    let counted =
        ["samples", "refused", "pages", "lost", "incomplete", "disordered"].map(|name| summary[name].as_i64());
    assert_eq!(counted, [12, 0, 12, 0, 0, 0].map(Some), "{summary}");
    let hops = summary["hops"].as_array().unwrap();
    assert_eq!(hops.len(), 9, "seven hops and the whole way twice");
    let of = |name: &str| hops.iter().find(|hop| hop["hop"] == name).unwrap();
    // What the carrier takes on purpose is in the figures: they are measured and not made up.
    assert!(of("submitted_accepted")["p50_ms"].as_i64() >= Some(20), "{summary}");
    assert!(of("accepted_delivered")["p50_ms"].as_i64() >= Some(45), "{summary}");
    let (whole, part) = (of("sampled_delivered"), of("accepted_delivered"));
    assert!(whole["p50_ms"].as_i64() > part["p50_ms"].as_i64() && whole["count"] == 12, "{summary}");
}
