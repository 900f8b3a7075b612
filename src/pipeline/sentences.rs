//! The words of `explain`: short Korean sentences about one instance, for whoever is on call.
//!
//! The idea: what is known first (value, thresholds, state), then what is not (cause and since when), then who was told.
//! Each sentence is made from values alone; nothing is looked up here.

use crate::evaluate::{Inspection, Near, SERIES_LISTED, expression};
use crate::model::{
    Cause, Comparison, Incident, IncidentState, Level, MuteKind, Muted, PageState, Rule, Severity, State, Threshold,
    Watch, detail_of, spoken, step_of,
};
use crate::page::EmptyStep;
use crate::pipeline::explained::{Affairs, Stands};
use crate::pipeline::{company, stamped};
use crate::time::{Ms, rfc3339, show_duration};

/// Pages listed of one instance; the others are counted.
const PAGES_LISTED: usize = 20;
/// Series listed for people.
const SERIES_SHOWN: usize = 8;

/// A number as people read it: at most six significant digits.
pub(super) fn number(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    rounded.to_string()
}

/// The side of a threshold that is bad.
pub(super) fn threshold(when: Comparison, threshold: Threshold) -> String {
    match (when, threshold) {
        (Comparison::Present, _) => "식의 결과에 있음".to_owned(),
        (Comparison::Above, Threshold::One(limit)) => format!("> {}", number(limit)),
        (Comparison::AtLeast, Threshold::One(limit)) => format!("≥ {}", number(limit)),
        (Comparison::Below, Threshold::One(limit)) => format!("< {}", number(limit)),
        (Comparison::AtMost, Threshold::One(limit)) => format!("≤ {}", number(limit)),
        (_, Threshold::One(limit)) => format!("= {}", number(limit)),
        (_, Threshold::Range(low, high)) => format!("< {} 또는 > {}", number(low), number(high)),
    }
}

/// How far a value is from a threshold; of a range from its nearer end.
pub(super) fn distance(value: f64, threshold: Threshold) -> Option<f64> {
    let apart = match threshold {
        Threshold::One(limit) => (value - limit).abs(),
        Threshold::Range(low, high) => (value - low).abs().min((value - high).abs()),
    };
    apart.is_finite().then_some(apart)
}

/// What there is to say of an instance itself.
pub(super) fn instance(seen: &Inspection) -> Vec<String> {
    let rule = &seen.rule;
    let mut lines = vec![
        format!("{} ({}) {} — {} 기준", rule.id, rule.title, seen.labels, rfc3339(seen.at)),
        format!("식: {}", expression(rule)),
        value(seen),
    ];
    lines.extend(rule.levels.iter().map(|level| level_line(seen, level)));
    lines.push(state(seen));
    lines.extend(recover(seen));
    lines.extend(unknown(seen));
    if let Some(source) = &seen.source {
        let skew = source.skew.map_or_else(String::new, |skew| format!(", 시각 오차 {}", show_duration(skew)));
        lines.push(format!("수집원 {}: 마지막 기록 {}{skew}", source.host, rfc3339(source.last)));
    }
    lines.extend(series(seen));
    lines
}

fn value(seen: &Inspection) -> String {
    if matches!(seen.rule.watch, Watch::Expr { .. }) {
        return match seen.value {
            Some(value) => format!("값: {} (식의 결과)", number(value)),
            None => "값: 없음 — 식의 결과에 이 식별자가 없습니다".to_owned(),
        };
    }
    let over = show_duration(seen.rule.over);
    let samples: usize = seen.series.iter().map(|series| series.samples).sum();
    let newest = seen.newest.map_or_else(String::new, |newest| {
        format!(", 최신 표본 {} ({} 전)", rfc3339(newest), show_duration((seen.at - newest).max(0)))
    });
    match seen.value {
        Some(value) => {
            format!("값: {} (최근 {over} 동안 표본 {samples}건, 계열 {}개{newest})", number(value), seen.series_count)
        }
        None => format!(
            "값: 없음 — 최근 {over} 동안 표본 {samples}건으로, 최소 {}건이 필요합니다{newest}",
            seen.rule.min_samples
        ),
    }
}

