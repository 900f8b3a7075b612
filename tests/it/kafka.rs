//! A real Kafka broker for the tests: Maven fetches the jars, one JVM runs broker and controller in a directory of its
//! own, on free loopback ports.
//!
//! The idea: each JVM is the child of a shell that waits for the end of its standard input, whose other end only this
//! process holds. However this process ends (done, panicked, killed), the shell sees the end, kills the JVM and removes
//! its data. Nothing needs to run at exit.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

/// How often a new broker is asked for its metadata before the test gives up; each question waits up to a second.
const METADATA_ASKED_MAX: usize = 90;
/// Any identity will do, the same on every node of a cluster.
const CLUSTER: &str = "Ym9uZ3N1LXRlc3QtMDAwMQ";

/// Runs Java with `$@`, its output in `$LOG`, and kills it when standard input ends. Says the JVM's id first.
const KEEPER: &str = r#"
"$@" >"$LOG" 2>&1 </dev/null &
echo $!
read -r _
kill -9 $! 2>/dev/null
wait $! 2>/dev/null
rm -rf "$DIR"
"#;

/// A running cluster.
pub(crate) struct Kafka {
    brokers: String,
    nodes: Vec<Node>,
}

/// One JVM and its keeper.
struct Node {
    /// Dropped, it ends the JVM.
    stdin: Option<ChildStdin>,
    keeper: Child,
    log: PathBuf,
}

impl Kafka {
    /// The broker that all tests of this process share, started by whoever asks first.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(1))
    }

    /// Starts a cluster of `n` nodes (1 or 3) and waits until it answers with all of them. Panics with the brokers' own
    /// words where it cannot.
    pub(crate) fn start(n: usize) -> Self {
        let libs = fetched_jars();
        let ports: Vec<(u16, u16)> = free_ports(2 * n).chunks(2).map(|pair| (pair[0], pair[1])).collect();
        let nodes = (0..n).map(|i| Node::start(&libs, i, &ports)).collect();
        let brokers = ports.iter().map(|(port, _)| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",");
        let mut kafka = Self { brokers, nodes };
        kafka.await_metadata();
        kafka
    }

    /// `host:port` of every broker.
    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Runs one of Kafka's own tools (`org.apache.kafka.tools.…`) to its end.
    pub(crate) fn tool(&self, class: &str, args: &[&str]) {
        let out = java(&fetched_jars()).arg(class).args(["--bootstrap-server", &self.brokers]).args(args).output();
        let out = out.expect("java is installed");
        assert!(out.status.success(), "{class}: {}", String::from_utf8_lossy(&[out.stdout, out.stderr].concat()));
    }

    fn await_metadata(&mut self) {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("reconnect.backoff.max.ms", "500")
            .set("log_level", "0")
            .create()
            .expect("plain settings are right");
        for _ in 0..METADATA_ASKED_MAX {
            // The question waits for a connection inside librdkafka: no sleep is needed here.
            let metadata = client.fetch_metadata(None, Duration::from_secs(1));
            if metadata.is_ok_and(|metadata| metadata.brokers().len() == self.nodes.len()) {
                return;
            }
            for node in &mut self.nodes {
                let ended = node.keeper.try_wait().expect("our own child").is_some();
                assert!(!ended, "a broker's keeper ended: {}", node.said());
            }
        }
        let said: Vec<_> = self.nodes.iter().map(Node::said).collect();
        panic!("Kafka gave no metadata: {}", said.join("\n---\n"));
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            drop(node.stdin.take());
            drop(node.keeper.wait());
        }
    }
}

