//! The parts of the page, each a function of what was read. Only shows; masks what is personal.

use super::badges::{incident_state, severity};
use super::groups::{self, Children};
use super::html::Html;
use super::measure;
use super::page::ROWS;
use super::seams::{ReadingView, StatusView};
use crate::model::{
    Channel, Contact, Domain, Incident, PageRow, PageState, Reason, Silence, carrier_bytes, mask_email, mask_name,
    mask_phone,
};
use crate::time::{MINUTE, Ms, show_duration};

/// Messages shown on each phone, newest first.
const PHONE_ROWS: usize = 20;
/// Closed and resolved incidents shown below the live ones.
const ENDED_ROWS: usize = 20;
/// Longest SMS, in bytes as carriers count.
const SMS_BYTES: usize = 90;

/// What the overview shows.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) now: Ms,
    pub(super) status: StatusView,
    pub(super) incidents: Vec<Incident>,
    pub(super) children: Children,
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
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").raw(caption);
    html.raw("\"><table><caption>").raw(caption).raw("</caption><thead><tr>");
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
    let pairs: Vec<_> = it.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(", ")
}

/// Open incidents first, then the newest ended ones.
pub(super) fn incidents(html: &mut Html, shown: &Shown) {
    let live = shown.incidents.iter().filter(|it| it.state.is_live());
    let ended = shown.incidents.iter().filter(|it| !it.state.is_live()).take(ENDED_ROWS);
    let rows: Vec<_> = live.chain(ended).collect();
    section(html, "장애", |html| {
        if rows.is_empty() {
            return none(html, "장애가 없습니다.");
        }
        let heads = ["번호", "등급", "구간", "제목", "대상", "발생", "감지", "복구", "상태"];
        table(html, "진행 중인 장애와 최근에 끝난 장애", &heads, |html| {
            for it in rows {
                html.raw("<tr data-state=\"").raw(it.state.word()).raw("\"><td><a href=\"/incidents/").text(&it.id);
                html.raw("\">").text(&it.id).raw("</a>");
                groups::under(html, it, &shown.children);
                html.raw("</td><td>");
                severity(html, it.severity);
                html.raw("</td>").cell(Domain::word(it.domain)).cell(&it.title).cell(&labels(it));
                html.raw("<td>").time(Some(it.occurred)).raw("</td><td>").time(Some(it.detected));
                html.raw("</td><td>").time(it.resolved).raw("</td><td>");
                incident_state(html, it);
                html.raw("</td></tr>");
            }
        });
    });
}

pub(super) fn fact(html: &mut Html, name: &'static str, value: &str) {
    let value = if value.is_empty() { "–" } else { value };
    html.raw("<div><dt>").raw(name).raw("</dt><dd>").text(value).raw("</dd></div>");
}

pub(super) fn fact_time(html: &mut Html, name: &'static str, at: Option<Ms>) {
    html.raw("<div><dt>").raw(name).raw("</dt><dd>").time(at).raw("</dd></div>");
}

/// How a message travels: its channel and, for texts, whether it fits an SMS.
fn form(row: &PageRow) -> &'static str {
    match row.page.channel {
        Channel::Sms if row.page.title.is_empty() && carrier_bytes(&row.page.text) <= SMS_BYTES => "SMS",
        Channel::Sms => "LMS",
        Channel::Mms => "MMS",
        Channel::Mail => "메일",
    }
}

/// Each phone with what it got.
pub(super) fn phones(html: &mut Html, shown: &Shown) {
    section(html, "단말별 수신 문자", |html| {
        if shown.contacts.is_empty() {
            return none(html, "연락처가 없습니다.");
        }
        html.raw("<div class=\"phones\">");
        for contact in &shown.contacts {
            let got = |row: &&PageRow| {
                row.page.to == contact.id
                    && matches!(
                        row.state,
                        PageState::Accepted | PageState::Delivered | PageState::Handed | PageState::Unknown
                    )
            };
            let rows: Vec<_> = shown.pages.iter().filter(got).collect();
            phone(html, contact, &rows);
        }
        html.raw("</div>");
    });
}