fn level_line(seen: &Inspection, level: &Level) -> String {
    let rule = &seen.rule;
    let hold = if level.hold > 0 { format!(" {} 지속", show_duration(level.hold)) } else { String::new() };
    let head =
        format!("{} {}: {}{hold}", level.severity.code(), level.severity.word(), threshold(rule.when, level.threshold));
    if rule.when == Comparison::Present && seen.value.is_none() {
        return format!("{head} — 성립하지 않음");
    }
    let Some(value) = seen.value else { return format!("{head} — 값이 없어 판정하지 않았습니다") };
    if !rule.when.holds(value, level.threshold) {
        let apart =
            distance(value, level.threshold).map_or_else(String::new, |apart| format!(", {} 차이", number(apart)));
        return format!("{head} — 성립하지 않음{apart}");
    }
    match seen.since[level.severity.index()] {
        Some(since) if seen.at - since < level.hold => format!(
            "{head} — {}부터 성립, {} 더 지속되면 발생",
            rfc3339(since),
            show_duration(level.hold - (seen.at - since))
        ),
        Some(since) => format!("{head} — {}부터 성립", rfc3339(since)),
        None => format!("{head} — 성립, 다음 판정부터 셉니다"),
    }
}

fn state(seen: &Inspection) -> String {
    let severity = seen.severity.map_or_else(String::new, |s: Severity| format!(" {} {}", s.code(), s.word()));
    let since = seen.occurred.map_or_else(String::new, |at| format!(", 최초 성립 {}", rfc3339(at)));
    match seen.state {
        State::Inactive | State::Resolved => "상태: 정상 — 임계값을 넘은 조건이 없습니다".to_owned(),
        State::Pending => format!("상태: 대기{since} — 아직 지속 시간을 채우지 못해 통보하지 않습니다"),
        State::Firing => format!("상태: 발생{severity}{since}"),
        State::Recovering => format!("상태: 회복 확인 중{severity}{since} — 회복 조건이 지속되면 해소됩니다"),
    }
}

fn recover(seen: &Inspection) -> Option<String> {
    if !seen.state.is_active() {
        return None;
    }
    let rule = &seen.rule;
    let limit = rule.recover.threshold.or(rule.levels.last().map(|level| level.threshold))?;
    let hold =
        if rule.recover.hold > 0 { format!(" {} 지속", show_duration(rule.recover.hold)) } else { String::new() };
    let since = match seen.recovering {
        Some(since) => format!(
            "{}부터 성립, {} 남음",
            rfc3339(since),
            show_duration((rule.recover.hold - (seen.at - since)).max(0))
        ),
        None => "아직 성립하지 않음".to_owned(),
    };
    Some(format!("회복 조건: ({})가 아닌 상태{hold} — {since}", threshold(rule.when, limit)))
}

fn unknown(seen: &Inspection) -> Option<String> {
    let cause = seen.unknown?;
    let why = match cause {
        Cause::Warming => "로그에 남은 기록이 창의 시작보다 늦어 아직 판정할 수 없습니다",
        Cause::Limit => "한도에 걸려 이 계열을 받지 못했습니다",
        Cause::PipelineLag => "다른 파티션이 이 시각을 아직 지나지 않았습니다",
        Cause::TooFewSamples => "표본이 규칙이 요구하는 수보다 적습니다",
        Cause::ParseError => "수집원의 기록이 도착하지만 해석할 수 없어 버려집니다",
        Cause::SourceSilent => "수집원에서 아무 기록도 오지 않습니다",
        Cause::SeriesGone => "수집원은 기록을 보내지만 이 계열은 오지 않습니다",
    };
    let since = seen.unknown_since.map_or_else(String::new, |at| format!("{}부터 ", rfc3339(at)));
    let until = seen.warm.map_or_else(String::new, |at| format!(" ({}까지)", rfc3339(at)));
    let after = show_duration(seen.rule.no_data.after);
    Some(format!("{since}판정 불가: {why}{until}. 기준은 no_data.after {after}이며, 그동안 마지막 상태를 유지합니다"))
}

fn series(seen: &Inspection) -> Vec<String> {
    let shown = seen.series.iter().take(SERIES_SHOWN).map(|series| {
        let value = series.value.map_or_else(|| "없음".to_owned(), number);
        let last = series.last.map_or_else(String::new, |last| format!(", 마지막 표본 {}", number(last)));
        format!("  {}{}: 값 {value}, 표본 {}건{last}", series.key.name, series.key.labels, series.samples)
    });
    let mut lines: Vec<String> = shown.collect();
    let more = seen.series_count - seen.series.len().min(SERIES_SHOWN).min(SERIES_LISTED);
    if more > 0 {
        lines.push(format!("  그 밖에 계열 {more}개"));
    }
    lines
}

