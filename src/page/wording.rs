//! The Korean texts: what each phone shows.
//!
//! The idea: a text message is a row of whole pieces in ordered variants, long to short; the first that fits 90 bytes
//! with the widest number is taken, and none is ever cut: where none fits it becomes an LMS with all lines.
//! A text holds number, severity, 구간, times and the rule's title, nothing else; whatever the guard finds in the
//! finished text turns it into an opaque one. Sentences end in nouns, as such messages do.

use crate::model::{Channel, Domain, Ended, Incident, IncidentState, Reason, Severity, SlaClock, ack_code};
use crate::time::{Civil, DAY, HOUR, MINUTE, Ms, civil};

use super::guard::GuardSet;
use super::{ksx1001, size};

/// Longest SMS, in KS X 1001 bytes.
pub const SMS_BYTES: usize = 90;
/// Longest LMS body.
pub const LMS_BYTES: usize = 2_000;
/// Longest LMS title that every carrier shows whole.
pub const TITLE_BYTES: usize = 40;
/// Room for incident numbers: two digits more than the usual three, so that a busy month does not change a form.
const NUMBER_BYTES: usize = "INC-2611-00001".len();
/// Who is speaking.
const SYSTEM: &str = "[긴급신고]";
/// The same of a drill (모의훈련).
const DRILL: &str = "[훈련]";

/// A finished message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// LMS title or mail subject; empty for an SMS.
    pub title: String,
    /// The text.
    pub text: String,
}

/// What is to be told of one incident.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// Why.
    pub reason: Reason,
    /// 0-based step.
    pub step: i64,
    /// Which repeat.
    pub round: i64,
    /// When it is decided.
    pub now: Ms,
}

/// What is to be told of many incidents in one message.
#[derive(Debug, Clone, Copy)]
pub struct Several<'a> {
    /// The number of the one that stands for all.
    pub first: &'a str,
    /// How many.
    pub n: usize,
    /// How many of them are over.
    pub n_over: usize,
    /// The worst severity among them.
    pub severity: Severity,
    /// Whether it is the daily digest; else a storm.
    pub daily: bool,
    /// All of them are drills.
    pub is_drill: bool,
    /// When it is decided.
    pub now: Ms,
}

/// The message of one incident for one channel.
pub fn render(telling: &Telling<'_>, channel: Channel, guard: &GuardSet) -> Text {
    let title = ksx1001::normalise(telling.incident.title.trim());
    let named = compose(telling, channel, &size::titled(telling.incident, title));
    if guard.is_clean(&named.text) && guard.is_clean(&named.title) {
        return named;
    }
    // The number is ours and every other word is a constant: what is left cannot offend.
    compose(telling, channel, &size::titled(telling.incident, "이상 감지".to_owned()))
}

/// The message of several incidents for one channel.
pub fn render_several(several: &Several<'_>, channel: Channel) -> Text {
    let Several { first, n, n_over, severity, .. } = *several;
    let system = if several.is_drill { DRILL } else { SYSTEM };
    let (day, clock) = (day(several.now), clock(several.now));
    let (what, sentence) = if several.daily {
        ("일일요약", format!("{day} 장애 {n}건(복구 {n_over}건, 미복구 {}건)", n - n_over))
    } else if n_over == n {
        ("복구완료", format!("{first} 등 {n}건 복구 {clock}"))
    } else {
        ("장애다발", format!("{first} 등 {n}건 최고등급 {} {clock}", severity.word()))
    };
    let short = format!("{system}[{what}]{sentence}. 관제콘솔 확인요망");
    if channel == Channel::Sms && ksx1001::len(&short).is_ok_and(|bytes| bytes <= SMS_BYTES) {
        return Text { title: String::new(), text: short };
    }
    let title = format!("{system} {what} {n}건");
    Text {
        title,
        text: format!("{system} {what}\n■ {sentence}\n■ 기준: {day} {clock}\n상세내용은 관제콘솔에서 확인 바람"),
    }
}

