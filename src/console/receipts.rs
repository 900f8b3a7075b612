//! Receipts that providers post: `POST /v1/receipts/<gateway>`.
//!
//! The idea: the only way in for somebody who is neither of us nor has our token, so it does one thing: it hands the
//! body to the gateway, which knows the secret and the shape, and answers with a number. A wrong secret learns nothing else.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{App, Unposted, api};

/// Longest body: a provider posts some hundred receipts at once.
const BODY_BYTES: usize = 1 << 20;

/// Takes receipts.
pub(super) async fn receipts(
    State(app): State<App>,
    Path(gateway): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if body.len() > BODY_BYTES {
        return api::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 1 MiB: post fewer receipts at once");
    }
    let taken = app.blocking(move |parts| {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        parts.receipts.take(&gateway, &header, &body)
    });
    match taken.await {
        Ok(Ok(settled)) => axum::Json(json!({ "accepted": settled })).into_response(),
        Ok(Err(Unposted::NotHere)) => api::error(StatusCode::NOT_FOUND, "no gateway takes receipts here"),
        Ok(Err(Unposted::Secret)) => api::error(StatusCode::UNAUTHORIZED, "the secret is missing or wrong"),
        Ok(Err(Unposted::Unreadable)) => api::error(StatusCode::BAD_REQUEST, "the body is not as configured"),
        Ok(Err(Unposted::Away(why))) => api::error(StatusCode::SERVICE_UNAVAILABLE, &why),
        Err(why) => api::error(StatusCode::INTERNAL_SERVER_ERROR, &why),
    }
}
