//! The JSON that the command line and scripts use.

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, App, Parts, json, page};
use crate::model::Input;
use crate::time::{DAY, HOUR, MINUTE, Ms, SECOND, parse_duration};

/// How long a person's request waits for the leader.
pub(super) const ANSWER_WAIT: Ms = 10 * SECOND;
/// An ack holds so long unless it says otherwise.
pub(super) const ACK_HOLD: Ms = 4 * HOUR;
/// Rows given unless asked otherwise, and at most.
const ROWS: usize = 200;
const ROWS_MAX: usize = 5_000;
/// Longest name of who does something, and longest note, in characters.
const BY_CHARS: usize = 100;
const NOTE_CHARS: usize = 1_000;
/// Longest body of a person's request, bytes.
const ACT_BYTES: usize = 16 << 10;

/// An error as JSON: `{"error": …}`.
pub(super) fn error(status: StatusCode, text: &str) -> Response {
    let mut response = (status, Json(json!({"error": text}))).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        retry_soon(&mut response);
    }
    response
}

/// Tells the sender to come again in a second.
pub(super) fn retry_soon(response: &mut Response) {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
}

/// Nothing is here.
pub(super) async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "there is nothing at this path")
}

/// The same for whoever came by a mistyped or old address.
pub(super) async fn nowhere(headers: HeaderMap) -> Response {
    if page::wants_html(&headers) {
        return page::answered(StatusCode::NOT_FOUND, "", "그런 화면이 없습니다. 주소를 확인하십시오.");
    }
    not_found().await
}

/// Whether the service does its work: one word, no details, for whoever asks.
pub(super) async fn healthz(State(app): State<App>) -> Response {
    if app.parts().view.health().healthy {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy\n").into_response()
    }
}

/// Own metrics.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let kind = app.parts().metrics_type;
    match app.blocking(|parts| (parts.metrics)()).await {
        Ok(text) => ([(CONTENT_TYPE, kind)], text).into_response(),
        Err(why) => error(StatusCode::INTERNAL_SERVER_ERROR, &why),
    }
}

