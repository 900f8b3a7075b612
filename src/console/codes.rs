//! Taking an incident by the one-time code of its pages: from a program, and on a page for phones.
//!
//! The idea: whoever has a code may take the incident it is of, and nothing else, so the phone page asks for no token. A
//! code shows one incident and whom it was told; who of them is speaking is asked, with names masked. Wrong codes are
//! counted over everybody, because behind a proxy all phones look alike, and beyond a few nobody is heard for a while: a
//! million codes and thirty tries an hour leave no hope of guessing one.
//!
//! Not here: how a code is made (`model::ack_code`), what an ack does (`incident`).

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::html::Html;
use super::{Answer, App, Parts, api, page};
use crate::model::ack_code::CODE_DIGITS;
use crate::model::{Incident, IncidentState, Input, Reason, mask_name, spoken};
use crate::time::{HOUR, MINUTE, Ms};

/// Wrong codes that are heard in a minute and in an hour.
const A_MINUTE: usize = 5;
const AN_HOUR: usize = 30;
/// Incidents among which a code is looked up: as many as may be open at once, and those that ended lately.
const SEARCHED: usize = 20_000;
/// Rows of an incident's pages that are looked at.
const PAGES: usize = 5_000;

/// Wrong codes of late.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    wrong: Mutex<VecDeque<Ms>>,
    /// One code is looked up at a time: of many that come in one breath each would find that none was wrong yet.
    turn: tokio::sync::Mutex<()>,
}

impl Guesses {
    /// Whether another code is heard at `now`.
    fn may_try(&self, now: Ms) -> bool {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not shut the door for ever.
        wrong.retain(|at| (0..HOUR).contains(&(now - at)));
        wrong.len() < AN_HOUR && wrong.iter().filter(|at| now - **at < MINUTE).count() < A_MINUTE
    }

    fn note_wrong(&self, now: Ms) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push_back(now);
    }
}

/// What a code is of.
enum Found {
    One(Box<Incident>),
    /// The last one used of an incident that somebody has: everybody who was told got the same.
    Taken(Box<Incident>),
    /// By chance two incidents have it now.
    Several,
    Nothing,
}

/// Looks a code up among the incidents that are there to be taken; `named` narrows it to one.
fn look_up(parts: &Parts, code: &str, named: Option<&str>) -> Result<Found, String> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if digits.len() != CODE_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Found::Nothing);
    }
    let mut all = parts.view.incidents(SEARCHED)?;
    all.retain(|incident| incident.state.is_live() && named.is_none_or(|id| incident.id == id));
    let mut found = all.iter().filter(|incident| parts.codes.code(incident) == digits);
    Ok(match (found.next(), found.next()) {
        (Some(one), None) => Found::One(Box::new(one.clone())),
        (Some(_), Some(_)) => Found::Several,
        (None, _) => {
            let taken = all.into_iter().find(|it| {
                let before = Incident { codes_used: it.codes_used - 1, ..it.clone() };
                it.state == IncidentState::Acked && it.codes_used > 0 && parts.codes.code(&before) == digits
            });
            taken.map_or(Found::Nothing, |it| Found::Taken(Box::new(it)))
        }
    })
}

/// That somebody has it, for whoever holds the code that took it.
fn taken(incident: &Incident) -> String {
    let who = incident.ack.as_ref().map_or("다른 사람", |ack| spoken(&ack.by));
    format!("{} 이미 수신확인되었습니다(담당 {who}).", incident.id)
}

fn input(incident: &Incident, by: &str, note: &str, hold: Ms) -> Input {
    let Incident { id, occurrence, codes_used, .. } = incident;
    let (by, note) = (by.to_owned(), note.to_owned());
    Input::AckCode { incident: id.clone(), occurrence: *occurrence, used: *codes_used, by, note, hold }
}

/// What `POST /v1/ack-code` carries.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CodeBody {
    code: String,
    /// Narrows the code to one incident.
    incident: Option<String>,
    by: String,
    note: String,
    #[serde(rename = "for")]
    hold: Option<String>,
}