/// Why there is no instance at all.
pub(super) fn nothing(rule: &Rule, labels: &[(String, String)], near: &[Near], clock: Ms) -> Vec<String> {
    let wanted: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let of = if wanted.is_empty() { String::new() } else { format!(" ({})", wanted.join(", ")) };
    let mut lines = vec![
        format!("{} ({}){of} — {} 기준", rule.id, rule.title, rfc3339(clock)),
        format!("식: {}", expression(rule)),
    ];
    if near.is_empty() {
        lines.extend(match &rule.watch {
            Watch::Metric { name, .. } => Some(format!("지표 `{name}`의 계열이 하나도 들어오지 않았습니다")),
            Watch::Log { .. } => Some("조건에 맞는 로그가 들어오지 않았습니다".to_owned()),
            Watch::Ratio { of, to, .. } => {
                Some(format!("지표 `{}`, `{}`의 계열이 하나도 들어오지 않았습니다", of.name, to.name))
            }
            Watch::Expr { .. } => None,
        });
    }
    for near in near {
        let key = format!("{}{}", near.key.name, near.key.labels);
        lines.push(if near.misfits.is_empty() {
            format!("  {key}: 이 규칙이 판정하지만 찾는 식별자가 아닙니다")
        } else {
            format!("  {key}: match 조건에 맞지 않음 — {}", near.misfits.join(", "))
        });
    }
    lines
}

/// That nothing is judged: nobody was told, unless there had been an incident.
pub(super) fn never_judged(rule: &Rule, had_incidents: bool) -> String {
    let expression = matches!(rule.watch, Watch::Expr { .. });
    let text = match had_incidents {
        _ if expression => {
            "지금 식의 결과에 이 식별자가 없습니다: 조건이 성립하지 않았거나, 식의 한 부분이 비어 있습니다."
        }
        true => "이 식별자를 지금은 판정하지 않습니다. 아래 장애는 그 전의 것입니다.",
        false => "이 식별자로 판정한 적이 없습니다. 그래서 아무에게도 알리지 않았습니다.",
    };
    text.to_owned()
}

/// That an incident is a drill, who started it, and when it is over.
pub(super) fn drill(incident: &Incident) -> Vec<String> {
    let mut lines = vec![format!(
        "{} ({}) 모의훈련입니다: 실제로 판정된 장애가 아니며, 통보는 [훈련]으로 시작합니다",
        incident.rule, incident.title
    )];
    let since = rfc3339(incident.detected);
    if let Some(drill) = &incident.drill {
        let end = match incident.resolved {
            Some(_) => String::new(),
            None => format!(", {}에 스스로 끝납니다", rfc3339(drill.until)),
        };
        lines.push(format!("  {since} 시작({}){end}", spoken(&drill.by)));
        if !drill.note.is_empty() {
            lines.push(format!("  메모: {}", drill.note));
        }
    }
    lines
}

/// Who was told, or why nobody was.
pub(super) fn told(seen: Option<&Inspection>, mine: &Affairs<'_>) -> Vec<String> {
    let Some(last) = mine.incidents.last() else {
        return vec![match seen.map(|seen| seen.state) {
            Some(State::Firing | State::Recovering) => {
                "발생했으나 장애가 아직 열리지 않았습니다. 그래서 아무에게도 알리지 않았습니다.".to_owned()
            }
            _ => "장애가 열린 적이 없어 아무에게도 알리지 않았습니다.".to_owned(),
        }];
    };
    let mut lines: Vec<String> = mine.incidents.iter().map(|incident| incident_line(incident)).collect();
    lines.extend(quiet(last, mine));
    lines.extend(company::lines(last));
    lines.extend(mine.empty.iter().filter(|(id, _)| *id == last.id).map(|(_, empty)| empty_line(empty)));
    lines.extend(mine.pages.iter().take(PAGES_LISTED).flat_map(page_lines));
    let more = mine.pages.len().saturating_sub(PAGES_LISTED);
    if more > 0 {
        lines.push(format!("  그 밖에 통보 {more}건"));
    }
    lines
}

