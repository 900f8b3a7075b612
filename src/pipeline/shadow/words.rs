//! A comparison in Korean sentences, for `status`, the page and `explain`.

use serde_json::Value;

use crate::console::{ShadowSide, ShadowView};
use crate::time::{MINUTE, Ms, rfc3339, show_duration};

/// What is to be said of `view` at `now`.
pub(super) fn lines(view: &ShadowView, now: Ms) -> Vec<String> {
    let for_so_long = length(now - view.since);
    let from = rfc3339(view.since / 1000 * 1000);
    let own = side("시험", &view.shadow);
    let Some((beside, live)) = view.beside.as_ref().zip(view.live.as_ref()) else {
        let head = format!("시험운영(shadow) 규칙 {}: {from}부터 {for_so_long}, 비교할 운영 규칙 없음", view.rule);
        let help = "  비교하려면 규칙에 beside: 운영규칙ID를 적으십시오.".to_owned();
        return vec![head, format!("  {own}"), help];
    };
    let mut lines = vec![
        format!("시험운영(shadow) 규칙 {}: 운영 규칙 {beside}와(과) {from}부터 {for_so_long} 비교", view.rule),
        format!("  {own} / {}", side("운영", live)),
        format!("  함께 감지 {}건, 시험만 {}건, 운영만 {}건", view.both, view.only_shadow, view.only_live),
    ];
    lines.push(match &view.last {
        None => "  차이 없음".to_owned(),
        Some(last) => {
            let labels: Vec<String> = last.labels.as_object().into_iter().flatten().map(label).collect();
            let who = if last.in_shadow { "시험만" } else { "운영만" };
            let until = last.to.map_or_else(|| "계속 중".to_owned(), |to| format!("{} 지속", length(to - last.from)));
            let (at, labels) = (rfc3339(last.from / 1000 * 1000), labels.join(", "));
            format!("  마지막 차이: {at} {labels} {} {who} 감지({until})", last.severity)
        }
    });
    lines
}

fn side(name: &str, side: &ShadowSide) -> String {
    let open = if side.open > 0 { format!(" (진행 중 {}건)", side.open) } else { String::new() };
    let told = format!("첫 통보 {}건 예상(수신확인이 없으면 모두 {}건)", side.pages, side.pages_unacked);
    format!("{name}: 발생 {}건{open}, 지속 {}, {told}", side.episodes, length(side.firing_ms))
}

/// A length to the minute, shorter ones to the second.
fn length(length: Ms) -> String {
    let grain = if length >= MINUTE { MINUTE } else { 1000 };
    show_duration(length.max(0) / grain * grain)
}

fn label((name, value): (&String, &Value)) -> String {
    format!("{name}={}", value.as_str().unwrap_or_default())
}