/// Runs a reading call and turns what it found into an answer.
async fn read<T: Send + 'static>(
    app: &App,
    call: impl FnOnce(&Parts) -> Result<T, String> + Send + 'static,
    show: impl FnOnce(T) -> serde_json::Value,
) -> Response {
    match app.blocking(call).await.and_then(|found| found) {
        Ok(found) => Json(show(found)).into_response(),
        Err(why) => error(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// The state of everything.
pub(super) async fn status(State(app): State<App>) -> Response {
    match app.blocking(|parts| parts.view.status()).await.and_then(|found| found) {
        Ok(status) => Json(status).into_response(),
        Err(why) => error(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// What a list may be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<usize>,
    incident: Option<String>,
    after: Option<i64>,
}

impl ListQuery {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(ROWS).min(ROWS_MAX)
    }
}

/// A query that can be read, or the answer to one that cannot.
fn query(uri: &Uri) -> Result<ListQuery, Box<Response>> {
    let parsed = Query::<ListQuery>::try_from_uri(uri).map(|Query(query)| query);
    parsed.map_err(|why| Box::new(error(StatusCode::BAD_REQUEST, &why.body_text())))
}

/// The newest incidents.
pub(super) async fn incidents(State(app): State<App>, uri: Uri) -> Response {
    let limit = match query(&uri) {
        Ok(query) => query.limit(),
        Err(answer) => return *answer,
    };
    let show = |found: Vec<_>| json!({"incidents": found.iter().map(json::incident).collect::<Vec<_>>()});
    read(&app, move |parts| parts.view.incidents(limit), show).await
}

/// The newest outbox rows.
pub(super) async fn pages(State(app): State<App>, uri: Uri) -> Response {
    let query = match query(&uri) {
        Ok(query) => query,
        Err(answer) => return *answer,
    };
    let show = |found: Vec<_>| json!({"pages": found.iter().map(json::page).collect::<Vec<_>>()});
    read(&app, move |parts| parts.view.pages(query.incident.as_deref(), query.limit()), show).await
}

/// Ledger entries in order.
pub(super) async fn ledger(State(app): State<App>, uri: Uri) -> Response {
    let query = match query(&uri) {
        Ok(query) => query,
        Err(answer) => return *answer,
    };
    let show = |found: Vec<_>| json!({"entries": found.iter().map(json::entry).collect::<Vec<_>>()});
    read(&app, move |parts| parts.view.ledger(query.after.unwrap_or(0), query.limit()), show).await
}

/// A fresh sign-in link for a browser.
pub(super) async fn sign_in_link(State(app): State<App>) -> Response {
    match app.sign_in_path() {
        Ok(path) => Json(json!({"path": path})).into_response(),
        Err(why) => error(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
    }
}

/// What a person's request carries.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ActBody {
    by: String,
    note: String,
    /// To whom an incident is handed over.
    to: String,
    /// How long an ack holds: `4h`.
    #[serde(rename = "for")]
    hold: Option<String>,
}

/// Ack, hand over, unack, resolve or reopen: from a program (JSON) or from the page (a form).
pub(super) async fn act(
    State(app): State<App>,
    Path((id, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = is_form(&headers);
    let input = match parse_act(form, &body).and_then(|body| act_input(&id, &verb, body)) {
        Ok(Some(input)) => input,
        Ok(None) => return not_found().await,
        Err(why) if form => return page::answered(StatusCode::BAD_REQUEST, &id, &why),
        Err(why) => return error(StatusCode::BAD_REQUEST, &why),
    };
    let (status, answer) = submit(&app, input).await;
    if form { page::answered(status, &id, &answer.text) } else { (status, Json(answer)).into_response() }
}

/// Hands an input to the leader and waits for its answer.
pub(super) async fn submit(app: &App, input: Input) -> (StatusCode, Answer) {
    let answer = app.blocking(move |parts| parts.act.submit(input, ANSWER_WAIT)).await.and_then(|answer| answer);
    answer.map_or_else(|text| (StatusCode::SERVICE_UNAVAILABLE, Answer { done: false, text }), settle)
}

/// The leader's answer with its status; `None`: it has not come yet.
pub(super) fn settle(answer: Option<Answer>) -> (StatusCode, Answer) {
    match answer {
        Some(answer) if answer.done => (StatusCode::OK, answer),
        Some(answer) => (StatusCode::CONFLICT, answer),
        None => {
            let text = "접수했으나 아직 처리되지 않았습니다. 잠시 뒤 상태를 확인하십시오.".to_owned();
            (StatusCode::ACCEPTED, Answer { done: false, text })
        }
    }
}

pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/x-www-form-urlencoded")
}

fn parse_act(form: bool, body: &[u8]) -> Result<ActBody, String> {
    if body.len() > ACT_BYTES {
        return Err(format!("요청이 {ACT_BYTES}바이트보다 깁니다"));
    }
    if form {
        let mut fields = form_fields(body).ok_or("입력을 읽을 수 없습니다")?;
        let mut field = |name: &str| fields.remove(name).unwrap_or_default();
        return Ok(ActBody {
            by: field("by"),
            note: field("note"),
            to: field("to"),
            hold: Some(field("for")).filter(|f| !f.is_empty()),
        });
    }
    json_body(body)
}

/// The JSON object that a person's request carries; an empty body is one without fields.
pub(super) fn json_body<T: Default + serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    if body.len() > ACT_BYTES {
        return Err(format!("요청이 {ACT_BYTES}바이트보다 깁니다"));
    }
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    // Read as an object first: a struct would take an array of its fields, too.
    let object: serde_json::Map<_, _> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    serde_json::from_value(object.into()).map_err(|error| error.to_string())
}

/// The input that `verb` means, `None` where it is no verb.
fn act_input(incident: &str, verb: &str, body: ActBody) -> Result<Option<Input>, String> {
    let by = who_and_note(&body.by, &body.note)?;
    let (incident, note) = (incident.to_owned(), body.note);
    Ok(Some(match verb {
        "ack" => Input::Ack { incident, by, note, hold: hold(body.hold.as_deref())? },
        "handover" => {
            let to = body.to.trim().to_owned();
            if to.is_empty() {
                return Err("`to`(인수자)가 없습니다. 이어받을 사람의 연락처 id를 쓰십시오".to_owned());
            }
            let hold = body.hold.as_deref().map(|text| hold(Some(text))).transpose()?;
            Input::Handover { incident, by, to, note, hold }
        }
        "unack" => Input::Unack { incident, by },
        "resolve" => Input::Resolve { incident, by, note },
        "reopen" => Input::Reopen { incident, by },
        _ => return Ok(None),
    }))
}

/// Who does something, `console` where nobody says; refuses names and notes that are too long.
pub(super) fn who_and_note(by: &str, note: &str) -> Result<String, String> {
    let by = by.trim();
    if by.chars().count() > BY_CHARS || note.chars().count() > NOTE_CHARS {
        return Err(format!("`by`(처리자)는 {BY_CHARS}자, `note`(메모)는 {NOTE_CHARS}자까지입니다"));
    }
    Ok(if by.is_empty() { "console".to_owned() } else { by.to_owned() })
}

/// How long an ack holds, from what a person wrote.
pub(super) fn hold(text: Option<&str>) -> Result<Ms, String> {
    let Some(text) = text else { return Ok(ACK_HOLD) };
    parse_duration(text)
        .filter(|hold| (MINUTE..=7 * DAY).contains(hold))
        .ok_or_else(|| format!("`for`: `{text}` 길이가 아닙니다. 1m에서 7d 사이로 4h 처럼 쓰십시오"))
}

/// The fields of a form: its body is written as a query is. `None` where it is not ASCII or not decodable.
pub(super) fn form_fields(body: &[u8]) -> Option<HashMap<String, String>> {
    let text = std::str::from_utf8(body).ok()?;
    let uri = Uri::builder().path_and_query(format!("/?{text}")).build().ok()?;
    Query::<HashMap<String, String>>::try_from_uri(&uri).ok().map(|Query(fields)| fields)
}
