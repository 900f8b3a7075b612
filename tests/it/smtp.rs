//! A real mail server for the tests: `tests/smtp/server.py`, a child that ends when this process does.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for a word of the server.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running mail server; ended when dropped.
pub(crate) struct Smtp {
    pub(crate) starttls: u16,
    pub(crate) implicit: u16,
    folder: TempDir,
    orders: Mutex<Option<ChildStdin>>,
    said: Mutex<Receiver<Value>>,
    child: Child,
}

impl Smtp {
    /// Starts it with a certificate of its own for `localhost`. Panics where it cannot.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (authority, cert, key) = certificates();
        for (name, text) in [("ca.pem", authority), ("cert.pem", cert), ("key.pem", key)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp/server.py");
        // The packaged library belongs to the packaged interpreter, whatever else is on the PATH.
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .args([folder.path().join("cert.pem"), folder.path().join("key.pem")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed: a test that needs a mail server starts it or fails");
        let (tell, said) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // Nobody listens any more when the test is over.
                let _ = tell.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let ports = said.recv_timeout(PATIENCE).expect("aiosmtpd (package python3-aiosmtpd) starts");
        let port = |name: &str| ports[name].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap();
        let (starttls, implicit) = (port("starttls"), port("implicit"));
        let orders = Mutex::new(child.stdin.take());
        Self { starttls, implicit, folder, orders, said: Mutex::new(said), child }
    }

    /// The certificate that signs the server's.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Orders a fault for the next mail: `rcpt 450`, `data hang`.
    pub(crate) fn order(&self, what: &str) {
        writeln!(self.orders.lock().unwrap().as_mut().unwrap(), "{what}").unwrap();
        let said = self.said.lock().unwrap().recv_timeout(PATIENCE).expect("it takes orders");
        assert_eq!(said["ordered"], what);
    }

    /// The next mail that it took.
    pub(crate) fn mail(&self) -> Value {
        self.said.lock().unwrap().recv_timeout(PATIENCE).expect("a mail arrives")
    }

    /// Every mail that it took and nobody asked for yet.
    pub(crate) fn mails(&self) -> Vec<Value> {
        self.said.lock().unwrap().try_iter().collect()
    }

    /// It stands still and answers nobody, while the kernel goes on taking connections for it.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// It goes on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// No mail is there that nobody asked for yet.
    pub(crate) fn is_quiet(&self) -> bool {
        self.said.lock().unwrap().try_recv().is_err()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        drop(self.orders.lock().unwrap().take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate authority, and a certificate and key for `localhost`, as PEM.
pub(crate) fn certificates() -> (String, String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    (authority, cert.pem(), own.serialize_pem())
}