/// Whether a rule's title fits a text message of every usual reason; `check` tells authors of titles that make LMS.
pub fn fits_sms(title: &str, domain: Domain) -> bool {
    let number = "0".repeat(NUMBER_BYTES);
    let widest = format!("{SYSTEM}[장애발생]{number} {}/{} 00:00 {title}", Severity::S1.word(), domain.word());
    ksx1001::len(&ksx1001::normalise(&widest)).is_ok_and(|bytes| bytes <= SMS_BYTES)
}

fn compose(telling: &Telling<'_>, channel: Channel, title: &str) -> Text {
    if channel == Channel::Sms {
        let number = telling.incident.id.len();
        let room = SMS_BYTES.saturating_sub(NUMBER_BYTES.saturating_sub(number));
        let fits = |text: &String| ksx1001::len(text).is_ok_and(|bytes| bytes <= room);
        if let Some(text) = variants(telling, title).into_iter().find(fits) {
            return Text { title: String::new(), text };
        }
    }
    let Incident { id, severity, domain, .. } = telling.incident;
    let what = what(telling);
    let title_line = if channel == Channel::Mail {
        format!(
            "{}[{what}][{}] {id} {} {}",
            system(telling),
            severity.word(),
            domain.word(),
            clock(telling.incident.detected)
        )
    } else {
        format!("{} {what} {id}", system(telling))
    };
    Text { title: title_line, text: lines(telling, channel, &what, title) }
}

