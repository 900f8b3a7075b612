//! The door for telemetry: `POST /v1/records`, one JSON record or one per line.
//!
//! The idea: it only frames. A line is taken to the log as it came, under the host that it names, and the answer is
//! given once the log made it durable. What is wrong with a line is that line's own affair; the others go in. Memory is
//! bounded twice: by the body's limit, and by one budget for all bodies under way.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{App, Incoming, IntakeError, Limits, Parts, api};

/// A sender that needs longer than this for one body is gone.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Of a body that is too long so many bodies' lengths are read and thrown away, so that the sender sees our answer
/// instead of a broken connection.
const DRAIN_FACTOR: usize = 4;
/// Rejections listed in an answer; the rest is counted.
const LISTED: usize = 1_000;

/// Why a body was not read to its end.
enum Unread {
    TooLarge,
    Broken(String),
}

/// Takes records.
pub(super) async fn records(State(app): State<App>, request: Request) -> Response {
    let headers = request.headers();
    if headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return api::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the records uncompressed");
    }
    let limits = app.parts().limits;
    let whole = is_json(headers);
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let share = limits.body_share(announced);
    let Ok(permit) = app.0.bodies.clone().try_acquire_many_owned(u32::try_from(share).unwrap_or(u32::MAX)) else {
        return api::error(StatusCode::TOO_MANY_REQUESTS, "too many records are under way: try again in a second");
    };
    let body = match tokio::time::timeout(BODY_TIME, read(request.into_body(), limits.body_bytes)).await {
        Ok(Ok(body)) => body,
        Ok(Err(Unread::TooLarge)) => {
            let text = format!("the body is longer than {} bytes: send fewer records at once", limits.body_bytes);
            return api::error(StatusCode::PAYLOAD_TOO_LARGE, &text);
        }
        Ok(Err(Unread::Broken(why))) => return api::error(StatusCode::BAD_REQUEST, &why),
        Err(_) => return api::error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
    };
    let taken = app.blocking(move |parts| {
        let answer = take(parts, &body, whole);
        drop(permit);
        answer
    });
    match taken.await {
        Ok(answer) => answer.into_response(),
        Err(why) => api::error(StatusCode::INTERNAL_SERVER_ERROR, &why),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    })
}

async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, Unread> {
    let mut kept = Vec::new();
    let mut seen = 0usize;
    while let Some(bytes) = chunk(&mut body).await? {
        seen = seen.saturating_add(bytes.len());
        if seen <= limit {
            kept.extend_from_slice(&bytes);
        } else {
            kept = Vec::new();
        }
        if seen > limit.saturating_mul(DRAIN_FACTOR) {
            break;
        }
    }
    if seen > limit { Err(Unread::TooLarge) } else { Ok(kept) }
}

async fn chunk(body: &mut Body) -> Result<Option<Bytes>, Unread> {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(Unread::Broken(format!("the body broke off: {error}"))),
            // Trailers are of no interest.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// What became of a body.
#[derive(Debug, Default)]
struct Answer {
    accepted: usize,
    /// Line (from 1) and why.
    rejected: Vec<(usize, String)>,
    unlisted: usize,
    records: usize,
    too_large: usize,
    full: usize,
    away: usize,
}

impl Answer {
    fn reject(&mut self, line: usize, reason: String) {
        if self.rejected.len() < LISTED {
            self.rejected.push((line, reason));
        } else {
            self.unlisted += 1;
        }
    }

    fn status(&self) -> StatusCode {
        if self.accepted > 0 {
            StatusCode::OK
        } else if self.full > 0 {
            StatusCode::TOO_MANY_REQUESTS
        } else if self.away > 0 {
            StatusCode::SERVICE_UNAVAILABLE
        } else if self.records == 1 && self.too_large == 1 {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            StatusCode::BAD_REQUEST
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(mut self) -> Response {
        self.rejected.sort_by_key(|(line, _)| *line);
        let rejected: Vec<_> =
            self.rejected.iter().map(|(line, reason)| json!({"line": line, "reason": reason})).collect();
        let mut answer = json!({"accepted": self.accepted, "rejected": rejected});
        if self.unlisted > 0 {
            answer["rejected_unlisted"] = self.unlisted.into();
        }
        if self.records == 0 {
            answer["error"] = "there is no record in the body".into();
        }
        let mut response = (self.status(), axum::Json(answer)).into_response();
        if matches!(self.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            api::retry_soon(&mut response);
        }
        response
    }
}

/// Frames `body` and appends what has a host. `whole`: it says that it is one JSON document, which may span lines.
fn take(parts: &Parts, body: &[u8], whole: bool) -> Answer {
    let mut answer = Answer::default();
    let mut lines = Vec::new();
    let mut incoming = Vec::new();
    let one = body.trim_ascii();
    let single = if whole && one.len() <= parts.limits.record_bytes { parts.frame.frame(one).ok() } else { None };
    if let Some(host) = single {
        answer.records = 1;
        lines.push(1);
        incoming.push(Incoming { host, value: one.to_vec() });
    } else {
        for (at, line) in body.split(|byte| *byte == b'\n').enumerate() {
            frame_line(parts, at + 1, line.trim_ascii(), &mut answer, &mut lines, &mut incoming);
        }
    }
    if incoming.is_empty() {
        return answer;
    }
    for (line, result) in lines.into_iter().zip(parts.intake.take(incoming)) {
        match result {
            Ok(()) => answer.accepted += 1,
            Err(IntakeError::Full) => {
                answer.full += 1;
                answer.reject(line, "full".to_owned());
            }
            Err(IntakeError::TooLarge) => {
                answer.too_large += 1;
                answer.reject(line, too_large(parts.limits));
            }
            Err(IntakeError::Other(why)) => {
                answer.away += 1;
                answer.reject(line, why);
            }
        }
    }
    answer
}

fn frame_line(
    parts: &Parts,
    line: usize,
    text: &[u8],
    answer: &mut Answer,
    lines: &mut Vec<usize>,
    incoming: &mut Vec<Incoming>,
) {
    if text.is_empty() {
        return;
    }
    answer.records += 1;
    if text.len() > parts.limits.record_bytes {
        answer.too_large += 1;
        return answer.reject(line, too_large(parts.limits));
    }
    match parts.frame.frame(text) {
        Ok(host) => {
            lines.push(line);
            incoming.push(Incoming { host, value: text.to_vec() });
        }
        Err(reason) => answer.reject(line, reason),
    }
}

fn too_large(limits: Limits) -> String {
    format!("too-large: longer than {} bytes", limits.record_bytes)
}
