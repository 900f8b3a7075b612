//! A real PostgreSQL server for the tests, in a directory of its own, on a free loopback port, as an unprivileged user.
//!
//! The idea: as for Kafka, the server is the child of a shell that waits for the end of its standard input, whose other
//! end only this process holds: however this process ends, the server ends and its data goes. The shell also kills
//! (-9, with every backend, as a power cut would) and starts it again when it is told to.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use bongsu::model::PostgresUrl;
use bongsu::pipeline::crash::lasting_ports;
use bongsu::store::{self, PostgresOptions, SqlStore, Store};
use std::sync::Arc;

use crate::site::eventually;
use crate::store_suite::Home;

/// The server refuses to run as root; the package makes this user.
const UNPRIVILEGED: &str = "postgres";

/// Runs the server `$@` when it is told to, and obeys: `start`, `kill`. Says one line for each.
const KEEPER: &str = r#"
# Whoever listened may be gone: the work at the end is done all the same.
trap '' PIPE
pid=
start() { "$@" >>"$LOG" 2>&1 </dev/null & pid=$!; echo started; }
while read -r word; do
  case $word in
  start) start "$@" ;;
  kill)
    # It must not make another child between the list and the end.
    kill -STOP $pid
    all="$pid $(cat /proc/$pid/task/$pid/children 2>/dev/null)"
    kill -9 $all 2>/dev/null
    wait $pid 2>/dev/null
    # Until the last of them has let go of the shared memory; what is dead but not collected has no command line.
    for one in $all; do while [ -n "$(tr -d '\0' 2>/dev/null </proc/$one/cmdline)" ]; do :; done; done
    echo killed ;;
  esac
done
if [ -n "$pid" ]; then kill -QUIT $pid 2>/dev/null; wait $pid 2>/dev/null; fi
rm -rf "$DIR"
"#;

/// A running server.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    dir: PathBuf,
    /// Dropped, it ends the server.
    keeper: Mutex<Keeper>,
    databases: AtomicU32,
}

struct Keeper {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Postgres {
    /// The server that all tests of this process share; it does not wait for the disk, and takes TLS.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&["-c", "fsync=off"]))
    }

