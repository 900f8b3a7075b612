//! A console on a free port, with an intake, a view and a leader that are a few lines each.

use std::io::Read;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use bongsu::console::{
    Act, Answer, App, ExplainAsk, Frame, Health, Incoming, Intake, IntakeError, Limits, Parts, Previewed, Receipts,
    StatusView, Unposted, View, bind, serve, token_file,
};
use bongsu::model::{AckKey, Contact, Entry, Incident, Input, Matcher, PageRow, Preview, Secret, Silence};
use bongsu::time::{ManualClock, Ms};
use reqwest::blocking::{Client, RequestBuilder, Response};

pub(crate) const NOW: Ms = 1_764_000_000_000;

#[derive(Default)]
pub(crate) struct Seams {
    pub(crate) taken: Mutex<Vec<Incoming>>,
    /// What the log says to each record whose host is the first of the pair.
    pub(crate) refuse: Mutex<Vec<(String, IntakeError)>>,
    pub(crate) health: Mutex<Health>,
    pub(crate) status: Mutex<StatusView>,
    pub(crate) incidents: Mutex<Vec<Incident>>,
    pub(crate) pages: Mutex<Vec<PageRow>>,
    pub(crate) contacts: Mutex<Vec<Contact>>,
    pub(crate) entries: Mutex<Vec<Entry>>,
    pub(crate) away: Mutex<Option<String>>,
    pub(crate) inputs: Mutex<Vec<Input>>,
    pub(crate) answer: Mutex<Option<Answer>>,
    pub(crate) silences: Mutex<Vec<Silence>>,
    pub(crate) previewed: Mutex<Vec<Vec<Matcher>>>,
}

impl Seams {
    fn read<T: Clone>(&self, what: &Mutex<T>) -> Result<T, String> {
        match &*self.away.lock().unwrap() {
            Some(why) => Err(why.clone()),
            None => Ok(what.lock().unwrap().clone()),
        }
    }
}

impl Intake for Seams {
    fn take(&self, records: Vec<Incoming>) -> Vec<Result<(), IntakeError>> {
        let refuse = self.refuse.lock().unwrap();
        let mut taken = self.taken.lock().unwrap();
        let one = |record: Incoming| match refuse.iter().find(|(host, _)| *host == record.host) {
            Some((_, why)) => Err(why.clone()),
            None => {
                taken.push(record);
                Ok(())
            }
        };
        records.into_iter().map(one).collect()
    }
}

impl Frame for Seams {
    fn frame(&self, record: &[u8]) -> Result<String, String> {
        let text = std::str::from_utf8(record).map_err(|_| "not-utf8".to_owned())?;
        let value: serde_json::Value = serde_json::from_str(text).map_err(|_| "not-json".to_owned())?;
        value["host"].as_str().map(str::to_owned).ok_or_else(|| "no-host".to_owned())
    }
}

impl View for Seams {
    fn health(&self) -> Health {
        self.health.lock().unwrap().clone()
    }

    fn status(&self) -> Result<StatusView, String> {
        Ok(StatusView { health: self.health(), ..self.read(&self.status)? })
    }

    fn incidents(&self, limit: usize) -> Result<Vec<Incident>, String> {
        Ok(self.read(&self.incidents)?.into_iter().take(limit).collect())
    }

    fn pages(&self, incident: Option<&str>, limit: usize) -> Result<Vec<PageRow>, String> {
        let fits = |row: &PageRow| incident.is_none_or(|incident| row.page.incident == incident);
        Ok(self.read(&self.pages)?.into_iter().filter(fits).take(limit).collect())
    }

    fn ledger(&self, after: i64, limit: usize) -> Result<Vec<Entry>, String> {
        let entries = self.read(&self.entries)?;
        Ok(entries.into_iter().filter(|entry| entry.input_no > after).take(limit).collect())
    }

    fn explain(&self, _ask: &ExplainAsk) -> Result<Vec<serde_json::Value>, String> {
        self.read(&Mutex::new(Vec::new()))
    }

    fn silences(&self) -> Result<Vec<Silence>, String> {
        self.read(&self.silences)
    }

    fn preview(&self, matchers: &[Matcher]) -> Result<Previewed, String> {
        self.previewed.lock().unwrap().push(matchers.to_vec());
        let hides = Preview { incidents: 3, s1: 1, pages: 5, of: 9, over: 30 * bongsu::time::DAY };
        Ok(Previewed { hides, ..Previewed::default() })
    }

    fn contacts(&self) -> Vec<Contact> {
        self.contacts.lock().unwrap().clone()
    }
}

impl Act for Seams {
    fn submit(&self, input: Input, _wait: Ms) -> Result<Option<Answer>, String> {
        self.inputs.lock().unwrap().push(input);
        self.read(&self.answer)
    }
}

impl Receipts for Seams {
    fn take(&self, gateway: &str, header: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Result<usize, Unposted> {
        match (gateway, header("x-secret").as_deref()) {
            ("posts", Some("right")) => Ok(body.len()),
            ("posts", _) => Err(Unposted::Secret),
            _ => Err(Unposted::NotHere),
        }
    }
}

/// A running console and a client that knows its token.
pub(crate) struct World {
    pub(crate) seams: Arc<Seams>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) app: App,
    pub(crate) token: Secret,
    pub(crate) url: String,
    pub(crate) client: Client,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    runtime: tokio::runtime::Runtime,
    server: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = token_file(&folder.path().join("token")).unwrap();
        let seams = Arc::new(Seams::default());
        seams.health.lock().unwrap().healthy = true;
        let clock = Arc::new(ManualClock::at(NOW));
        let app = App::new(Parts {
            intake: seams.clone(),
            frame: seams.clone(),
            view: seams.clone(),
            act: seams.clone(),
            receipts: seams.clone(),
            metrics: Arc::new(|| "bongsu_records_total 1\n# EOF\n".to_owned()),
            metrics_type: "text/plain",
            token: token.clone(),
            codes: AckKey::new(Secret::new("a key")),
            clock: clock.clone(),
            limits: Limits::default(),
        });
        let listener: TcpListener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serving = serve(listener, app.clone(), async {
            let _ = stopped.await;
        });
        let server = Some(runtime.spawn(serving));
        // Only plain HTTP is spoken, but the client wants to know its TLS provider when it is made.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { seams, clock, app, token, url, client, stop: Some(stop), runtime, server, _folder: folder }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(self.token.reveal())
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).bearer_auth(self.token.reveal())
    }

    /// Sends records as they are.
    pub(crate) fn records(&self, body: impl Into<reqwest::blocking::Body>) -> (u16, serde_json::Value) {
        answer(self.post("/v1/records").body(body).send().unwrap())
    }

    /// The page as a signed-in reader gets it.
    pub(crate) fn page(&self, path: &str) -> String {
        let response = self.get(path).header("accept", "text/html").send().unwrap();
        assert_eq!(response.status(), 200);
        response.text().unwrap()
    }

    /// Stops the console and waits for its end.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        self.runtime.block_on(self.server.take().unwrap()).unwrap().unwrap();
    }
}

pub(crate) fn answer(response: Response) -> (u16, serde_json::Value) {
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().unwrap()).unwrap())
}

/// A body that does not say how long it is.
pub(crate) fn chunked(bytes: Vec<u8>) -> reqwest::blocking::Body {
    struct Reader(std::io::Cursor<Vec<u8>>);
    impl Read for Reader {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buffer)
        }
    }
    reqwest::blocking::Body::new(Reader(std::io::Cursor::new(bytes)))
}
