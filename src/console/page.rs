//! The page for people: sign-in, overview, one incident. Korean, rendered here, no script at all.
//!
//! The idea: the browser is only asked to show. The style sheet is in the page and named by its hash in the policy, so
//! that nothing else is ever run or loaded, whatever a label holds. The overview loads itself anew every 5 s and has a
//! link that stops that; pages on which something is typed never do, so nobody loses it.

use std::sync::OnceLock;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html as Body, IntoResponse, Response};
use serde::Deserialize;
use sha2::Digest;

use super::groups;
use super::html::Html;
use super::sections::{self, Shown};
use super::{App, Parts, api, concerns, detail, guard, outbox, phones, silences};
use crate::model::IncidentState;
use crate::time::SECOND;

const STYLE: &str = include_str!("style.css");
/// Outbox rows on the overview, newest first.
pub(super) const ROWS: usize = 500;
/// Incidents on the overview.
const INCIDENTS: usize = 200;
/// Incidents among which one is looked up by its number: as many as may be open at once.
const SEARCHED: usize = 10_000;

/// The content security policy of every answer: our style sheet, forms to ourselves, nothing else.
pub(super) fn policy() -> HeaderValue {
    static POLICY: OnceLock<HeaderValue> = OnceLock::new();
    let make = || {
        let hash = base64(&sha2::Sha256::digest(STYLE.as_bytes()));
        let text = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        HeaderValue::from_str(&text).expect("the policy is printable ASCII")
    };
    POLICY.get_or_init(make).clone()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0usize, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * at) & 63];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// Whether a browser asks.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"))
}

/// A whole page. `again`: what the browser loads next, and when.
pub(super) fn page(title: &str, again: Option<&'static str>, fill: impl FnOnce(&mut Html)) -> Body<String> {
    let mut html = Html::default();
    html.raw("<!DOCTYPE html>\n<html lang=\"ko\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    if let Some(again) = again {
        html.raw("<meta http-equiv=\"refresh\" content=\"").raw(again).raw("\">");
    }
    html.raw("<title>").text(title).raw("</title><style>").raw(STYLE).raw("</style></head><body>");
    html.raw("<a class=\"skip\" href=\"#main\">본문 바로가기</a>");
    fill(&mut html);
    html.raw("</body></html>\n");
    Body(html.into_string())
}

/// The form that takes the token, with a notice where something went wrong.
pub(super) fn sign_in_form(notice: Option<&'static str>) -> Body<String> {
    page("봉수 로그인", None, |html| {
        html.raw("<header><h1>봉수 관제</h1></header><main id=\"main\"><section><h2>로그인</h2>");
        if let Some(notice) = notice {
            html.raw("<p class=\"notice\" role=\"alert\">").raw(notice).raw("</p>");
        }
        html.raw("<form method=\"post\" action=\"/sign-in\"><label>접속 토큰");
        html.raw("<input type=\"password\" name=\"token\" required autocomplete=\"off\" autofocus></label>");
        html.raw(
            "<p class=\"sub\">데이터 폴더의 토큰 파일 내용을 붙여 넣거나, 시작할 때 표시된 로그인 주소를 여십시오. ",
        );
        html.raw("로그인 주소는 15분 동안 한 번만 쓸 수 있습니다.</p>");
        html.raw("<button class=\"primary\">로그인</button></form></section></main>");
    })
}

#[derive(Debug, Deserialize)]
struct CodeQuery {
    #[serde(default)]
    code: String,
}

/// `GET /sign-in?code=…`: uses up the code and starts a session.
pub(super) async fn sign_in_by_code(State(app): State<App>, headers: HeaderMap, uri: Uri) -> Response {
    let code = Query::<CodeQuery>::try_from_uri(&uri).map(|Query(query)| query.code).unwrap_or_default();
    if app.0.sessions.use_code(&code, app.now()) {
        // Not a redirect: a browser that came from another page would not send the strict cookie along.
        let moved = page("봉수", Some("0;url=/"), |html| {
            html.raw("<main id=\"main\"><p><a href=\"/\">관제 화면으로 이동</a></p></main>");
        });
        return with_session(&app, moved.into_response());
    }
    if guard::session(&headers).is_some_and(|session| app.0.sessions.knows(session, app.now())) {
        return to_overview();
    }
    let notice = (!code.is_empty()).then_some("로그인 주소를 이미 썼거나 유효 시간이 지났습니다.");
    let status = if code.is_empty() { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
    (status, sign_in_form(notice)).into_response()
}

/// `POST /sign-in`: takes the token.
pub(super) async fn sign_in_by_token(State(app): State<App>, body: Bytes) -> Response {
    let token = api::form_fields(&body).and_then(|mut fields| fields.remove("token")).unwrap_or_default();
    if !app.parts().token.is(token.trim()) {
        return (StatusCode::UNAUTHORIZED, sign_in_form(Some("토큰이 맞지 않습니다."))).into_response();
    }
    with_session(&app, to_overview())
}

/// `POST /sign-out`.
pub(super) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(session) = guard::session(&headers) {
        app.0.sessions.end(session);
    }
    to_overview()
}

fn to_overview() -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response()
}