fn phone(html: &mut Html, contact: &Contact, rows: &[&PageRow]) {
    html.raw("<article class=\"phone\" data-contact=\"").text(&contact.id).raw("\"><h3>").text(&contact.id);
    html.raw("</h3><p class=\"sub\">").text(&contact.org).raw(" · ").text(&contact.roles.join(", "));
    html.raw(" · ").text(&mask_name(&contact.name));
    let addresses = [contact.phone.as_deref().map(mask_phone), contact.email.as_deref().map(mask_email)];
    for masked in addresses.into_iter().flatten() {
        html.raw(" · ").text(&masked);
    }
    html.raw("</p>");
    if rows.is_empty() {
        none(html, "받은 문자가 없습니다.");
        html.raw("</article>");
        return;
    }
    html.raw("<ol tabindex=\"0\" aria-label=\"받은 문자\">");
    for row in rows.iter().take(PHONE_ROWS) {
        html.raw("<li><span class=\"sub\">").time(Some(row.done.or(row.handed).unwrap_or(row.page.decided)));
        html.raw(" · ").raw(form(row)).raw(" · ").num(carrier_bytes(&row.page.text) as i128).raw("바이트");
        if !matches!(row.state, PageState::Accepted | PageState::Delivered) {
            html.raw(" · ").raw(state_word(row.state));
        }
        html.raw("</span><p class=\"bubble\">");
        if !row.page.title.is_empty() {
            html.raw("<strong>").text(&row.page.title).raw("</strong>\n");
        }
        html.text(&row.page.text).raw("</p></li>");
    }
    html.raw("</ol></article>");
}

/// Every outbox row.
pub(super) fn outbox(html: &mut Html, shown: &Shown) {
    if let Some(counts) = shown.status.counts.pages.as_ref().filter(|counts| !counts.is_empty()) {
        section(html, "발송 현황", |html| {
            html.raw("<dl class=\"facts\">");
            for state in PageState::ALL {
                let count = counts.get(state.word()).copied().unwrap_or(0);
                fact(html, state_word(state), &count.to_string());
            }
            html.raw("</dl>");
        });
    }
    page_table(html, &shown.pages, shown.now);
}

/// Outbox rows in one table.
pub(super) fn page_table(html: &mut Html, pages: &[PageRow], now: Ms) {
    section(html, "발송함", |html| {
        if pages.is_empty() {
            return none(html, "보낼 문자가 없습니다.");
        }
        if pages.len() >= ROWS {
            html.raw("<p class=\"sub\">최근 ").num(ROWS as i128).raw("건만 표시합니다.</p>");
        }
        let heads =
            ["결정", "번호", "등급", "사유", "단계", "수신자", "방식", "상태", "이유", "인계", "결과", "시도", "본문"];
        table(html, "모든 발송 건과 상태", &heads, |html| {
            for row in pages {
                page_row(html, row, now);
            }
        });
    });
}

fn page_row(html: &mut Html, row: &PageRow, now: Ms) {
    let page = &row.page;
    html.raw("<tr data-state=\"").raw(row.state.word()).raw("\" data-page=\"").text(&page.id).raw("\"><td>");
    html.time(Some(page.decided)).raw("</td><td><a href=\"/incidents/").text(&page.incident).raw("\">");
    html.text(&page.incident).raw("</a></td><td>");
    severity(html, page.severity);
    html.raw("</td>").cell(reason_word(page.reason)).raw("<td>").num(page.step).raw("</td>");
    html.cell(&page.to).cell(form(row)).raw("<td>");
    let look = match row.state {
        PageState::Accepted | PageState::Delivered => "ok",
        PageState::Failed => "bad",
        PageState::Unknown => "warn",
        PageState::Handed => "info",
        PageState::Waiting | PageState::Cancelled => "",
    };
    html.badge(look, state_word(row.state)).raw("</td>").cell(&why(row, now)).raw("<td>");
    html.time_after(page.decided, row.handed)
        .raw("</td><td>")
        .time_after(page.decided, row.done)
        .raw("</td><td>")
        .num(row.tries)
        .raw("</td>")
        .cell(&page.text)
        .raw("</tr>");
}

