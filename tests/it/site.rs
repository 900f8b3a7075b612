//! A service of its own for a test: a configuration in a temporary folder, the real program as a child process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use bongsu::pipeline::crash::lasting_ports;
use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything that must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The folder, its configuration and the address of the service.
pub(crate) struct Site {
    dir: TempDir,
    pub(crate) listen: String,
    client: reqwest::blocking::Client,
}

/// The running service; killed when dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program under test.
pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_bongsu"))
}

/// Runs a command of the program to its end.
pub(crate) fn bongsu(args: &[&str]) -> Output {
    Command::new(program()).args(args).stdin(Stdio::null()).output().expect("the program starts")
}

/// The lines of standard output as JSON.
pub(crate) fn json_lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("output is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// Asks `look` again and again, without a fixed wait, until it gives something or the deadline is over.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    let (_never, pause) = channel::<()>();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "did not happen in time: {what}");
        let _ = pause.recv_timeout(Duration::from_millis(20));
    }
}

impl Site {
    /// A site with these rules (the list under `rules:`), one contact and one chain.
    pub(crate) fn new(rules: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = lasting_ports(1).expect("a free port")[0];
        let port = format!("127.0.0.1:{port}");
        let service = format!(
            "roles: [evaluate, incident, notify, console]\n\
             log: {{ kind: embedded, topics: [{{ name: telemetry, format: bongsu }}], partitions: 2 }}\n\
             store: {{ url: \"sqlite:bongsu.db\" }}\nconsole: {{ listen: \"{port}\" }}\n\
             paths: {{ rules: rules.yaml, contacts: contacts.yaml, chains: chains.yaml, inventory: inventory.yaml, calendar: calendar.yaml }}\n"
        );
        let contacts = "contacts:\n  - { id: duty-1, org: MSP, roles: [duty], name: 가상인, phone: \"010-0000-0001\", confirmed: 2026-01-02 }\n";
        let chains = "chains:\n  - id: all\n    default: true\n    steps:\n      - { to: [MSP/duty], by: [sms], wait: 1h }\n    last: { to: [MSP/duty], by: [sms], repeat: 1h }\n";
        for (name, text) in [
            ("bongsu.yaml", service.as_str()),
            ("rules.yaml", &format!("version: 1\nrules:\n{rules}")),
            ("contacts.yaml", contacts),
            ("chains.yaml", chains),
            ("inventory.yaml", "resources:\n  - { id: known-01, kind: vm }\n"),
            ("calendar.yaml", "holidays: []\n"),
        ] {
            std::fs::write(dir.path().join(name), text).expect("the folder can be written");
        }
        // An error means that another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(20)).no_proxy().build();
        Self { dir, listen: port.to_string(), client: client.expect("an HTTP client") }
    }

    /// Keeps its decisions at `url` instead of in a file.
    pub(crate) fn keep_in(&self, url: &str) {
        self.edit("bongsu.yaml", "sqlite:bongsu.db", url);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// `-c` and `--data-dir` of this site.
    pub(crate) fn place(&self) -> [String; 4] {
        let show = |path: &Path| path.display().to_string();
        ["-c".to_owned(), show(&self.path("bongsu.yaml")), "--data-dir".to_owned(), show(&self.data())]
    }

    /// Runs a command of the program on this site.
    pub(crate) fn command(&self, args: &[&str]) -> Output {
        let place = self.place();
        let all: Vec<&str> = args.iter().copied().chain(place.iter().map(String::as_str)).collect();
        bongsu(&all)
    }

    /// Starts the service and waits until it is healthy.
    pub(crate) fn start(&self) -> Running {
        self.launch(Command::new(program()))
    }

    /// The same, for [`Running::limit_files`]: a write beyond the limit is then an error and not the end.
    pub(crate) fn start_with_limits(&self) -> Running {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program());
        self.launch(shell)
    }

    fn launch(&self, mut command: Command) -> Running {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("service.log")).unwrap();
        let mut child = command
            .arg("run")
            .args(self.place())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let running = Running(child);
        assert!(line.starts_with("bongsu "), "it did not start: {line:?}, {}", self.service_log());
        eventually("healthy", || self.is_healthy().then_some(()));
        running
    }

    /// What `/healthz` says; `false` also where nobody answers.
    pub(crate) fn is_healthy(&self) -> bool {
        let answer = self.client.get(format!("http://{}/healthz", self.listen)).send();
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub(crate) fn service_log(&self) -> String {
        std::fs::read_to_string(self.path("service.log")).unwrap_or_default()
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.data().join("token")).unwrap().trim().to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).expect("JSON")
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let request = self.client.get(format!("http://{}{path}", self.listen)).bearer_auth(self.token());
        request.send().unwrap().text().unwrap()
    }

    /// Sends records through the door.
    pub(crate) fn send(&self, records: &str) -> Value {
        self.post(records.as_bytes()).1
    }

    /// Sends a body of any bytes to the door; gives status and answer.
    pub(crate) fn post(&self, body: &[u8]) -> (u16, Value) {
        let request = self.client.post(format!("http://{}/v1/records", self.listen)).bearer_auth(self.token());
        let answer = request.body(body.to_vec()).send().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().unwrap()).expect("JSON"))
    }

    /// Sends records as a sender does that knows of outages: how many were taken, 0 where nobody answered.
    pub(crate) fn offer(&self, records: &str) -> u64 {
        let request = self.client.post(format!("http://{}/v1/records", self.listen)).bearer_auth(self.token());
        let text = request.body(records.to_owned()).send().and_then(reqwest::blocking::Response::text);
        let answer = text.ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
        answer.and_then(|answer| answer["accepted"].as_u64()).unwrap_or(0)
    }

    /// Replaces text in one of its files.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).expect("we wrote it");
        assert!(text.contains(from), "{name} does not hold {from:?}");
        std::fs::write(self.path(name), text.replace(from, to)).expect("the folder can be written");
    }

    /// All incidents of a rule.
    pub(crate) fn incidents(&self, rule: &str) -> Vec<Value> {
        let all = self.get("/v1/incidents")["incidents"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|incident| incident["rule"] == rule).collect()
    }

    /// Waits for a page of a rule's incident, with this reason, that reached its phone.
    pub(crate) fn page(&self, rule: &str, reason: &str) -> Value {
        eventually(&format!("a page of {rule}: {reason}"), || {
            let ids: Vec<Value> = self.incidents(rule).iter().map(|incident| incident["id"].clone()).collect();
            let pages = self.get("/v1/pages")["pages"].as_array().cloned().unwrap_or_default();
            pages
                .into_iter()
                .find(|page| ids.contains(&page["incident"]) && page["reason"] == reason && page["state"] == "accepted")
        })
    }
}

impl Running {
    /// SIGTERM; gives the exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap().code()
    }

    /// No file may grow beyond so many bytes (`None`: as far as it likes), as on a disk that is full. The service must
    /// have been started by [`Site::start_with_limits`].
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        let maximum = getrlimit(Resource::Fsize).maximum;
        prlimit(pid, Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
    }

    /// Sends it a signal such as `-STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Wall time in ms.
pub(crate) fn now() -> i64 {
    use bongsu::time::Clock;
    bongsu::time::SystemClock.wall()
}

/// One record of one number.
pub(crate) fn record(host: &str, metric: &str, value: f64) -> String {
    let now = now();
    format!("{{\"v\":1,\"ts\":{now},\"sent\":{now},\"host\":\"{host}\",\"points\":[[\"{metric}\",{value}]]}}\n")
}
