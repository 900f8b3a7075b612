//! A carrier for measuring: it takes each message, answers after a moment, and posts its receipt a moment later.
//!
//! The idea: what a provider takes is not the engine's time, but it must be in the way as it would be, with a real call out
//! and a real call in. Both moments are fixed, so that whoever reads the figures can subtract them.

use std::collections::BTreeSet;
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
use tokio::task::JoinSet;

/// From taking a message to its answer.
pub(super) const ANSWER: Duration = Duration::from_millis(20);
/// From the answer to the receipt.
pub(super) const ARRIVAL: Duration = Duration::from_millis(50);
/// A receipt that cannot be posted is posted again after so long.
const AGAIN: Duration = Duration::from_millis(200);
/// How often.
const TIMES: u32 = 20;
/// The secret of its receipts.
pub(super) const SECRET: &str = "latency-hook";

/// What the handlers share.
#[derive(Debug, Clone)]
struct Desk {
    taken: Arc<Mutex<BTreeSet<String>>>,
    client: reqwest::Client,
    /// Where receipts go.
    hook: String,
    /// Receipts on their way; they end with the desk.
    telling: Arc<Mutex<JoinSet<()>>>,
}

/// The carrier, on a thread of its own; it ends with this value.
#[derive(Debug)]
pub(super) struct Carrier {
    port: u16,
    taken: Arc<Mutex<BTreeSet<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Carrier {
    /// Begins to take messages on a free loopback port; receipts go to the door at `listen`.
    pub(super) fn start(listen: &str) -> anyhow::Result<Self> {
        let socket = TcpListener::bind(("127.0.0.1", 0)).context("bind the carrier's port")?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let taken = Arc::<Mutex<BTreeSet<String>>>::default();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?;
        let hook = format!("http://{listen}/v1/receipts/carrier");
        let desk = Desk { taken: Arc::clone(&taken), client, hook, telling: Arc::default() };
        let (stop, stopped) = oneshot::channel();
        let door = Router::new().route("/send", post(take)).with_state(desk);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("latency-carrier".to_owned()).spawn(move || {
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

    /// How the service is told of it; the secret stands in `secret_file`.
    pub(super) fn settings(&self, secret_file: &str) -> String {
        format!(
            "gateways:
  - id: carrier
    channel: sms
    kind: http
    rate: 1000/s
    concurrency: 4
    timeout: 5s
    http:
      sender: \"0530000000\"
      secrets: [{{ name: hook, file: \"{secret_file}\" }}]
      send:
        url: \"http://127.0.0.1:{}/send\"
        json: '{{\"id\":\"{{{{id}}}}\",\"to\":\"{{{{to}}}}\",\"text\":\"{{{{text}}}}\"}}'
      success: [{{ at: /taken, is: \"true\" }}]
      id: [/id]
      webhook:
        header: X-Hook
        secret: hook
        page: /id
        id: [/id]
        state: [/state]
        states: [{{ of: [\"arrived\"], is: delivered }}]
",
            self.port
        )
    }

    /// Our ids of the messages that it took.
    pub(super) fn taken(&self) -> BTreeSet<String> {
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

async fn take(State(desk): State<Desk>, Json(message): Json<Value>) -> Json<Value> {
    let id = message["id"].as_str().unwrap_or_default().to_owned();
    desk.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
    tokio::time::sleep(ANSWER).await;
    let telling = tell(desk.clone(), id.clone());
    desk.telling.lock().unwrap_or_else(PoisonError::into_inner).spawn(telling);
    Json(json!({ "taken": true, "id": id }))
}

/// Posts the receipt until the door has taken it for a page: the answer to the message may be on its way still.
async fn tell(desk: Desk, id: String) {
    tokio::time::sleep(ARRIVAL).await;
    for _ in 0..TIMES {
        let receipt = json!({ "id": id, "state": "arrived" });
        let answer = desk.client.post(&desk.hook).header("X-Hook", SECRET).json(&receipt).send().await;
        let taken = match answer {
            Ok(answer) => answer.json::<Value>().await.ok().and_then(|answer| answer["accepted"].as_u64()),
            Err(_) => None,
        };
        if taken == Some(1) {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}