/// Why a row is where it is.
fn why(row: &PageRow, now: Ms) -> String {
    let detail = row.detail.as_str();
    match row.state {
        PageState::Waiting if row.page.due > now && detail.is_empty() => "발송 시각 전".to_owned(),
        PageState::Waiting if detail.is_empty() => "발송 순서 대기".to_owned(),
        PageState::Waiting => format!("다시 보내기 전: {}", detail_word(detail)),
        PageState::Handed => "응답 대기".to_owned(),
        PageState::Accepted if detail.is_empty() || detail == row.page.id => "발송 접수됨".to_owned(),
        PageState::Accepted => format!("발송 접수됨 ({detail})"),
        PageState::Delivered => "단말 도달".to_owned(),
        PageState::Failed | PageState::Unknown | PageState::Cancelled => detail_word(detail).to_owned(),
    }
}

/// The words that the outbox keeps as reasons, for people; others are shown as they are.
fn detail_word(detail: &str) -> &str {
    match detail {
        "auth" => "발송 업체 인증 거부",
        "rate" => "발송량 제한",
        "recipient" => "수신 번호 문제",
        "content" => "문자 내용 거부",
        "server" => "발송 업체 장애",
        "timeout" => "연결 시간 초과",
        "expired" => "기한 지남",
        "muted" => "통보 보류",
        "acked" => "수신확인됨",
        "resolved" => "복구됨",
        "stopping" => "서비스 종료로 반납",
        other => other,
    }
}

const fn state_word(it: PageState) -> &'static str {
    match it {
        PageState::Waiting => "대기",
        PageState::Handed => "인계",
        PageState::Accepted => "접수",
        PageState::Delivered => "도달",
        PageState::Failed => "실패",
        PageState::Unknown => "불명",
        PageState::Cancelled => "취소",
    }
}

const fn reason_word(it: Reason) -> &'static str {
    match it {
        Reason::First => "최초",
        Reason::Escalated => "다음 단계 전파",
        Reason::Worsened => "등급 상향",
        Reason::Reopened => "재발",
        Reason::Flapping => "반복 발생",
        Reason::Repeat => "반복 통보",
        Reason::Sla => "SLA 임박",
        Reason::Resolved => "복구",
        Reason::Digest => "요약",
        Reason::Drill => "모의훈련",
        Reason::ContactCheck => "연락처 점검",
        Reason::GatewaySwitched => "발송 경로 전환",
        Reason::Handover => "인수인계",
    }
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
        for trouble in &it.health.troubles {
            html.raw("<p class=\"notice\" role=\"alert\">").text(trouble).raw("</p>");
        }
        if let Some(broken) = &it.rules.broken {
            html.raw("<p class=\"notice\" role=\"alert\">설정 오류(이전 설정으로 동작 중): ").text(broken).raw("</p>");
        }
        for (rule, why) in &it.rules.troubles {
            let text = format!("규칙 {rule}: 식이 결과를 내지 못해 이전 판정을 유지합니다: {why}");
            html.raw("<p class=\"notice\" role=\"alert\">").text(&text).raw("</p>");
        }
        html.raw("<dl class=\"facts\">");
        fact(html, "버전", &it.version);
        fact(html, "가동 시간", &show_duration(it.uptime_ms / 1000 * 1000));
        fact(html, "역할", &it.roles.join(", "));
        fact(html, "장애 단계 책임", &leader(it));
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
