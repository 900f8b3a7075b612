//! A proxy before the shared PostgreSQL server that cuts connections at COMMIT.
//!
//! The idea: whoever waits for the answer of a COMMIT and loses the connection knows nothing: it may never have arrived,
//! be done, or be done later, when somebody already asks what became of it. Each of the three is made here on purpose.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::postgres::{InPostgres, Postgres};

/// How a COMMIT is cut off from whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cut {
    /// It never arrives.
    Before,
    /// The server has answered; the answer never arrives.
    After,
    /// It arrives once another connection has sent its next write.
    Late,
}

type Choose = Box<dyn FnMut() -> Option<Cut> + Send>;

struct Shared {
    /// Asked at each COMMIT.
    choose: Mutex<Choose>,
    cuts: AtomicUsize,
    /// COMMITs that are under way, and the connections on which they are.
    late: Mutex<Vec<(TcpStream, Vec<u8>)>>,
}

/// The proxy; it ends with the process, connections end with either side.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Begins; `choose` says of each COMMIT whether it is cut.
    pub(crate) fn start(choose: impl FnMut() -> Option<Cut> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let choose: Mutex<Choose> = Mutex::new(Box::new(choose));
        let shared = Arc::new(Shared { choose, cuts: AtomicUsize::new(0), late: Mutex::default() });
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let server = TcpStream::connect(("127.0.0.1", Postgres::shared().port)).unwrap();
                let (client, shared) = (client.unwrap(), Arc::clone(&theirs));
                std::thread::spawn(move || relay(client, server, &shared));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn url(&self, home: &InPostgres) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, home.database)
    }

    /// COMMITs that were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Relays one connection until it ends or is cut.
fn relay(mut client: TcpStream, mut server: TcpStream, shared: &Shared) {
    let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let muted = Arc::new(AtomicBool::new(false));
    let quiet = Arc::clone(&muted);
    let answers = std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(n @ 1..) = back.read(&mut buffer) {
            if quiet.load(Ordering::SeqCst) || to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut buffer = [0; 65_536];
    while let Ok(n @ 1..) = client.read(&mut buffer) {
        let sent = &buffer[..n];
        let cut = if holds(sent, b"COMMIT\0") { (shared.choose.lock().unwrap())() } else { None };
        shared.cuts.fetch_add(usize::from(cut.is_some()), Ordering::SeqCst);
        match cut {
            Some(Cut::Late) => {
                shared.late.lock().unwrap().push((server.try_clone().unwrap(), sent.to_vec()));
                let _ = client.shutdown(Shutdown::Both);
                let _ = answers.join();
                return;
            }
            Some(Cut::Before) => {
                let _ = client.shutdown(Shutdown::Both);
                break;
            }
            Some(Cut::After) => muted.store(true, Ordering::SeqCst),
            None => {}
        }
        if server.write_all(sent).is_err() {
            break;
        }
        if holds(sent, b"UPDATE ") || holds(sent, b"INSERT ") {
            for (mut late, commit) in shared.late.lock().unwrap().drain(..) {
                let _ = late.write_all(&commit);
                let _ = late.shutdown(Shutdown::Write);
            }
        }
    }
    let _ = server.shutdown(Shutdown::Write);
    let _ = answers.join();
    let _ = server.shutdown(Shutdown::Both);
}