/// The first word: whoever is woken by a drill must see at once that it is one, whatever the reason of the page.
fn system(telling: &Telling<'_>) -> &'static str {
    if telling.reason == Reason::Drill || telling.incident.is_drill() { DRILL } else { SYSTEM }
}

/// The label in brackets.
fn what(telling: &Telling<'_>) -> String {
    match telling.reason {
        Reason::First if size::is_storm(telling.incident) => "장애다발".to_owned(),
        Reason::Worsened if size::is_storm(telling.incident) => "장애확대".to_owned(),
        Reason::First => "장애발생".to_owned(),
        Reason::Escalated => format!("전파{}차", telling.step + 1),
        Reason::Worsened => "등급상향".to_owned(),
        Reason::Reopened => "재발생".to_owned(),
        Reason::Flapping => "반복발생".to_owned(),
        Reason::Repeat => "재통보".to_owned(),
        Reason::Sla => format!("SLA {}%", telling.incident.sla.as_ref().map_or(0, |clocks| clocks.warned)),
        Reason::Resolved if telling.incident.ended.is_some() => "감시종료".to_owned(),
        Reason::Resolved => "복구완료".to_owned(),
        Reason::Digest => "요약".to_owned(),
        Reason::Drill => "모의훈련".to_owned(),
        Reason::ContactCheck => "연락망점검".to_owned(),
        Reason::GatewaySwitched => "발송전환".to_owned(),
        Reason::Handover => "인수인계".to_owned(),
    }
}

/// The one-line forms, longest first.
fn variants(telling: &Telling<'_>, title: &str) -> Vec<String> {
    let Incident { id, severity, domain, .. } = telling.incident;
    let system = system(telling);
    let head = format!("{system}[{}]{id} {}/{}", what(telling), severity.word(), domain.word());
    let detected = moment(telling.incident.detected, telling.now);
    let waiting = untaken(telling);
    let (body, endings): (String, &[&str]) = match telling.reason {
        Reason::Sla => return risks(telling, &head, title),
        Reason::Resolved => return ends(telling, &format!("{system}[{}]{id}", what(telling)), title),
        Reason::Escalated => (format!("{waiting} {title}"), &[". 즉시 확인요망", ". 확인요망", ""]),
        Reason::Repeat => {
            let now = moment(telling.now, telling.now);
            let body = format!("{waiting} {now} {title}");
            (body, &[". 즉시 확인요망", ". 확인요망", ""])
        }
        Reason::Worsened => {
            (format!("{} {title}", moment(telling.now, telling.now)), &[". 즉시 확인요망", ". 확인요망", ""])
        }
        Reason::Flapping => {
            let n = telling.incident.reopened.len();
            (format!("1시간 {n}회 재발 {detected} {title}"), &[". 원인 확인요망", ". 확인요망", ""])
        }
        Reason::Drill => (format!("{detected} 실제 장애 아님"), &[". 확인 회신요망", ""]),
        Reason::Handover => (format!("{detected} {title}"), &[". 담당자로 지정됨", ". 담당 지정", ""]),
        _ => (format!("{detected} {title}"), &[". 확인요망", ""]),
    };
    let plain = || endings.iter().map(|ending| format!("{head} {body}{ending}"));
    // A code is worth more than a word of urgency, and never a second message.
    let coded = code(telling).map(|code| plain().map(move |text| format!("{text} {code}")));
    coded.into_iter().flatten().chain(plain()).collect()
}

/// The mark of the code that takes the incident, where it is there to be taken.
fn code(telling: &Telling<'_>) -> Option<String> {
    let asks = match telling.reason {
        Reason::First | Reason::Escalated | Reason::Worsened | Reason::Reopened => true,
        Reason::Flapping | Reason::Repeat => true,
        // Whoever has it already need not take it.
        Reason::Sla => telling.incident.state == IncidentState::Open,
        Reason::Resolved | Reason::Digest | Reason::Drill => false,
        Reason::ContactCheck | Reason::GatewaySwitched | Reason::Handover => false,
    };
    asks.then(|| ack_code::mark(telling.incident.codes_used))
}

/// The one-line forms of a warning: which clock, and what is left of it.
fn risks(telling: &Telling<'_>, head: &str, title: &str) -> Vec<String> {
    let bodies: Vec<String> = match telling.incident.sla.as_ref().and_then(|clocks| clocks.tight) {
        Some((SlaClock::Month, by)) => {
            let left = span(by - telling.now);
            vec![format!("월 장애허용 잔여 {left} {title}"), format!("월허용 잔여 {left} {title}")]
        }
        Some((_, by)) => {
            let (left, by) = (span(by - telling.now), moment(by, telling.now));
            vec![format!("복구기한 {by} 잔여 {left} {title}"), format!("{by}까지 복구 {title}")]
        }
        None => vec![title.to_owned()],
    };
    let endings = [". 조치 확인요망", ". 확인요망", ""];
    let plain = || bodies.iter().flat_map(|body| endings.map(|ending| format!("{head} {body}{ending}")));
    let coded = code(telling).map(|code| plain().map(move |text| format!("{text} {code}")));
    coded.into_iter().flatten().chain(plain()).collect()
}

/// The one-line forms of an end.
fn ends(telling: &Telling<'_>, head: &str, title: &str) -> Vec<String> {
    let incident = telling.incident;
    let over = incident.resolved.unwrap_or(telling.now);
    let at = moment(over, telling.now);
    let lasted = span(over - incident.occurred);
    match incident.ended {
        None => vec![
            format!("{head} {at} 복구(장애 {lasted}) {title}"),
            format!("{head} {at} 복구 {title}"),
            format!("{head} {at} 복구(장애 {lasted})"),
        ],
        Some(ended) => {
            let why = why_ended(ended);
            vec![format!("{head} {at} {why} {title}"), format!("{head} {at} {why}")]
        }
    }
}

const fn why_ended(ended: Ended) -> &'static str {
    match ended {
        Ended::RuleChanged => "감시기준 변경",
        Ended::NoData => "자료 없음",
        Ended::Gone => "대상 소멸",
    }
}

