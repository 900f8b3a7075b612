//! The guard before every request: loopback name, who is it, and does a change come from our own page.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{App, api, page};

/// How a request showed who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Token,
    Browser,
    Nobody,
}

/// Lets a request through or answers it.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match refuse(&app, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    headers.insert("referrer-policy", HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert("content-security-policy", page::policy());
    response
}

fn refuse(app: &App, request: &Request) -> Option<Response> {
    let headers = request.headers();
    if !is_loopback_name(host(headers).unwrap_or_default()) {
        return Some(api::error(StatusCode::FORBIDDEN, "this service answers to 127.0.0.1, [::1] and localhost only"));
    }
    let path = request.uri().path();
    // A provider does not know our token: a receipt has a secret of its own, which its gateway checks.
    let is_receipt = path.starts_with("/v1/receipts/") && *request.method() == Method::POST;
    // Whoever has a one-time code has no token, and comes through a proxy whose name is not ours.
    let is_code = path == "/a";
    if matches!(path, "/healthz" | "/metrics") || is_receipt || is_code {
        return None;
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let who = who(app, headers);
    // A browser adds `Origin` to every POST; without one it is no browser, and then only the token counts.
    if changes && !same_origin(headers, who) {
        return Some(api::error(StatusCode::FORBIDDEN, "a change must come from this service's own page"));
    }
    if path == "/sign-in" || who != Who::Nobody {
        return None;
    }
    if page::wants_html(headers) {
        // Whoever pressed a button must learn that nothing came of it.
        let notice = changes.then_some("로그인이 끝나 처리하지 못했습니다. 로그인한 뒤 다시 하십시오.");
        return Some((StatusCode::UNAUTHORIZED, page::sign_in_form(notice)).into_response());
    }
    let mut response =
        api::error(StatusCode::UNAUTHORIZED, "send `Authorization: Bearer` with the token of the token file");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Some(response)
}

fn who(app: &App, headers: &HeaderMap) -> Who {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    if bearer.is_some_and(|token| app.parts().token.is(token)) {
        return Who::Token;
    }
    match session(headers) {
        Some(session) if app.0.sessions.knows(session, app.now()) => Who::Browser,
        _ => Who::Nobody,
    }
}

/// The name of the session cookie. Cookies know no ports, but two services on one machine would still only sign each
/// other out.
pub(super) const COOKIE_NAME: &str = "bongsu_session";

/// The session cookie's value.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(value)
    })
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST)?.to_str().ok()
}

fn same_origin(headers: &HeaderMap, who: Who) -> bool {
    match headers.get(ORIGIN) {
        None => who != Who::Browser,
        Some(origin) => {
            let origin = origin.to_str().unwrap_or_default();
            let name = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            name.is_some_and(|name| Some(name) == host(headers))
        }
    }
}

/// A `Host` header that names this machine, with any port: a tunnel may change the port, nobody can rebind these names.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_can_rebind_are_ours() {
        for ours in ["127.0.0.1", "127.0.0.1:9480", "localhost:80", "LOCALHOST", "[::1]:9480", "[::1]", "127.9.9.9:1"] {
            assert!(is_loopback_name(ours), "{ours}");
        }
        for foreign in ["", "evil.test", "127.0.0.1.evil.test", "localhost.evil.test:9480", "10.0.0.1", "0.0.0.0:9480"]
        {
            assert!(!is_loopback_name(foreign), "{foreign}");
        }
    }
}
