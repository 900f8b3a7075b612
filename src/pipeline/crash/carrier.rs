//! A carrier: it takes each message and answers after a moment. One that cannot be asked says nothing else ever; one
//! that can says by our id whether it has a message.
//!
//! The idea: it lives in the process that kills, so its account of what reached it outlives the service. What happens to
//! a message whose answer was lost is then known here and nowhere else.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// From taking a message to its answer: long enough that a kill falls between the two now and then.
pub(super) const ANSWER: Duration = Duration::from_millis(80);

/// How often each message arrived, by our id.
type Taken = Arc<Mutex<BTreeMap<String, u64>>>;

/// What a message is sent with: our id, whom it is to, its text.
const BODY: &str = r#"'{"id":"{{id}}","to":"{{to}}","text":"{{text}}"}'"#;

/// The carrier, on a thread of its own; it ends with this value.
#[derive(Debug)]
pub(super) struct Carrier {
    port: u16,
    /// It can be asked.
    tells: bool,
    taken: Taken,
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
        let taken = Taken::default();
        let (stop, stopped) = oneshot::channel();
        let door = Router::new().route("/send", post(take)).route("/find", get(find)).with_state(Arc::clone(&taken));
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
        Ok(Self { port, tells, taken, stop: Some(stop), thread: Some(thread) })
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
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or(0)
    }

    /// Everything that arrived.
    pub(super) fn ids(&self) -> Vec<String> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
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

async fn take(State(taken): State<Taken>, Json(message): Json<Value>) -> Json<Value> {
    let id = message["id"].as_str().unwrap_or_default().to_owned();
    *taken.lock().unwrap_or_else(PoisonError::into_inner).entry(id.clone()).or_default() += 1;
    tokio::time::sleep(ANSWER).await;
    Json(json!({ "taken": true, "id": id }))
}

async fn find(State(taken): State<Taken>, Query(asked): Query<BTreeMap<String, String>>) -> Json<Value> {
    let id = asked.get("id").cloned().unwrap_or_default();
    let there = taken.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id);
    let found = if there { vec![json!({ "id": id, "state": "taken" })] } else { Vec::new() };
    Json(json!({ "found": found }))
}
