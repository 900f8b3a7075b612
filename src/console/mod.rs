//! The one listening address of a service: the door for records, health, metrics, the JSON that the command line reads,
//! and the page for people.
//!
//! The idea: everything behind one guard. A request's `Host` must be a loopback name (a web page elsewhere cannot reach
//! us through its own name), everything but `/healthz` and `/metrics` asks for the token or a browser session, and what
//! a browser changes must come from our own page. Behind the guard this module frames and shows; it decides nothing.
//!
//! Not here: what a record means (`decode`), what an ack does (`incident`), who reads the log.

mod api;
mod badges;
mod codes;
mod concerns;
mod detail;
mod door;
mod drills;
mod explain;
mod guard;
mod groups;
mod html;
mod json;
mod levels;
mod measure;
mod outbox;
mod page;
mod people;
mod phones;
mod receipts;
mod sections;
mod seams;
mod secret;
mod shadows;
mod silences;

pub use json::incident as incident_to_json;
pub use seams::*;
pub use secret::{read_token, token_file};

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio::sync::Semaphore;

use crate::model::{AckKey, Secret};
use crate::time::{Clock, Ms};

/// After the call to stop, requests under way have so long to end.
const DRAIN: Duration = Duration::from_secs(5);
/// Record bodies held at once: so many of the largest, or thousands of usual ones.
const BODIES: usize = 4;

/// What the door takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one record.
    pub record_bytes: usize,
    /// Bytes of one request.
    pub body_bytes: usize,
}

impl Limits {
    /// What a body of `announced` bytes (unknown: the longest) takes of the budget for all bodies, in KiB.
    fn body_share(self, announced: Option<usize>) -> usize {
        announced.unwrap_or(self.body_bytes).min(self.body_bytes) / 1024 + 1
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes: 1 << 20, body_bytes: 16 << 20 }
    }
}

/// What the console is made of.
pub struct Parts {
    /// The log's writing side.
    pub intake: Arc<dyn Intake>,
    /// Finds a record's host.
    pub frame: Arc<dyn Frame>,
    /// What there is to see.
    pub view: Arc<dyn View>,
    /// What people do.
    pub act: Arc<dyn Act>,
    /// Receipts that gateways post.
    pub receipts: Arc<dyn Receipts>,
    /// The text of `/metrics`.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Content type of the text of `/metrics`.
    pub metrics_type: &'static str,
    /// The token: [`token_file`].
    pub token: Secret,
    /// What one-time codes are made with.
    pub codes: AckKey,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the door takes at most.
    pub limits: Limits,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The console: a cheap handle, shared by all requests and by the shell.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    sessions: secret::Sessions,
    guesses: codes::Guesses,
    bodies: Arc<Semaphore>,
}

impl App {
    /// A console of `parts`.
    pub fn new(parts: Parts) -> Self {
        let bodies = Arc::new(Semaphore::new(BODIES * parts.limits.body_share(None)));
        let guesses = codes::Guesses::default();
        Self(Arc::new(Inner { parts, sessions: secret::Sessions::default(), guesses, bodies }))
    }

    /// The path of a sign-in link, good once and for 15 minutes: `/sign-in?code=…`.
    ///
    /// # Errors
    /// The kernel's random source cannot be read.
    pub fn sign_in_path(&self) -> io::Result<String> {
        let code = self.0.sessions.new_code(self.now())?;
        Ok(format!("/sign-in?code={}", code.reveal()))
    }

    fn now(&self) -> Ms {
        self.0.parts.clock.wall()
    }

    fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// Runs a call that may block where it may.
    async fn blocking<T: Send + 'static>(&self, call: impl FnOnce(&Parts) -> T + Send + 'static) -> Result<T, String> {
        let app = self.clone();
        tokio::task::spawn_blocking(move || call(app.parts())).await.map_err(|error| {
            tracing::error!(%error, "a console request failed");
            "internal error; see the service's log".to_owned()
        })
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(api::healthz))
            .route("/metrics", get(api::metrics))
            .route("/v1/records", post(door::records))
            .route("/v1/receipts/{gateway}", post(receipts::receipts))
            .route("/v1/status", get(api::status))
            .route("/v1/incidents", get(api::incidents))
            .route("/v1/pages", get(api::pages))
            .route("/v1/ledger", get(api::ledger))
            .route("/v1/silences", get(silences::list).post(silences::add))
            .route("/v1/silences/preview", post(silences::preview))
            .route("/v1/silences/{id}/{verb}", post(silences::act))
            .route("/v1/drills", post(drills::start))
            .route("/v1/explain", post(explain::explain))
            .route("/v1/sign-in-link", post(api::sign_in_link))
            .route("/v1/incidents/{id}/{verb}", post(api::act))
            .route("/v1/ack-code", post(codes::ack_code))
            .route("/a", get(codes::form).post(codes::submit))
            .route("/", get(page::overview))
            .route("/incidents/{id}", get(page::incident))
            .route("/silences", get(silences::form_page))
            .route("/sign-in", get(page::sign_in_by_code).post(page::sign_in_by_token))
            .route("/sign-out", post(page::sign_out))
            .fallback(api::nowhere)
            .layer(middleware::from_fn_with_state(self.clone(), guard::guard))
            .with_state(self.clone())
    }
}

/// Listens on `address`.
///
/// # Errors
/// The address is not loopback, or is taken; the text says what to do.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    if !address.ip().is_loopback() {
        anyhow::bail!(
            "console.listen: `{address}` is not a loopback address, and this address speaks plain HTTP\n  \
             help: listen on 127.0.0.1:{} and put a proxy with TLS before it",
            address.port()
        );
    }
    let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "console.listen: `{address}` is taken: another bongsu?\n  \
             help: stop the other one, or choose another port (0 takes any free one)"
        ),
        _ => anyhow::anyhow!("console.listen: listen on `{address}`: {error}"),
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until `shutdown` is done, then lets requests under way end, at most 5 s.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve(listener: TcpListener, app: App, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, app.router())
        .with_graceful_shutdown(async {
            // An error means that `tell` is gone, and this future with it.
            let _ = told.await;
        })
        .into_future();
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        () = shutdown => {}
    }
    // The receiver lives in `server`, which is still there.
    let _ = tell.send(());
    match tokio::time::timeout(DRAIN, server).await {
        Ok(ended) => ended,
        Err(_) => {
            tracing::warn!("console requests were still under way at the end");
            Ok(())
        }
    }
}
