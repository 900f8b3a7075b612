//! A rule in shadow at a running service: what it would have done beside the live one, kept over kill -9 and reloads.

use serde_json::Value;

use crate::service::RULE;
use crate::site::{Site, eventually, json_lines, record};

/// The live rule of `service` and a stricter copy of it that only watches.
fn site() -> Site {
    let shadow = RULE.replace("load-high", "load-high-shadow").replace("value: 90", "value: 50");
    let shadow = shadow.replace("    domain: 인프라\n", "    domain: 인프라\n    mode: shadow\n");
    let site = Site::new(&(RULE.to_owned() + &shadow));
    // Two channels for one person at the first step.
    site.edit("chains.yaml", "by: [sms], wait", "by: [sms, mail], wait");
    site.edit("contacts.yaml", "confirmed:", "email: d1@example.test, confirmed:");
    site
}

fn compared(site: &Site) -> Option<Value> {
    let status = json_lines(&site.command(&["status", "--format", "json"])).pop()?;
    status["shadows"].as_array()?.first().cloned()
}

/// Waits for (episodes of the shadow, of the live rule, in both, only in the shadow).
fn figures(site: &Site, wanted: [u64; 4]) -> Value {
    eventually(&format!("{wanted:?} in the comparison"), || {
        let view = compared(site)?;
        let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
        let seen = [&view["shadow"]["episodes"], &view["live"]["episodes"], &view["both"], &view["only_shadow"]];
        (seen.map(number) == wanted).then_some(view)
    })
}

#[test]
fn a_rule_in_shadow_is_compared_with_the_live_one_and_the_figures_outlive_a_crash() {
    let site = site();
    let service = site.start();
    let view = figures(&site, [0, 0, 0, 0]);
    assert_eq!((view["rule"].as_str(), view["beside"].as_str()), (Some("load-high-shadow"), Some("load-high")));
    let since = eventually("the beginning is noted", || {
        let (first, again) = (compared(&site)?["since"].as_i64()?, compared(&site)?["since"].as_i64()?);
        (first == again).then_some(first)
    });

    site.send(&(record("known-01", "app.load", 99.0) + &record("other-01", "app.load", 60.0)));
    figures(&site, [2, 1, 1, 1]);
    site.send(&record("other-01", "app.load", 1.0));
    let view = eventually("the end of the span that only the shadow has", || {
        compared(&site).filter(|view| view["last"]["to"].is_i64())
    });
    assert_eq!((view["shadow"]["open"].as_u64(), view["live"]["open"].as_u64()), (Some(1), Some(1)));
    assert_eq!(view["last"]["labels"]["host"], "other-01");
    assert_eq!((view["last"]["in_shadow"].as_bool(), view["last"]["severity"].as_str()), (Some(true), Some("S1")));
    assert_eq!(
        (view["shadow"]["pages"].as_u64(), view["live"]["pages"].as_u64()),
        (Some(4), Some(2)),
        "one person on two channels for each that would have opened"
    );
    assert_eq!(
        (view["shadow"]["pages_unacked"].as_u64(), view["live"]["pages_unacked"].as_u64()),
        (Some(6), Some(2)),
        "and those told of the one that ended hear of the end"
    );
    assert!(site.incidents("load-high-shadow").is_empty(), "nobody is told");

    service.kill();
    let offline = compared(&site).expect("the store alone tells it too");
    let stopped = String::from_utf8_lossy(&site.command(&["status"]).stdout).into_owned();
    let partitions: Vec<&str> = stopped.lines().filter(|line| line.starts_with("partition ")).collect();
    assert!(!partitions.is_empty() && partitions.iter().all(|line| !line.contains("/-1:")), "{stopped}");
    let service = site.start();
    let again = figures(&site, [2, 1, 1, 1]);
    for view in [&offline, &again] {
        assert_eq!(view["since"].as_i64(), Some(since), "a restart begins nothing anew");
        assert_eq!(view["last"], json_last(&again));
    }
    let said = String::from_utf8_lossy(&site.command(&["status"]).stdout).into_owned();
    assert!(said.contains("함께 감지 1건, 시험만 1건, 운영만 0건"), "{said}");
    assert!(said.contains("host=other-01 S1 시험만 감지"), "{said}");
    assert!(said.contains("첫 통보 4건 예상(수신확인이 없으면 모두 6건) / 운영: 발생 1건 (진행 중 1건)"), "{said}");
    let page = site.text("/");
    assert!(page.contains("data-shadow=\"load-high-shadow\""), "{page}");
    for rule in ["load-high", "load-high-shadow"] {
        let told = site.command(&["explain", "--rule", rule, "--labels", "host=known-01"]);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.contains("운영 규칙 load-high와(과)"), "{told}");
    }

    // Another threshold is another question: the figures begin anew.
    site.edit("rules.yaml", "value: 50", "value: 40");
    let view = eventually("the comparison of the edited rule", || {
        compared(&site).filter(|view| view["since"].as_i64() > Some(since) && view["both"].as_u64() == Some(1))
    });
    assert_eq!((view["only_shadow"].as_u64(), view["last"].is_null()), (Some(0), true), "{view}");
    assert_eq!(service.end(), Some(0), "{}", site.service_log());
}

fn json_last(view: &Value) -> Value {
    view["last"].clone()
}
