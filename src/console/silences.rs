//! Silences at the door and on the page: asked for, previewed, ended, approved, listed.
//!
//! The idea: the door reads what somebody wrote and looks up what it would have hidden; whether the silence may be is
//! the leader's to say, and its sentence is the answer. A program sends JSON, the page a form.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::html::Html;
use super::sections::{Shown, cards, none, section};
use super::{App, api, json, page, people};
use crate::model::wire::silence_to_json;
use crate::model::{Contact, Input, Matcher, Silence, SilenceAsk, SilenceState, spoken};
use crate::time::{KST, Ms, parse_duration, parse_instant, show_duration};

/// What is said of each.
const HEADS: [&str; 8] = ["번호", "상태", "남은 시간", "대상", "담당", "사유", "시작", "종료"];
/// Silences that are over, shown on the page.
const ENDED_ROWS: usize = 5;

/// What a request about silences carries.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Body {
    /// `label=value`, `!=`, `=~` or `!~`; all must fit.
    matchers: Vec<String>,
    /// How long: `1h`.
    #[serde(rename = "for")]
    length: Option<String>,
    /// Begin; left out: at once.
    from: Option<String>,
    /// End, instead of a length.
    until: Option<String>,
    by: String,
    reason: String,
    approve_by: Option<String>,
    replaces: Option<String>,
}

fn parse(form: bool, body: &[u8]) -> Result<Body, String> {
    if !form {
        return api::json_body(body);
    }
    let mut fields = api::form_fields(body).ok_or("입력을 읽을 수 없습니다")?;
    let mut field = |name: &str| fields.remove(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(Body {
        matchers: field("matchers").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        length: field("for"),
        from: field("from"),
        until: field("until"),
        by: field("by").unwrap_or_default(),
        reason: field("reason").unwrap_or_default(),
        approve_by: field("approve_by"),
        replaces: field("replaces"),
    })
}

impl Body {
    /// Every matcher, or what is wrong with each that is none.
    fn matchers(&self) -> Result<Vec<Matcher>, String> {
        let mut wrong = Vec::new();
        let read = |text: &String| {
            let found = Matcher::parse(text);
            if found.is_none() {
                wrong.push(format!(
                    "`{text}` 대상 조건이 아닙니다. label=값, label!=값, label=~정규식, label!~정규식 으로 쓰십시오"
                ));
            }
            found
        };
        let found = self.matchers.iter().filter_map(read).collect();
        if wrong.is_empty() { Ok(found) } else { Err(wrong.join("; ")) }
    }

    /// Its begin, where one is written, and its end.
    fn span(&self, now: Ms) -> Result<(Option<Ms>, Ms), String> {
        let instant = |name: &str, text: &String| {
            parse_instant(text, KST)
                .ok_or_else(|| format!("`{name}`: `{text}` 시각이 아닙니다. 2026-12-06T02:00 처럼 쓰십시오"))
        };
        let from = self.from.as_ref().map(|text| instant("from", text)).transpose();
        let begins = from.as_ref().ok().copied().flatten().unwrap_or(now);
        let until = match (&self.until, &self.length) {
            (Some(_), Some(_)) => Err("`for`(길이)와 `until`(종료) 가운데 하나만 쓰십시오".to_owned()),
            (None, None) => Err("종료가 없습니다. `for`(길이, 예: 2h)나 `until`(종료 시각)을 쓰십시오".to_owned()),
            (Some(text), None) => instant("until", text),
            (None, Some(text)) => match parse_duration(text) {
                Some(length) => Ok(begins + length),
                None => Err(format!("`for`: `{text}` 길이가 아닙니다. 30m, 2h 처럼 쓰십시오")),
            },
        };
        both(from, until)
    }

    /// What is asked for, without what it would have hidden; or everything that is wrong with it.
    fn ask(&self, now: Ms) -> Result<SilenceAsk, String> {
        let who = api::who_and_note(&self.by, &self.reason);
        let ((matchers, (from, until)), ()) = both(both(self.matchers(), self.span(now)), who.map(drop))?;
        Ok(SilenceAsk {
            matchers,
            from,
            until,
            by: self.by.trim().to_owned(),
            reason: self.reason.trim().to_owned(),
            approver: self.approve_by.clone(),
            replaces: self.replaces.clone(),
            hides: Default::default(),
        })
    }
}

/// Two findings, or what is wrong with each.
fn both<A, B>(a: Result<A, String>, b: Result<B, String>) -> Result<(A, B), String> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(format!("{a}; {b}")),
        (Err(why), Ok(_)) | (Ok(_), Err(why)) => Err(why),
    }
}

