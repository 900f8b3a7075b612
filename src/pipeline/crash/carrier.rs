//! A carrier that cannot be asked: it takes each message, answers after a moment, and that is all it ever says.
//!
//! The idea: it lives in the process that kills, so its account of what reached it outlives the service. What happens to
//! a message whose answer was lost is then known here and nowhere else.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// From taking a message to its answer: long enough that a kill falls between the two now and then.
const ANSWER: Duration = Duration::from_millis(20);

/// How often each message arrived, by our id.
type Taken = Arc<Mutex<BTreeMap<String, u64>>>;

/// The carrier, on a thread of its own; it ends with this value.
#[derive(Debug)]
pub(super) struct Carrier {
    port: u16,
    taken: Taken,
    /// It ends when this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Carrier {
    /// Begins to take messages on a free loopback port.
    pub(super) fn start() -> anyhow::Result<Self> {
        let socket = TcpListener::bind(("127.0.0.1", 0)).context("bind the carrier's port")?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let taken = Taken::default();
        let (stop, stopped) = oneshot::channel();
        let door = Router::new().route("/send", post(take)).with_state(Arc::clone(&taken));
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
        Ok(Self { port, taken, stop: Some(stop), thread: Some(thread) })
    }

    /// How the service is told of it: no look-up, no receipts.
    pub(super) fn settings(&self) -> String {
        format!(
            "gateways:\n  - id: carrier\n    channel: sms\n    kind: http\n    rate: 1000/s\n    concurrency: 4\n    \
             timeout: 5s\n    http:\n      sender: \"0530000000\"\n      send:\n        \
             url: \"http://127.0.0.1:{}/send\"\n        json: '{{\"id\":\"{{{{id}}}}\",\"to\":\"{{{{to}}}}\",\"text\":\"{{{{text}}}}\"}}'\n      \
             success: [{{ at: /taken, is: \"true\" }}]\n      id: [/id]\n",
            self.port
        )
    }

    /// How often each message arrived.
    pub(super) fn taken(&self) -> BTreeMap<String, u64> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