/// The long form, for LMS, MMS and mail.
fn lines(telling: &Telling<'_>, channel: Channel, what: &str, title: &str) -> String {
    let incident = telling.incident;
    let stamp = |at: Ms| format!("{} {}", day(at), clock(at));
    let mut text = format!("{} {what} 알림\n■ 접수번호: {}\n", system(telling), incident.id);
    text.push_str(&format!("■ 등급/구간: {} / {}\n", incident.severity.word(), incident.domain.word()));
    text.push_str(&format!("■ 발생: {}\n■ 감지: {}\n", stamp(incident.occurred), stamp(incident.detected)));
    text.push_str(&format!("■ 현상: {title}\n"));
    size::lines(incident, &mut text);
    let closing = match (telling.reason, incident.resolved) {
        (Reason::Resolved, Some(over)) => {
            text.push_str(&format!("■ 종료: {}\n", stamp(over)));
            match incident.ended {
                None => text.push_str(&format!("■ 장애시간: {}\n", span(over - incident.occurred))),
                Some(ended) => text.push_str(&format!("■ 종료사유: {}\n", why_ended(ended))),
            }
            "경과와 후속조치는 관제콘솔에서 확인 바람"
        }
        (Reason::Sla, _) => {
            if let Some((clock, by)) = incident.sla.as_ref().and_then(|clocks| clocks.tight) {
                let what = if clock == SlaClock::Month { "월 장애허용시간 소진" } else { "복구기한" };
                text.push_str(&format!("■ {what}: {} (잔여 {})\n", stamp(by), span(by - telling.now)));
            }
            "조치 경과를 관제콘솔에 기록 바람"
        }
        (Reason::Escalated | Reason::Repeat, _) => {
            text.push_str(&format!(
                "■ 미확인: {}\n■ 전파: {}\n",
                span(telling.now - incident.detected),
                stamp(telling.now)
            ));
            "즉시 관제콘솔에서 수신확인 바람"
        }
        (Reason::Handover, _) => {
            text.push_str(&format!("■ 인수: {}\n", stamp(telling.now)));
            "이 장애의 담당자로 지정됨. 경과는 관제콘솔에서 확인 바람"
        }
        _ => {
            text.push_str(&format!("■ 전파: {}\n", stamp(telling.now)));
            "관제콘솔에서 수신확인 바람"
        }
    };
    if let Some(code) = code(telling) {
        text.push_str(&format!("■ 수신확인(상황실에 알리거나 확인화면에 입력): {code}\n"));
    }
    text.push_str(closing);
    if !matches!(telling.reason, Reason::Resolved | Reason::Handover) {
        let this = if channel == Channel::Mail { "메일" } else { "문자" };
        text.push_str(&format!(". 이 {this}에는 회신할 수 없음"));
    }
    text
}

/// `09:12`, with the day before it where that is another one than `now`'s.
fn moment(at: Ms, now: Ms) -> String {
    let (there, here) = (civil(at), civil(now));
    if (there.year, there.month, there.day) == (here.year, here.month, here.day) {
        clock(at)
    } else {
        format!("{:02}.{:02} {}", there.month, there.day, clock(at))
    }
}

fn clock(at: Ms) -> String {
    let Civil { hour, minute, .. } = civil(at);
    format!("{hour:02}:{minute:02}")
}

fn day(at: Ms) -> String {
    const WEEK: [&str; 7] = ["월", "화", "수", "목", "금", "토", "일"];
    let Civil { month, day, weekday, .. } = civil(at);
    format!("{month:02}.{day:02}({})", WEEK.get(usize::from(weekday)).unwrap_or(&""))
}

/// How long nobody has taken it.
fn untaken(telling: &Telling<'_>) -> String {
    match telling.now - telling.incident.detected {
        length if length < MINUTE => "미확인".to_owned(),
        length => format!("{} 미확인", span(length)),
    }
}

/// A length of time in one unit, rounded down: `1분 미만`, `90분`, `36시간`, `12일`.
fn span(length: Ms) -> String {
    match length.max(0) {
        length if length < MINUTE => "1분 미만".to_owned(),
        length if length < 4 * HOUR => format!("{}분", length / MINUTE),
        length if length < 3 * DAY => format!("{}시간", length / HOUR),
        length => format!("{}일", length / DAY),
    }
}
