//! The parts of the page, each a function of what was read. Only shows; masks what is personal.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::badges::{incident_state, severity};
use super::groups::{self, Children};
use super::html::Html;
use super::measure;
use super::seams::{ReadingView, StatusView};
use crate::model::{Contact, DRILL_LABEL, Domain, Incident, IncidentState, PageRow, Silence};
use crate::time::{MINUTE, Ms, show_duration};

/// Closed and resolved incidents shown below the live ones.
const ENDED_ROWS: usize = 20;

/// What the overview shows.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) now: Ms,
    pub(super) status: StatusView,
    pub(super) incidents: Vec<Incident>,
    pub(super) children: Children,
    /// Numbers of all that hang under another.
    pub(super) hanging: BTreeSet<String>,
    pub(super) pages: Vec<PageRow>,
    pub(super) contacts: Vec<Contact>,
    pub(super) silences: Vec<Silence>,
}

pub(super) fn section(html: &mut Html, title: &'static str, fill: impl FnOnce(&mut Html)) {
    html.raw("<section><h2>").raw(title).raw("</h2>");
    fill(html);
    html.raw("</section>");
}

/// A table that scrolls on its own, so that the page never does sideways.
pub(super) fn table(html: &mut Html, caption: &'static str, heads: &[&'static str], fill: impl FnOnce(&mut Html)) {
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").raw(caption).raw("\">");
    grid(html, caption, heads, fill);
}

/// A table whose rows are cards where the screen is a phone's: what matters first is whole without a swipe.
pub(super) fn cards(html: &mut Html, caption: &'static str, heads: &[&'static str], fill: impl FnOnce(&mut Html)) {
    html.raw("<div class=\"scroll cards\" tabindex=\"0\" role=\"region\" aria-label=\"").raw(caption).raw("\">");
    grid(html, caption, heads, fill);
}