fn with_session(app: &App, mut response: Response) -> Response {
    let started = app.0.sessions.start(app.now()).and_then(|(session, life)| {
        let (name, value, seconds) = (guard::COOKIE_NAME, session.reveal(), life / SECOND);
        let cookie = format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}");
        HeaderValue::from_str(&cookie).map_err(std::io::Error::other)
    });
    match started {
        Ok(cookie) => {
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
        Err(error) => api::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

#[derive(Debug, Deserialize)]
struct OverviewQuery {
    #[serde(default)]
    refresh: String,
}

/// Everything that the overview shows, read in one go.
fn read(parts: &Parts, now: crate::time::Ms) -> Result<Shown, String> {
    let view = &parts.view;
    let status = view.status()?;
    let mut all = view.incidents(INCIDENTS)?;
    let live = all.iter().filter(|it| it.state.is_live()).count();
    let missing = status.counts.incidents_open.is_some_and(|open| open > live as u64);
    if missing || all.iter().any(|it| it.state.is_live() && it.parent.is_some()) {
        // What is still open may be older than many that are over, and the newest may all hang under one that is not
        // among them.
        all = view.incidents(SEARCHED)?;
    }
    let (incidents, children, hanging) = groups::split(all, INCIDENTS);
    Ok(Shown {
        now,
        status,
        incidents,
        children,
        hanging,
        pages: view.pages(None, ROWS)?,
        contacts: view.contacts(),
        silences: view.silences()?,
    })
}

/// `GET /`.
pub(super) async fn overview(State(app): State<App>, uri: Uri) -> Response {
    let query = Query::<OverviewQuery>::try_from_uri(&uri);
    let still = query.is_ok_and(|Query(query)| query.refresh == "off");
    let now = app.now();
    let shown = match app.blocking(move |parts| read(parts, now)).await.and_then(|shown| shown) {
        Ok(shown) => shown,
        Err(why) => return trouble(&why),
    };
    let again = if still { None } else { Some("5") };
    let open = shown.incidents.iter().filter(|it| it.state == IncidentState::Open && it.muted.is_none()).count();
    let title = if open > 0 { format!("({open}) 봉수 관제") } else { "봉수 관제".to_owned() };
    page(&title, again, |html| {
        header(html, &shown, still);
        html.raw("<main id=\"main\">");
        concerns::concerns(html, &shown);
        sections::incidents(html, &shown);
        super::levels::levels(html, &shown.status.sla, &shown.hanging);
        silences::silences(html, &shown);
        phones::phones(html, &shown);
        outbox::outbox(html, &shown);
        sections::readings(html, &shown);
        sections::sources(html, &shown);
        super::shadows::shadows(html, &shown);
        sections::service(html, &shown);
        html.raw("</main>");
    })
    .into_response()
}

fn header(html: &mut Html, shown: &Shown, still: bool) {
    html.raw("<header><h1>봉수 관제</h1>");
    match shown.status.health.healthy {
        true => html.badge("ok", "정상"),
        false => html.badge("bad", "이상"),
    };
    html.raw("<span class=\"sub\">기준 ").time(Some(shown.now));
    if still {
        html.raw(" · 자동 갱신 멈춤 · <a href=\"/\">다시 시작</a></span>");
    } else {
        html.raw(" · 5초마다 갱신 · <a href=\"/?refresh=off\">멈춤</a></span>");
    }
    html.raw("<form method=\"post\" action=\"/sign-out\"><button>로그아웃</button></form></header>");
}

/// `GET /incidents/{id}`: one incident, its pages, and what can be done.
pub(super) async fn incident(State(app): State<App>, Path(id): Path<String>) -> Response {
    let (wanted, now) = (id.clone(), app.now());
    let read = move |parts: &Parts| {
        let view = &parts.view;
        let all = view.incidents(SEARCHED)?;
        let found = all.iter().find(|incident| incident.id == wanted).cloned();
        let (_, children, _) = groups::split(all, 0);
        let empty = view.status()?.empty_steps.unwrap_or_default();
        let empty = empty.iter().filter(|it| it.incidents.contains(&wanted)).map(concerns::empty_step).collect();
        let around = detail::Around { children, empty, contacts: view.contacts() };
        Ok::<_, String>((found.map(|it| (it, around)), view.pages(Some(&wanted), ROWS)?))
    };
    match app.blocking(read).await.and_then(|found| found) {
        Ok((Some((found, around)), pages)) => page(&format!("{id} {}", found.title), None, |html| {
            html.raw("<header><h1>").text(&id).raw("</h1><a href=\"/\">전체 화면</a></header><main id=\"main\">");
            detail::incident_detail(html, &found, &around);
            outbox::of_incident(html, &pages, now);
            html.raw("</main>");
        })
        .into_response(),
        Ok((None, _)) => answered(StatusCode::NOT_FOUND, "", "그런 번호의 장애가 없습니다."),
        Err(why) => trouble(&why),
    }
}

/// The answer to a form, with the way back.
pub(super) fn answered(status: StatusCode, incident: &str, text: &str) -> Response {
    let body = page("봉수", None, |html| {
        html.raw("<header><h1>봉수 관제</h1></header><main id=\"main\"><section><h2>");
        html.raw(match status {
            StatusCode::OK => "처리했습니다",
            StatusCode::ACCEPTED => "접수했습니다",
            _ => "처리하지 못했습니다",
        });
        html.raw("</h2><p role=\"status\">").text(text).raw("</p>");
        if !incident.is_empty() {
            html.raw("<p><a href=\"/incidents/").text(incident).raw("\">장애 상세</a></p>");
        }
        html.raw("<p><a href=\"/\">전체 화면</a></p></section></main>");
    });
    (status, body).into_response()
}

fn trouble(why: &str) -> Response {
    let body = page("봉수 관제", Some("5"), |html| {
        html.raw("<header><h1>봉수 관제</h1></header><main id=\"main\"><section><h2>지금은 볼 수 없습니다</h2>");
        html.raw("<p class=\"notice\" role=\"alert\">").text(why).raw("</p></section></main>");
    });
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standard_one() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
