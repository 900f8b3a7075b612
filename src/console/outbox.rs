//! Messages as rows: where each stands, why, and how long its way was.
//!
//! The idea: the overview shows the newest, an incident's own page all of its own with the way of each: decided, given to
//! the provider, accepted, on the phone, and the eight stamps behind a click. A long body is folded under its title, so
//! that a list of messages stays a list.

use super::badges::severity;
use super::html::Html;
use super::page::ROWS;
use super::phones::form;
use super::sections::{Shown, cards, fact, none, section};
use crate::model::{Hop, PageRow, PageState, Stamp, Stamps, ack_code, detail_of, step_of};
use crate::time::{Ms, show_span, time_of_day};

/// Rows in the table of the overview, which loads itself again and again.
const NEWEST: usize = 50;

/// How many there are of each state, and the newest.
pub(super) fn outbox(html: &mut Html, shown: &Shown) {
    if let Some(counts) = shown.status.counts.pages.as_ref().filter(|counts| !counts.is_empty()) {
        section(html, "발송 현황", |html| {
            html.raw("<dl class=\"facts\">");
            for state in PageState::ALL {
                let count = counts.get(state.word()).copied().unwrap_or(0);
                fact(html, state.korean(), &count.to_string());
            }
            html.raw("</dl>");
        });
    }
    section(html, "발송함", |html| {
        if shown.pages.is_empty() {
            return none(html, "보낼 문자가 없습니다.");
        }
        if shown.pages.len() > NEWEST {
            html.raw("<p class=\"sub\">최근 ").num(NEWEST as i128);
            html.raw("건만 표시합니다. 장애 번호를 누르면 그 장애의 발송을 모두 볼 수 있습니다.</p>");
        }
        let heads =
            ["결정", "번호", "상태", "등급", "사유", "단계", "수신자", "방식", "이유", "발송", "결과", "시도", "본문"];
        cards(html, "최근 발송 건과 상태", &heads, |html| {
            for row in shown.pages.iter().take(NEWEST) {
                begin(html, row);
                html.raw("<td class=\"id\"><a href=\"/incidents/").text(&row.page.incident).raw("\">");
                html.text(&row.page.incident).raw("</a></td><td>");
                state(html, row.state);
                html.raw("</td><td>");
                severity(html, row.page.severity);
                html.raw("</td>");
                whom(html, row, shown.now);
                html.raw("<td data-label=\"발송\">").time_after(row.page.decided, row.handed);
                html.raw("</td><td data-label=\"결과\">").time_after(row.page.decided, row.done).raw("</td>");
                end(html, row);
            }
        });
    });
}

/// All messages of one incident, each with its way.
pub(super) fn of_incident(html: &mut Html, pages: &[PageRow], now: Ms) {
    section(html, "발송함", |html| {
        if pages.is_empty() {
            return none(html, "보낸 문자가 없습니다.");
        }
        if pages.len() >= ROWS {
            html.raw("<p class=\"sub\">최근 ").num(ROWS as i128).raw("건만 표시합니다.</p>");
        }
        let heads =
            ["결정", "상태", "사유", "단계", "수신자", "방식", "이유", "발송", "접수", "도착", "소요", "시도", "본문"];
        cards(html, "이 장애의 발송 건과 걸린 시간", &heads, |html| {
            for row in pages {
                begin(html, row);
                html.raw("<td>");
                state(html, row.state);
                html.raw("</td>");
                whom(html, row, now);
                way(html, row);
                end(html, row);
            }
        });
    });
}

fn begin(html: &mut Html, row: &PageRow) {
    html.raw("<tr data-state=\"").raw(row.state.word()).raw("\" data-page=\"").text(&row.page.id).raw("\"><td>");
    html.time(Some(row.page.decided)).raw("</td>");
}

fn state(html: &mut Html, it: PageState) {
    let look = match it {
        PageState::Accepted | PageState::Delivered => "ok",
        PageState::Failed => "bad",
        PageState::Unknown => "warn",
        PageState::Handed => "info",
        PageState::Waiting | PageState::Cancelled => "",
    };
    html.badge(look, it.korean());
}

/// Why it was decided, to whom it goes, and why it is where it is.
fn whom(html: &mut Html, row: &PageRow, now: Ms) {
    let page = &row.page;
    html.cell(page.reason.korean()).cell(&step_of(page.step).unwrap_or_else(|| "–".to_owned()));
    html.raw("<td class=\"one\">").text(&page.to).raw("</td>").cell(form(row)).cell(&why(row, now));
}

/// When the provider got it, said yes, and when it was on the phone; the whole way and each of its stamps.
fn way(html: &mut Html, row: &PageRow) {
    let stamps = Stamps::of(&row.page, &row.sending);
    for (label, stamp) in [("발송", Stamp::Submitted), ("접수", Stamp::Accepted), ("도착", Stamp::Delivered)] {
        html.raw("<td data-label=\"")
            .raw(label)
            .raw("\">")
            .time_after(row.page.decided, stamps.get(stamp))
            .raw("</td>");
    }
    html.raw("<td class=\"took\" data-label=\"소요\">");
    // What waited on purpose, as an escalation does, counts from its decision.
    let from = if row.page.prompt { Stamp::Sampled } else { Stamp::Decided };
    let to = if stamps.get(Stamp::Delivered).is_some() { Stamp::Delivered } else { Stamp::Accepted };
    let Some(took) = stamps.hop(Hop { from, to }) else {
        html.raw("–</td>");
        return;
    };
    html.raw("<details><summary>").raw(from.title()).raw("→").raw(to.title()).raw(" ").text(&show_span(took));
    html.raw("</summary><ol class=\"way\">");
    for stamp in Stamp::ALL {
        let at = stamps.get(stamp).map_or_else(|| "–".to_owned(), time_of_day);
        html.raw("<li>").raw(stamp.title()).raw(" ").text(&at).raw("</li>");
    }
    html.raw("</ol></details></td>");
}

fn end(html: &mut Html, row: &PageRow) {
    html.raw("<td data-label=\"시도\">").num(row.tries).raw("</td><td class=\"wide body\">");
    let text = ack_code::veil(&row.page.text);
    if row.page.title.is_empty() {
        html.text(&text);
    } else {
        html.raw("<details><summary>").text(&row.page.title).raw("</summary>").text(&text).raw("</details>");
    }
    html.raw("</td></tr>");
}

/// Why a row is where it is.
fn why(row: &PageRow, now: Ms) -> String {
    let detail = row.detail.as_str();
    match row.state {
        PageState::Waiting if row.page.due > now && detail.is_empty() => "발송 시각 전".to_owned(),
        PageState::Waiting if detail.is_empty() => "발송 순서 대기".to_owned(),
        PageState::Waiting => format!("다시 보내기 전: {}", detail_of(detail)),
        PageState::Handed => "응답 대기".to_owned(),
        PageState::Accepted if detail.is_empty() || detail == row.page.id => "발송 접수됨".to_owned(),
        PageState::Accepted => format!("발송 접수됨 ({detail})"),
        PageState::Delivered => "단말 도착".to_owned(),
        PageState::Failed | PageState::Unknown | PageState::Cancelled => detail_of(detail).to_owned(),
    }
}