/// `GET /v1/silences`: those that are kept, the newest first.
pub(super) async fn list(State(app): State<App>) -> Response {
    let now = app.now();
    match app.blocking(|parts| parts.view.silences()).await.and_then(|found| found) {
        Ok(found) => {
            Json(json!({"silences": found.iter().map(|it| shown(it, now)).collect::<Vec<_>>()})).into_response()
        }
        Err(why) => api::error(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// A silence with where it stands.
fn shown(silence: &Silence, now: Ms) -> serde_json::Value {
    let mut value = silence_to_json(silence);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("state".to_owned(), silence.state(now).word().into());
        fields.insert("left_ms".to_owned(), (silence.until - now).max(0).into());
    }
    value
}

/// `POST /v1/silences/preview`: what matchers would have hidden.
pub(super) async fn preview(State(app): State<App>, body: Bytes) -> Response {
    let matchers = match parse(false, &body).and_then(|body| body.matchers()) {
        Ok(matchers) if matchers.is_empty() => {
            return api::error(StatusCode::BAD_REQUEST, "`matchers`(대상)가 없습니다. host=db-01 처럼 쓰십시오");
        }
        Ok(matchers) => matchers,
        Err(why) => return api::error(StatusCode::BAD_REQUEST, &why),
    };
    match app.blocking(move |parts| parts.view.preview(&matchers)).await.and_then(|found| found) {
        Ok(found) => Json(json!({
            "incidents": found.hides.incidents,
            "s1": found.hides.s1,
            "pages": found.hides.pages,
            "of": found.hides.of,
            "over_ms": found.hides.over,
            "broad": found.broad,
            "cut": found.cut,
            "examples": found.incidents.iter().map(json::incident).collect::<Vec<_>>(),
        }))
        .into_response(),
        Err(why) => api::error(StatusCode::BAD_REQUEST, &why),
    }
}

/// `POST /v1/silences`: asks for one.
pub(super) async fn add(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let form = api::is_form(&headers);
    let now = app.now();
    let asked = match parse(form, &body).and_then(|body| body.ask(now)) {
        Ok(ask) => {
            let looked = app.blocking(move |parts| {
                let hides =
                    if ask.matchers.is_empty() { Default::default() } else { parts.view.preview(&ask.matchers)?.hides };
                Ok(SilenceAsk { hides, ..ask })
            });
            looked.await.and_then(|asked: Result<SilenceAsk, String>| asked)
        }
        Err(why) => Err(why),
    };
    match asked {
        Ok(ask) => answered(&app, form, Input::Silence(Box::new(ask))).await,
        Err(why) => refused(form, &why),
    }
}

/// `POST /v1/silences/{id}/{expire|approve}`.
pub(super) async fn act(
    State(app): State<App>,
    Path((id, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = api::is_form(&headers);
    let by = match parse(form, &body).and_then(|body| api::who_and_note(&body.by, "")) {
        Ok(by) => by,
        Err(why) => return refused(form, &why),
    };
    match verb.as_str() {
        "expire" => answered(&app, form, Input::Expire { silence: id, by }).await,
        "approve" => answered(&app, form, Input::Approve { silence: id, by }).await,
        _ => api::not_found().await,
    }
}

fn refused(form: bool, why: &str) -> Response {
    if form { page::answered(StatusCode::BAD_REQUEST, "", why) } else { api::error(StatusCode::BAD_REQUEST, why) }
}

async fn answered(app: &App, form: bool, input: Input) -> Response {
    let (status, answer) = api::submit(app, input).await;
    if form { page::answered(status, "", &answer.text) } else { (status, Json(answer)).into_response() }
}

/// The section of the overview: silences in force, those that wait, and the last that ended.
pub(super) fn silences(html: &mut Html, shown: &Shown) {
    let now = shown.now;
    let is_over = |it: &&Silence| it.state(now) == SilenceState::Expired;
    let living = shown.silences.iter().filter(|it| !is_over(it));
    let ended = shown.silences.iter().filter(is_over).take(ENDED_ROWS);
    let rows: Vec<_> = living.chain(ended).collect();
    section(html, "알림중지", |html| {
        if rows.is_empty() {
            none(html, "알림중지가 없습니다.");
        } else {
            cards(html, "알림중지와 남은 시간", &HEADS, |html| {
                rows.iter().for_each(|it| row(html, it, None, now));
            });
        }
        // Forms stand on a page of their own: this one loads itself again under whoever types.
        html.raw("<p><a href=\"/silences\">알림중지 걸기 · 승인 · 해제</a></p>");
    });
}

/// What a link to the page of silences carries.
#[derive(Debug, Default, Deserialize)]
struct PageQuery {
    /// What the form is filled with.
    #[serde(default)]
    matchers: String,
}

/// `GET /silences`: every silence that is not over with what can be done to it, and the form for a new one.
pub(super) async fn form_page(State(app): State<App>, uri: Uri) -> Response {
    let now = app.now();
    let matchers = Query::<PageQuery>::try_from_uri(&uri).map(|Query(query)| query.matchers).unwrap_or_default();
    let read = |parts: &super::Parts| Ok::<_, String>((parts.view.silences()?, parts.view.contacts()));
    let (all, contacts) = match app.blocking(read).await.and_then(|found| found) {
        Ok(found) => found,
        Err(why) => return page::answered(StatusCode::SERVICE_UNAVAILABLE, "", &why),
    };
    page::page("알림중지", None, |html| {
        html.raw("<header><h1>알림중지</h1><a href=\"/\">전체 화면</a></header><main id=\"main\">");
        section(html, "새 알림중지", |html| form(html, &contacts, &matchers));
        let living: Vec<&Silence> = all.iter().filter(|it| it.state(now) != SilenceState::Expired).collect();
        section(html, "진행 중인 알림중지", |html| {
            if living.is_empty() {
                return none(html, "알림중지가 없습니다.");
            }
            let heads: Vec<&'static str> = HEADS.into_iter().chain(["조치"]).collect();
            cards(html, "알림중지와 조치", &heads, |html| {
                living.iter().for_each(|it| row(html, it, Some(&contacts), now));
            });
        });
        html.raw("</main>");
    })
    .into_response()
}

fn row(html: &mut Html, it: &Silence, contacts: Option<&[Contact]>, now: Ms) {
    let state = it.state(now);
    html.raw("<tr data-silence=\"").raw(state.word()).raw("\"><td class=\"id\">").text(&it.id).raw("</td><td>");
    match state {
        SilenceState::Active => html.badge("warn", "적용 중"),
        SilenceState::Waiting => html.badge("info", "승인 대기"),
        SilenceState::Pending => html.badge("info", "예정"),
        SilenceState::Expired => html.badge("", "종료"),
    };
    let left =
        if state == SilenceState::Expired { "–".to_owned() } else { show_duration((it.until - now) / 1_000 * 1_000) };
    html.raw("</td><td data-label=\"남은 시간\">").text(&left).raw("</td>");
    let matchers: Vec<String> = it.matchers.iter().map(ToString::to_string).collect();
    html.raw("<td class=\"wide title\">").text(&matchers.join(" ")).raw("</td>");
    for (label, text) in [("담당", spoken(&it.by)), ("사유", &it.reason)] {
        html.raw("<td data-label=\"").raw(label).raw("\">").text(text).raw("</td>");
    }
    for (label, at) in [("시작", it.from), ("종료", it.until)] {
        html.raw("<td data-label=\"").raw(label).raw("\">").time(Some(at)).raw("</td>");
    }
    if let Some(contacts) = contacts {
        html.raw("<td class=\"wide\">");
        buttons(html, it, contacts, state);
        html.raw("</td>");
    }
    html.raw("</tr>");
}

fn buttons(html: &mut Html, it: &Silence, contacts: &[Contact], state: SilenceState) {
    match state {
        SilenceState::Expired => {}
        SilenceState::Waiting => {
            button(html, it, contacts, "approve", "승인");
            button(html, it, contacts, "expire", "취소");
        }
        SilenceState::Active | SilenceState::Pending => button(html, it, contacts, "expire", "해제"),
    }
}

fn button(html: &mut Html, it: &Silence, contacts: &[Contact], verb: &'static str, word: &'static str) {
    html.raw("<form class=\"row\" method=\"post\" action=\"/v1/silences/").text(&it.id).raw("/").raw(verb).raw("\">");
    people::who(html, contacts);
    html.raw("<button>").raw(word).raw("</button></form>");
}

fn form(html: &mut Html, contacts: &[Contact], matchers: &str) {
    html.raw("<div class=\"acts\"><form method=\"post\" action=\"/v1/silences\">");
    html.raw("<label>대상 (예: host=db-01 severity=S3)<input name=\"matchers\" required autocomplete=\"off\" value=\"");
    html.text(matchers).raw("\"></label><label>기간 (예: 30m, 2h)<input name=\"for\" value=\"1h\" required></label>");
    html.raw("<label>사유<input name=\"reason\" required></label>");
    people::who(html, contacts);
    html.raw("<label>승인자 (필요한 경우)<select name=\"approve_by\"><option value=\"\">지정 안 함</option>");
    people::options(html, contacts);
    html.raw("</select></label><p class=\"sub\">중대 장애나 많은 장애를 가리는 알림중지는 다른 담당자가 승인해야 적용됩니다.</p>");
    html.raw("<button class=\"primary\">알림중지</button></form></div>");
}