/// `POST /v1/ack-code`: for the duty desk, which has the token and hears the code.
pub(super) async fn ack_code(State(app): State<App>, body: Bytes) -> Response {
    let asked = serde_json::from_slice::<serde_json::Map<_, _>>(&body)
        .and_then(|object| serde_json::from_value::<CodeBody>(object.into()))
        .map_err(|error| error.to_string());
    let terms = asked
        .and_then(|asked| Ok((api::who_and_note(&asked.by, &asked.note)?, api::hold(asked.hold.as_deref())?, asked)));
    let (by, hold, asked) = match terms {
        Ok((by, hold, asked)) => (by, hold, asked),
        Err(why) => return api::error(StatusCode::BAD_REQUEST, &why),
    };
    let done = app.blocking(move |parts| {
        Ok(match look_up(parts, &asked.code, asked.incident.as_deref())? {
            Found::One(incident) => {
                Ok((incident.id.clone(), parts.act.submit(input(&incident, &by, &asked.note, hold), api::ANSWER_WAIT)?))
            }
            Found::Taken(incident) => Err(taken(&incident)),
            Found::Several => Err("지금 이 코드의 장애가 둘 이상입니다. 장애 번호도 함께 쓰십시오".to_owned()),
            Found::Nothing => {
                Err("맞는 코드가 없습니다. 코드는 숫자 6자리이며, 잘못 입력했거나 이미 썼거나 이전 발생의 코드입니다"
                    .to_owned())
            }
        })
    });
    match done.await.and_then(|done: Result<_, String>| done) {
        Ok(Ok((incident, answer))) => {
            let (status, Answer { done, text }) = api::settle(answer);
            (status, Json(json!({"incident": incident, "done": done, "text": text}))).into_response()
        }
        Ok(Err(why)) => (StatusCode::CONFLICT, Json(json!({"done": false, "text": why}))).into_response(),
        Err(why) => api::error(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// `GET /a`: asks for the code.
pub(super) async fn form() -> Response {
    ask(StatusCode::OK, None)
}

/// `POST /a`: a code, then a code and who has it.
pub(super) async fn submit(State(app): State<App>, body: Bytes) -> Response {
    let turn = app.0.guesses.turn.lock().await;
    let now = app.now();
    if !app.0.guesses.may_try(now) {
        return ask(
            StatusCode::TOO_MANY_REQUESTS,
            Some("틀린 코드가 여러 번 입력되었습니다. 잠시 뒤에 다시 입력하십시오."),
        );
    }
    let mut fields = api::form_fields(&body).unwrap_or_default();
    let (code, by) = (fields.remove("code").unwrap_or_default(), fields.remove("by").unwrap_or_default());
    let asked = code.clone();
    let found = app.blocking(move |parts| {
        let found = look_up(parts, &asked, None)?;
        let told = match &found {
            Found::One(incident) => told(parts, incident)?,
            _ => Vec::new(),
        };
        Ok::<_, String>((found, told))
    });
    let (incident, told) = match found.await.and_then(|found| found) {
        Ok((Found::One(incident), told)) => (incident, told),
        Ok((Found::Taken(incident), _)) => {
            let said = "이미 다른 사람이 수신확인한 장애입니다. 더 하실 일은 없습니다.";
            return result(StatusCode::CONFLICT, &incident, said, &taken(&incident));
        }
        Ok((Found::Several, _)) => {
            return ask(StatusCode::CONFLICT, Some("같은 코드의 장애가 둘입니다. 상황실에 접수번호를 알려 주십시오."));
        }
        Ok((Found::Nothing, _)) => {
            app.0.guesses.note_wrong(now);
            return ask(StatusCode::NOT_FOUND, Some("맞는 코드가 없습니다. 잘못 입력했거나 이미 쓴 코드입니다."));
        }
        Err(why) => {
            tracing::warn!(why, "a code cannot be looked up");
            return ask(StatusCode::SERVICE_UNAVAILABLE, Some("지금은 확인할 수 없습니다. 상황실에 전화하십시오."));
        }
    };
    drop(turn);
    if !told.iter().any(|(id, _)| *id == by) {
        return who(&incident, &code, &told);
    }
    let input = input(&incident, &by, "", api::ACK_HOLD);
    let answer = app.blocking(move |parts| parts.act.submit(input, api::ANSWER_WAIT)).await.and_then(|answer| answer);
    let (status, answer) =
        answer.map_or_else(|text| (StatusCode::SERVICE_UNAVAILABLE, Answer { done: false, text }), api::settle);
    let said = match status {
        StatusCode::OK => "수신확인되었습니다. 조치 상황을 상황실에 알려 주십시오.",
        StatusCode::ACCEPTED => "접수했으나 아직 처리되지 않았습니다. 잠시 뒤 상황실에 확인하십시오.",
        _ => "수신확인되지 않았습니다. 다른 사람이 먼저 확인했거나 이미 끝난 장애입니다.",
    };
    result(status, &incident, said, &answer.text)
}

/// Everybody to whom a page of the present occurrence was handed over: contact id and masked name.
fn told(parts: &Parts, incident: &Incident) -> Result<Vec<(String, String)>, String> {
    let pages = parts.view.pages(Some(&incident.id), PAGES)?;
    let told: BTreeSet<&str> = pages
        .iter()
        .filter(|row| row.handed.is_some() && row.page.occurrence == incident.occurrence)
        .filter(|row| row.page.reason != Reason::Resolved)
        .map(|row| row.page.to.as_str())
        .collect();
    let contacts = parts.view.contacts();
    let named = |id: &str| {
        let contact = contacts.iter().find(|contact| contact.id == id);
        contact.map_or_else(|| id.to_owned(), |contact| format!("{} {}", contact.org, mask_name(&contact.name)))
    };
    Ok(told.into_iter().map(|id| (id.to_owned(), named(id))).collect())
}

fn shown(status: StatusCode, fill: impl FnOnce(&mut Html)) -> Response {
    let body = page::page("수신확인", None, |html| {
        html.raw("<header><h1>수신확인</h1></header><main id=\"main\"><section>");
        fill(html);
        html.raw("</section></main>");
    });
    (status, body).into_response()
}

fn ask(status: StatusCode, notice: Option<&'static str>) -> Response {
    shown(status, |html| {
        if let Some(notice) = notice {
            html.raw("<p class=\"notice\" role=\"alert\">").raw(notice).raw("</p>");
        }
        html.raw("<form method=\"post\" action=\"/a\"><label>문자로 받은 코드 6자리");
        html.raw("<input name=\"code\" required inputmode=\"numeric\" pattern=\"[0-9 \\-]*\" maxlength=\"8\" ");
        html.raw("autocomplete=\"one-time-code\" autofocus></label>");
        html.raw("<p class=\"sub\">코드는 한 번만 쓸 수 있고, 장애가 끝나면 쓸 수 없습니다.</p>");
        html.raw("<button class=\"primary\">다음</button></form>");
    })
}

/// The incident that the code is of, and who of those told is speaking.
fn who(incident: &Incident, code: &str, told: &[(String, String)]) -> Response {
    shown(StatusCode::OK, |html| {
        html.raw("<h2>").text(&incident.id).raw("</h2><p>").text(incident.severity.word()).raw(" · ");
        html.text(incident.domain.word()).raw(" · ").text(&incident.title).raw("</p><p class=\"sub\">감지 ");
        html.time(Some(incident.detected)).raw("</p>");
        html.raw("<form method=\"post\" action=\"/a\"><input type=\"hidden\" name=\"code\" value=\"").text(code);
        html.raw("\"><fieldset><legend>본인을 고르십시오</legend>");
        for (id, name) in told {
            html.raw("<label class=\"pick\"><input type=\"radio\" name=\"by\" required value=\"").text(id).raw("\">");
            html.text(name).raw("</label>");
        }
        html.raw("</fieldset><button class=\"primary\">수신확인</button></form>");
    })
}

fn result(status: StatusCode, incident: &Incident, said: &'static str, detail: &str) -> Response {
    shown(status, |html| {
        html.raw("<h2>").text(&incident.id).raw("</h2><p role=\"status\">").raw(said).raw("</p><p class=\"sub\">");
        html.text(detail).raw("</p>");
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_is_slow_and_ends_by_itself() {
        let guesses = Guesses::default();
        let mut tried = 0;
        for second in 0..3_600 {
            if guesses.may_try(second * 1_000) {
                guesses.note_wrong(second * 1_000);
                tried += 1;
            }
        }
        assert_eq!(tried, AN_HOUR);
        assert!(guesses.may_try(2 * HOUR));
        guesses.note_wrong(2 * HOUR);
        assert!(guesses.may_try(0), "the clock was set back");
    }
}
