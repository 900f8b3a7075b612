//! A carrier: it takes each message and answers after a moment. One that cannot be asked says nothing else ever; one
//! that can says by our id whether it has a message.
//!
//! The idea: it lives in the process that kills, so its account of what reached it outlives the service. What happens to
//! a message whose answer was lost is then known here and nowhere else.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// From taking a message to its answer: long enough that a kill falls between the two now and then.
const ANSWER: Duration = Duration::from_millis(80);

/// What reached the carrier.
#[derive(Debug, Default)]
struct Desk {
    /// How often each message arrived, by our id.
    taken: Mutex<BTreeMap<String, u64>>,
    /// Messages that it has and has not answered.
    held: AtomicUsize,
}

impl Desk {
    fn taken(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message that is held until it is answered, or its sender has gone.
struct Held<'a>(&'a Desk);

impl<'a> Held<'a> {
    fn new(desk: &'a Desk) -> Self {
        desk.held.fetch_add(1, Ordering::SeqCst);
        Self(desk)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a message is sent with: our id, whom it is to, its text.
const BODY: &str = r#"'{"id":"{{id}}","to":"{{to}}","text":"{{text}}"}'"#;

/// The carrier, on a thread of its own; it ends with this value.
#[derive(Debug)]
pub(super) struct Carrier {
    port: u16,
    /// It can be asked.
    tells: bool,
    desk: Arc<Desk>,
    /// It ends when this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Carrier {
    /// Begins to take messages on a free loopback port; one that `tells` can be asked.
    pub(super) fn start(tells: bool) -> anyhow::Result<Self> {
        let socket = TcpListener::bind(("127.0.0.1", 0)).context("bind the carrier's port")?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let desk = Arc::new(Desk::default());
        let (stop, stopped) = oneshot::channel();
        let door = Router::new().route("/send", post(take)).route("/find", get(find)).with_state(Arc::clone(&desk));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("crash-carrier".to_owned()).spawn(move || {
            runtime.block_on(async {
                let Ok(socket) = tokio::net::TcpListener::from_std(socket) else { return };
                tokio::select! {
                    _ = axum::serve(socket, door) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { port, tells, desk, stop: Some(stop), thread: Some(thread) })
    }

    /// How the service is told of it: no receipts, and a look-up where it can be asked.
    pub(super) fn settings(&self) -> String {
        let base = format!("http://127.0.0.1:{}", self.port);
        let asked = format!(
            "      look_up: {{ url: \"{base}/find?id={{{{id}}}}\", settle: 1s, list: /found, page: /id, id: [/id], \
             state: [/state], states: [{{ of: [taken], is: pending }}] }}\n"
        );
        format!(
            "gateways:\n  - id: carrier\n    channel: sms\n    kind: http\n    rate: 1000/s\n    concurrency: 4\n    \
             timeout: 5s\n    http:\n      sender: \"0530000000\"\n      send:\n        url: \"{base}/send\"\n        \
             json: {BODY}\n      success: [{{ at: /taken, is: \"true\" }}]\n      id: [/id]\n{}",
            if self.tells { asked.as_str() } else { "" }
        )
    }

    /// How often a message arrived.
    pub(super) fn arrivals(&self, id: &str) -> u64 {
        self.desk.taken().get(id).copied().unwrap_or(0)
    }

    /// Whether it has a message and has not answered.
    pub(super) fn is_holding(&self) -> bool {
        self.desk.held.load(Ordering::SeqCst) > 0
    }

    /// Everything that arrived.
    pub(super) fn ids(&self) -> Vec<String> {
        self.desk.taken().keys().cloned().collect()
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn take(State(desk): State<Arc<Desk>>, Json(message): Json<Value>) -> Json<Value> {
    let id = message["id"].as_str().unwrap_or_default().to_owned();
    *desk.taken().entry(id.clone()).or_default() += 1;
    let held = Held::new(&desk);
    tokio::time::sleep(ANSWER).await;
    drop(held);
    Json(json!({ "taken": true, "id": id }))
}

async fn find(State(desk): State<Arc<Desk>>, Query(asked): Query<BTreeMap<String, String>>) -> Json<Value> {
    let id = asked.get("id").cloned().unwrap_or_default();
    let there = desk.taken().contains_key(&id);
    let found = if there { vec![json!({ "id": id, "state": "taken" })] } else { Vec::new() };
    Json(json!({ "found": found }))
}
