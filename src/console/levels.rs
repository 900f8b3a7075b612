//! The part of the page about service levels: which clock runs out first for whom, and each service's month.

use std::collections::BTreeSet;

use serde_json::Value;

use super::badges::severity;
use super::html::Html;
use super::sections::{none, section, table};
use crate::model::Severity;
use crate::time::{HOUR, MINUTE, Ms, SECOND};

/// Rows shown.
const ROWS: usize = 20;

/// Clocks of open incidents, the tightest first, then months. Those that are `hanging` under another are left out: who works
/// on the other works on them.
pub(super) fn levels(html: &mut Html, sla: &Value, hanging: &BTreeSet<String>) {
    let list = |name: &str| sla.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut clocks: Vec<(Ms, Value)> = list("incidents")
        .into_iter()
        .filter(|incident| !hanging.contains(text(incident, "incident")))
        .filter_map(|incident| Some((incident.pointer("/tightest/by")?.as_i64()?, incident)))
        .collect();
    clocks.sort_by_key(|(by, _)| *by);
    let months = list("months");
    section(html, "서비스 수준(SLA)", |html| {
        if clocks.is_empty() && months.is_empty() {
            return none(html, "진행 중인 시계가 없습니다.");
        }
        if !clocks.is_empty() {
            let heads = ["번호", "등급", "가장 급한 기한", "기한", "잔여", "경고", "초과"];
            table(html, "기한이 가까운 순", &heads, |html| {
                for (by, incident) in clocks.iter().take(ROWS) {
                    let left = incident.pointer("/tightest/left_ms").and_then(Value::as_i64).unwrap_or(0);
                    html.raw("<tr><td class=\"id\"><a href=\"/incidents/").text(text(incident, "incident")).raw("\">");
                    html.text(text(incident, "incident")).raw("</a></td><td>");
                    match Severity::parse(text(incident, "severity")) {
                        Some(known) => severity(html, known),
                        None => {
                            html.raw("–");
                        }
                    }
                    html.raw("</td>")
                        .cell(word(incident.pointer("/tightest/clock").and_then(Value::as_str).unwrap_or("")));
                    html.raw("<td>").time(Some(*by)).raw("</td>").cell(&remaining(left));
                    let warned = incident.get("warned").and_then(Value::as_i64).filter(|share| *share > 0);
                    html.cell(&warned.map_or_else(|| "–".to_owned(), |share| format!("{share}%")));
                    let missed = incident.get("missed").and_then(Value::as_array).into_iter().flatten();
                    let missed: Vec<&str> = missed.filter_map(Value::as_str).map(word).collect();
                    html.cell(&if missed.is_empty() { "–".to_owned() } else { missed.join(", ") }).raw("</tr>");
                }
            });
        }
        if !months.is_empty() {
            let heads = ["서비스", "월 허용", "사용", "잔여", "소진 예상"];
            table(html, "이번 달 장애 허용시간", &heads, |html| {
                for month in months.iter().take(ROWS) {
                    let of = |name: &str| minutes(month.get(name).and_then(Value::as_i64).unwrap_or(0));
                    html.raw("<tr>").cell(text(month, "service")).cell(&of("budget_ms")).cell(&of("used_ms"));
                    html.cell(&of("left_ms"));
                    html.raw("<td>").time(month.get("empty_at").and_then(Value::as_i64)).raw("</td></tr>");
                }
            });
        }
    });
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("–")
}

/// The Korean word of a clock.
fn word(clock: &str) -> &'static str {
    match clock {
        "notify" => "통보",
        "ack" => "수신확인",
        "recover" => "복구",
        "month" => "월 허용시간",
        _ => "–",
    }
}

/// What is left of a clock, to the second: nobody reckons in hundredths of a minute.
fn remaining(left: Ms) -> String {
    match left {
        left if left < 0 => "지남".to_owned(),
        left if left < MINUTE => format!("{}초", left / SECOND),
        left if left < HOUR => format!("{}분 {}초", left / MINUTE, left % MINUTE / SECOND),
        left => format!("{}시간 {}분", left / HOUR, left % HOUR / MINUTE),
    }
}

/// A length as minutes with two digits, as budgets are written.
fn minutes(length: Ms) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a month is far below 2^53 ms")]
    let minutes = length as f64 / MINUTE as f64;
    format!("{minutes:.2}분")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_tightest_incident_comes_first_and_months_have_two_digits() {
        let incident = |id: &str, clock: &str, by: Ms| {
            json!({"incident": id, "severity": "S1", "warned": 50, "missed": ["ack"],
                "tightest": {"clock": clock, "by": by, "left_ms": by}})
        };
        let sla = json!({
            "incidents": [incident("INC-2601-001", "recover", 90 * MINUTE), incident("INC-2601-002", "month", 342_720)],
            "months": [{"service": "dispatch", "budget_ms": 2_142_720, "used_ms": 1_800_000, "left_ms": 342_720}],
        });
        let mut html = Html::default();
        levels(&mut html, &sla, &BTreeSet::new());
        let page = html.into_string();
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is not in {page}"));
        assert!(place("INC-2601-002") < place("INC-2601-001"));
        for text in ["35.71분", "30.00분", "5.71분", "월 허용시간", "수신확인", "50%", "5분 42초", "1시간 30분"]
        {
            place(text);
        }
        let mut html = Html::default();
        levels(&mut html, &sla, &BTreeSet::from(["INC-2601-002".to_owned()]));
        let page = html.into_string();
        assert!(page.contains("INC-2601-001") && !page.contains("INC-2601-002"), "its parent speaks for it: {page}");
        assert_eq!([-1, 59_999, 61_000].map(remaining), ["지남", "59초", "1분 1초"]);
    }
}