    /// Starts a server with these settings and waits until it answers.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let bin = binaries();
        let dir = tempfile::Builder::new().prefix("bongsu-postgres-").tempdir().expect("a temporary directory").keep();
        let data = dir.join("data");
        let port = lasting_ports(1).expect("a free port")[0];
        let program = unprivileged(&bin.join("postgres"));
        let mut child = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program.get_program())
            .args(program.get_args())
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "max_connections=120", "-c", "shared_buffers=16MB", "-c", "max_wal_size=128MB"])
            .args(["-c", "autovacuum=off", "-c", "logging_collector=off", "-c", "lc_messages=C", "-c", "ssl=on"])
            .args(["-c", &format!("ssl_cert_file={}", dir.join("server.pem").display())])
            .args(["-c", &format!("ssl_key_file={}", dir.join("server.key").display())])
            .args(settings)
            .env("LOG", dir.join("out.log"))
            .env("DIR", &dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh is installed");
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("piped")));
        let keeper = Mutex::new(Keeper { child, stdin, stdout });
        let server = Self { port, dir, keeper, databases: AtomicU32::new(0) };
        // From here on the keeper clears up.
        certificates(&server.dir);
        hand_over(&server.dir);
        prepare(&bin, &data);
        server.restart();
        server
    }

    /// A file beside the data, for example `ca.pem`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A new, empty database; gives its name.
    pub(crate) fn database(&self) -> String {
        let name = format!("db_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.admin("postgres").run(&format!("CREATE DATABASE {name}"));
        name
    }

    /// The URL of a database for a role.
    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// A connection of the test's own.
    pub(crate) fn admin(&self, database: &str) -> Session {
        Session::open(self.port, database).unwrap_or_else(|why| panic!("{why}: {}", self.said()))
    }

    /// kill -9, every backend with it.
    pub(crate) fn kill(&self) {
        self.tell("kill");
        self.hear("killed");
    }

    /// Starts it, again after [`Postgres::kill`].
    pub(crate) fn restart(&self) {
        self.tell("start");
        self.hear("started");
        self.await_answer();
    }

    fn await_answer(&self) {
        eventually("PostgreSQL answers", || match Session::open(self.port, "postgres") {
            Ok(session) => Some(session),
            Err(why) => {
                assert!(!self.said().contains("FATAL:  could not"), "{why}: {}", self.said());
                None
            }
        });
    }

    fn tell(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        writeln!(keeper.stdin.as_mut().expect("it runs"), "{word}").expect("the keeper listens");
    }

    fn hear(&self, wanted: &str) {
        let mut line = String::new();
        self.keeper.lock().unwrap().stdout.read_line(&mut line).expect("the keeper speaks");
        assert_eq!(line.trim(), wanted, "{}", self.said());
    }

    /// The last that the server wrote.
    fn said(&self) -> String {
        let log = fs::read_to_string(self.dir.join("out.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut keeper = self.keeper.lock().unwrap();
        drop(keeper.stdin.take());
        drop(keeper.child.wait());
    }
}

/// A connection of a test's own, past the store.
pub(crate) struct Session {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Session {
    fn open(port: u16, database: &str) -> Result<Self, tokio_postgres::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).user("postgres").dbname(database);
        let (client, connection) = runtime.block_on(config.connect(tokio_postgres::NoTls))?;
        runtime.spawn(connection);
        Ok(Self { runtime, client })
    }

    /// Runs statements.
    pub(crate) fn run(&self, text: &str) {
        let done = self.runtime.block_on(self.client.batch_execute(text));
        done.unwrap_or_else(|why| panic!("{text}: {why:?}"));
    }

    /// The first column of the first row, which is an integer.
    pub(crate) fn number(&self, text: &str) -> i64 {
        let row = self.runtime.block_on(self.client.query_one(text, &[]));
        row.unwrap_or_else(|why| panic!("{text}: {why:?}")).get(0)
    }
}

/// A database of its own in the shared server.
pub(crate) struct InPostgres {
    pub(crate) database: String,
}

impl Default for InPostgres {
    fn default() -> Self {
        Self { database: Postgres::shared().database() }
    }
}

impl InPostgres {
    pub(crate) fn url(&self) -> String {
        Postgres::shared().url("postgres", &self.database)
    }

    pub(crate) fn admin(&self) -> Session {
        Postgres::shared().admin(&self.database)
    }

    /// A store with options.
    pub(crate) fn open_with(&self, options: &PostgresOptions) -> SqlStore {
        store::open_postgres(&PostgresUrl::parse(&self.url(), false).unwrap(), options).unwrap()
    }
}

impl Home for InPostgres {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(store::open(&self.url()).unwrap())
    }
}

/// Where the newest installed server's programs are.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter(|entry| entry.path().join("bin/postgres").exists())
        .max_by_key(|entry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    newest
        .expect("the package postgresql is installed: a test that needs a server starts it or fails")
        .path()
        .join("bin")
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--clear-groups"]).arg(program);
    command
}

/// Gives the directory to whoever will run the server.
fn hand_over(dir: &Path) {
    fs::set_permissions(dir.join("server.key"), fs::Permissions::from_mode(0o600)).expect("our own file");
    // The test itself reads the certificates there.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("our own directory");
    if is_root() {
        let given = Command::new("chown").args(["-R", UNPRIVILEGED]).arg(dir).status().expect("chown is installed");
        assert!(given.success(), "there is no user `{UNPRIVILEGED}`: the package postgresql makes it");
    }
}

/// An empty cluster, and who may come in how.
fn prepare(bin: &Path, data: &Path) {
    // A language of its own kind of order, so that whoever forgets to order by bytes is found out.
    let made = unprivileged(&bin.join("initdb"))
        .args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"])
        .args(["--locale-provider=icu", "--icu-locale=ko", "-D"])
        .arg(data)
        .output()
        .expect("setpriv is installed");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let access = "host all secret_role 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    fs::write(data.join("pg_hba.conf"), access).expect("write pg_hba.conf");
}

/// An authority and, signed by it, a certificate for `localhost`; and another authority that signed nothing.
fn certificates(dir: &Path) {
    let openssl = |line: &str| {
        let done =
            Command::new("openssl").current_dir(dir).args(line.split(' ')).output().expect("openssl is installed");
        assert!(done.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=test-ca -days 3"));
    openssl(&format!("req -x509 {key} -keyout other.key -out other.pem -subj /CN=other-ca -days 3"));
    openssl(&format!("req -new {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    fs::write(dir.join("names"), "subjectAltName=DNS:localhost\n").expect("write the names");
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3 -extfile names -out server.pem");
}