fn grid(html: &mut Html, caption: &'static str, heads: &[&'static str], fill: impl FnOnce(&mut Html)) {
    html.raw("<table><caption>").raw(caption).raw("</caption><thead><tr>");
    for head in heads {
        html.raw("<th scope=\"col\">").raw(head).raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
    fill(html);
    html.raw("</tbody></table></div>");
}

pub(super) fn none(html: &mut Html, text: &'static str) {
    html.raw("<p class=\"none\">").raw(text).raw("</p>");
}

pub(super) fn labels(it: &Incident) -> String {
    let own = it.labels.iter().filter(|(name, _)| *name != DRILL_LABEL);
    let pairs: Vec<_> = own.map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(", ")
}

/// Those that are not over first, the gravest on top and of these those that nobody has and nothing mutes; then the newest
/// ended ones.
pub(super) fn incidents(html: &mut Html, shown: &Shown) {
    let mut rows: Vec<_> = shown.incidents.iter().filter(|it| it.state.is_live()).collect();
    let is_quiet = |it: &Incident| it.state == IncidentState::Acked || it.muted.is_some();
    rows.sort_by_key(|it| (it.severity, is_quiet(it), Reverse(it.detected)));
    rows.extend(shown.incidents.iter().filter(|it| !it.state.is_live()).take(ENDED_ROWS));
    section(html, "장애", |html| {
        if rows.is_empty() {
            return none(html, "장애가 없습니다.");
        }
        let heads = ["번호", "상태", "등급", "구간", "제목", "대상", "발생", "감지", "복구"];
        cards(html, "진행 중인 장애와 최근에 끝난 장애", &heads, |html| {
            rows.iter().for_each(|it| incident(html, it, &shown.children));
        });
    });
}

fn incident(html: &mut Html, it: &Incident, children: &Children) {
    html.raw("<tr data-state=\"").raw(it.state.word()).raw("\"><td class=\"id\"><a href=\"/incidents/").text(&it.id);
    html.raw("\">").text(&it.id).raw("</a>");
    if it.is_drill() {
        html.raw(" ").badge("info", "훈련");
    }
    html.raw("</td><td>");
    incident_state(html, it);
    html.raw("</td><td>");
    severity(html, it.severity);
    html.raw("</td>").cell(Domain::word(it.domain)).raw("<td class=\"wide title\">").text(&it.title);
    groups::under(html, it, children);
    html.raw("</td><td class=\"wide\">").text(&labels(it)).raw("</td>");
    for (label, at) in [("발생", Some(it.occurred)), ("감지", Some(it.detected)), ("복구", it.resolved)] {
        html.raw("<td data-label=\"").raw(label).raw("\">").time(at).raw("</td>");
    }
    html.raw("</tr>");
}

pub(super) fn fact(html: &mut Html, name: &'static str, value: &str) {
    let value = if value.is_empty() { "–" } else { value };
    html.raw("<div><dt>").raw(name).raw("</dt><dd>").text(value).raw("</dd></div>");
}

pub(super) fn fact_time(html: &mut Html, name: &'static str, at: Option<Ms>) {
    html.raw("<div><dt>").raw(name).raw("</dt><dd>").time(at).raw("</dd></div>");
}

/// Newest readings of watched hosts.
pub(super) fn readings(html: &mut Html, shown: &Shown) {
    if shown.status.readings.is_empty() {
        return;
    }
    section(html, "최근 측정값", |html| {
        table(html, "감시 대상의 최근 측정값", &["대상", "항목", "값", "시각"], |html| {
            for it in &shown.status.readings {
                html.raw("<tr>").cell(&it.host).cell(&it.name).raw("<td>");
                reading(html, it);
                html.raw("</td><td>").time(Some(it.at)).raw("</td></tr>");
            }
        });
    });
}

fn reading(html: &mut Html, it: &ReadingView) {
    if it.ratio {
        let percent = format!("{:.1}%", it.value * 100.0);
        html.raw("<meter min=\"0\" max=\"1\" value=\"").text(&format!("{:.4}", it.value.clamp(0.0, 1.0)));
        html.raw("\"></meter> ").text(&percent);
    } else {
        html.text(&measure::show(&it.name, it.value));
    }
}

/// Who was heard, those that the inventory does not know first.
pub(super) fn sources(html: &mut Html, shown: &Shown) {
    let mut rows: Vec<_> = shown.status.sources.iter().collect();
    rows.sort_by_key(|it| (it.known_to_inventory, it.host.as_str()));
    section(html, "수집 대상", |html| {
        if rows.is_empty() {
            return none(html, "아직 들어온 데이터가 없습니다.");
        }
        table(
            html,
            "데이터를 보낸 대상",
            &["대상", "자산대장", "마지막 수신", "경과", "시각 오차"],
            |html| {
                for it in rows {
                    html.raw("<tr>").cell(&it.host).raw("<td>");
                    match it.known_to_inventory {
                        true => html.badge("", "등록"),
                        false => html.badge("warn", "미등록"),
                    };
                    let age = (shown.now - it.last).max(0);
                    html.raw("</td><td>").time(Some(it.last)).raw("</td><td>");
                    html.badge(if age > 2 * MINUTE { "bad" } else { "ok" }, &show_duration(age / 1000 * 1000));
                    html.raw("</td>").cell(&it.skew_ms.map_or("–".to_owned(), show_duration)).raw("</tr>");
                }
            },
        );
    });
}

/// The service itself.
pub(super) fn service(html: &mut Html, shown: &Shown) {
    let it = &shown.status;
    section(html, "서비스 상태", |html| {
        html.raw("<dl class=\"facts\">");
        fact(html, "버전", &it.version);
        fact(html, "가동 시간", &show_duration(it.uptime_ms / 1000 * 1000));
        fact(html, "역할", &it.roles.join(", "));
        fact(html, "장애 처리 주체", &leader(it));
        fact(html, "데이터 폴더", &it.data_dir);
        fact(html, "규칙", &it.rules.count.to_string());
        let counts = &it.counts;
        let rejected: u64 = counts.rejected.values().sum();
        let numbers = [
            ("레코드", counts.records),
            ("샘플", counts.samples),
            ("로그 줄", counts.lines),
            ("거부", rejected),
            ("지각", counts.late),
            ("키 불일치", counts.misplaced),
            ("신호", counts.signals),
        ];
        for (name, number) in numbers {
            fact(html, name, &number.to_string());
        }
        for (reason, number) in &counts.rejected {
            html.raw("<div><dt>거부: ").text(reason).raw("</dt><dd>").num(*number).raw("</dd></div>");
        }
        html.raw("</dl>");
        partitions(html, it);
        warnings(html, it);
    });
}

/// Who leads, and whether it is the process that is asked.
fn leader(it: &StatusView) -> String {
    match &it.leader {
        None if it.unknown.is_some() => "알 수 없음".to_owned(),
        None => "없음".to_owned(),
        Some(leader) if leader.here => format!("{} (이 프로세스)", leader.name),
        Some(leader) => format!("{} (다른 프로세스)", leader.name),
    }
}

fn partitions(html: &mut Html, it: &StatusView) {
    if it.partitions.is_empty() {
        return;
    }
    let heads = ["토픽", "파티션", "읽은 위치", "끝 위치", "시각", "지연", "상태"];
    table(html, "로그 파티션", &heads, |html| {
        for part in &it.partitions {
            html.raw("<tr>").cell(&part.topic).raw("<td>").num(part.partition).raw("</td><td>").num(part.offset);
            html.raw("</td><td>").num(part.high).raw("</td><td>").time(Some(part.clock)).raw("</td>");
            html.cell(&show_duration(part.lag_ms)).raw("<td>");
            match part.caught_up {
                true => html.badge("ok", "최신"),
                false => html.badge("warn", "따라가는 중"),
            };
            html.raw("</td></tr>");
        }
    });
}

fn warnings(html: &mut Html, it: &StatusView) {
    for past in &it.restoring {
        let left = past.left_ms.map_or_else(|| "계산 중".to_owned(), |left| show_duration((left / 1000 + 1) * 1000));
        let over = show_duration(past.over_ms);
        let text = format!(
            "{}/{}: 기록 {} / {}건, 남은 시간 약 {left} (가장 긴 창: {} {over})",
            past.topic, past.partition, past.done, past.of, past.rule
        );
        html.raw("<p>").badge("info", "창 복원 중").raw(" ").text(&text).raw("</p>");
    }
    for warming in &it.warming {
        html.raw("<p>").badge("info", "준비 중").raw(" ").text(&warming.rule).raw(" — ").time(Some(warming.until));
        html.raw("까지</p>");
    }
    for limit in &it.limits {
        html.raw("<p>").badge("warn", "한도").raw(" ").text(&limit.name).raw(" ").num(limit.limit).raw(" — ");
        html.num(limit.hits).raw("건 제외</p>");
    }
}