impl Node {
    fn start(libs: &Path, i: usize, ports: &[(u16, u16)]) -> Self {
        let dir = tempfile::Builder::new().prefix("bongsu-kafka-").tempdir().expect("a temporary directory").keep();
        let settings = dir.join("server.properties");
        fs::write(&settings, properties(&dir, i, ports)).expect("write the broker's settings");
        let config = settings.to_str().expect("temporary paths are text");
        let format = java(libs)
            .args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER, "--config", config])
            .output()
            .expect("java is installed: a test that needs Kafka starts it or fails");
        assert!(format.status.success(), "format: {}", String::from_utf8_lossy(&format.stderr));

        let log = dir.join("out.log");
        let broker = java(libs);
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(broker.get_program())
            .args(broker.get_args())
            .args(["kafka.Kafka", config])
            .env("LOG", &log)
            .env("DIR", &dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh is installed");
        let mut first = String::new();
        BufReader::new(keeper.stdout.take().expect("piped")).read_line(&mut first).expect("the keeper speaks");
        first.trim().parse::<u32>().expect("the keeper says the JVM's id first");
        Self { stdin: keeper.stdin.take(), keeper, log }
    }

    /// The last that the broker wrote.
    fn said(&self) -> String {
        let mut said = String::new();
        let read = fs::File::open(&self.log).and_then(|mut file| file.read_to_string(&mut said));
        read.map_or_else(|why| why.to_string(), |_| said.lines().rev().take(40).collect::<Vec<_>>().join("\n"))
    }
}

fn properties(dir: &Path, i: usize, ports: &[(u16, u16)]) -> String {
    let voters: Vec<_> = ports.iter().zip(1..).map(|((_, port), id)| format!("{id}@127.0.0.1:{port}")).collect();
    let replicas = if ports.len() >= 3 { 3 } else { 1 };
    let in_sync = replicas.min(2);
    let (port, control) = ports[i];
    let mut text = format!(
        "process.roles=broker,controller\nnode.id={id}\ncontroller.quorum.voters={voters}\n\
         listeners=CLIENT://127.0.0.1:{port},CONTROL://127.0.0.1:{control}\n\
         advertised.listeners=CLIENT://127.0.0.1:{port}\n\
         listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROL:PLAINTEXT\n\
         controller.listener.names=CONTROL\ninter.broker.listener.name=CLIENT\n\
         log.dirs={logs}\ndefault.replication.factor={replicas}\nmin.insync.replicas={in_sync}\n",
        id = i + 1,
        voters = voters.join(","),
        logs = dir.join("logs").display(),
    );
    for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
        // Fifty partitions each are most of a broker's start.
        text.push_str(&format!("{topic}.num.partitions=2\n{topic}.replication.factor={replicas}\n"));
    }
    for line in [
        format!("transaction.state.log.min.isr={in_sync}"),
        format!("share.coordinator.state.topic.min.isr={in_sync}"),
        "auto.create.topics.enable=false".to_owned(),
        "group.initial.rebalance.delay.ms=0".to_owned(),
        "num.network.threads=2".to_owned(),
        "num.io.threads=2".to_owned(),
        // 128 MiB of heap otherwise.
        "log.cleaner.dedupe.buffer.size=4194304".to_owned(),
        "broker.session.timeout.ms=6000".to_owned(),
        "broker.heartbeat.interval.ms=1000".to_owned(),
        // So that a test can take a permission away; what nobody took away is allowed.
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
        "allow.everyone.if.no.acl.found=true".to_owned(),
    ] {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn java(libs: &Path) -> Command {
    let mut java = Command::new("java");
    let logging = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/log4j2.properties");
    java.args(["-Xms96m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]);
    java.arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
    java.arg("-cp").arg(libs.join("*"));
    java
}

/// Ports that were free a moment ago, all different.
fn free_ports(n: usize) -> Vec<u16> {
    let held: Vec<_> = (0..n).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free loopback port")).collect();
    held.iter().map(|socket| socket.local_addr().expect("a bound socket").port()).collect()
}

/// The broker's jars, fetched by Maven once per version of `tests/kafka/pom.xml`, by one process at a time.
fn fetched_jars() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pom = root.join("tests/kafka/pom.xml");
    let home = root.join("target/kafka");
    let libs = home.join("libs");
    fs::create_dir_all(&home).expect("make target/kafka");
    let lock = fs::File::create(home.join("fetch.lock")).expect("make a lock file");
    lock.lock().expect("lock it");
    let wanted = fs::read(&pom).expect("read pom.xml");
    let mark = home.join("fetched.xml");
    if fs::read(&mark).is_ok_and(|fetched| fetched == wanted) {
        return libs;
    }
    drop(fs::remove_dir_all(&libs));
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", libs.display()))
        .output()
        .expect("mvn is installed: a test that needs Kafka fetches it or fails");
    assert!(fetched.status.success(), "mvn: {}", String::from_utf8_lossy(&fetched.stdout));
    fs::write(&mark, wanted).expect("mark the jars as complete");
    libs
}