/// A step of its chain that told nobody.
fn empty_line(empty: &EmptyStep) -> String {
    let names = empty.to.join(", ");
    match empty.is_last {
        false => format!(
            "  비상연락 체계 {}의 {}({names})에 연락할 사람이 없어 바로 다음 단계로 넘어갔습니다. 연락처를 확인하십시오",
            empty.chain,
            i64::try_from(empty.step).ok().and_then(step_of).unwrap_or_default()
        ),
        true => format!(
            "  비상연락 체계 {}의 마지막 단계({names})에 연락할 사람이 없어 다른 담당자에게 알렸습니다. 연락처를 확인하십시오",
            empty.chain
        ),
    }
}

fn incident_line(incident: &Incident) -> String {
    let mut state = incident.state.korean().to_owned();
    if let Some(ack) = incident.ack.as_ref().filter(|_| incident.state == IncidentState::Acked) {
        state.push_str(&format!("({}, {}까지)", spoken(&ack.by), rfc3339(ack.until)));
    }
    let over = incident.resolved.map_or_else(String::new, |at| format!(", 복구 {}", rfc3339(at)));
    format!(
        "장애 {} {} {}: {state}, 감지 {}{over}",
        incident.id,
        incident.severity.code(),
        incident.severity.word(),
        rfc3339(incident.detected)
    )
}

/// By what an incident is muted, since and until when, by whom and why.
fn muted_line(muted: &Muted) -> String {
    let until = muted.until.map_or_else(|| "끝날 때까지".to_owned(), |until| format!("{}까지", rfc3339(until)));
    let since = rfc3339(muted.since);
    match muted.kind {
        MuteKind::Maintenance => format!(
            "  정기점검 {}({}, 담당 {})이 {since}부터 {until} 통보를 멈췄습니다",
            muted.by, muted.why, muted.who
        ),
        MuteKind::Silence => format!(
            "  알림중지 {}({}, 담당 {})이 {since}부터 {until} 통보를 멈췄습니다",
            muted.by, muted.why, muted.who
        ),
        MuteKind::Inhibition => format!("  장애 {}의 영향이므로 {since}부터 {until} 따로 알리지 않습니다", muted.by),
    }
}

/// What keeps the chain of the newest incident quiet.
fn quiet(incident: &Incident, mine: &Affairs<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(until) = incident.held_until {
        lines.push(format!("  밀린 기록을 따라잡는 중이라 {}까지 통보를 미룹니다", rfc3339(until)));
    }
    if let Some(muted) = &incident.muted {
        lines.push(muted_line(muted));
    }
    if incident.flapping {
        lines.push("  짧은 시간에 거듭 발생해 30분간 조용해질 때까지 다시 알리지 않습니다".to_owned());
    }
    if let Some(ack) = incident.ack.as_ref().filter(|_| incident.state == IncidentState::Acked) {
        lines.push(format!("  {} 수신확인({})으로 연락망을 멈췄습니다", rfc3339(ack.at), spoken(&ack.by)));
    }
    let none = incident.muted.is_none() && !mine.pages.iter().any(|it| it.page.incident == incident.id);
    if none {
        let chains = mine.people.map_or(0, |people| people.chains.len());
        lines.push(if chains == 0 {
            "  연락망이 없어 통보가 만들어지지 않았습니다".to_owned()
        } else if incident.parent.is_some() {
            "  통보 없음: 상위 장애에서 대신 알립니다".to_owned()
        } else if incident.severity == Severity::S1 {
            "  아직 통보 없음: 같은 사람에게 1분에 10건이 넘는 중대 통보는 1분 안에 한 건으로 모아 보냅니다".to_owned()
        } else {
            format!(
                "  통보 없음: {}({}) 등급은 연락망이 알리지 않거나 요약(digest)으로 미룹니다. `bongsu route`로 확인하십시오",
                incident.severity.code(),
                incident.severity.word()
            )
        });
    }
    lines
}

/// What became of a page, and its way where it has one.
fn page_lines(it: &Stands) -> Vec<String> {
    let mut lines = vec![page_line(it)];
    if it.state.is_some() {
        lines.extend(stamped::lines(&it.page, &it.sending));
    }
    lines
}

fn page_line(Stands { page, state, detail, .. }: &Stands) -> String {
    let (reason, became) = (page.reason.korean(), state.map_or("결정", PageState::korean));
    // Our own id as the provider's says nothing.
    let detail = if *detail == page.id { "" } else { detail_of(detail) };
    let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
    format!("  {} {} → {} {} : {became}{detail}", rfc3339(page.decided), reason, page.to, page.channel.word())
}
