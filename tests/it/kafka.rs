//! A real Kafka broker for the tests: Maven fetches the jars, one JVM runs broker and controller in a directory of its
//! own, on free loopback ports.
//!
//! The idea: each JVM is the child of a shell that waits for the end of its standard input, whose other end only this
//! process holds. However this process ends (done, panicked, killed), the shell sees the end, kills the JVM and removes
//! its data. Nothing needs to run at exit.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use bongsu::pipeline::crash::lasting_ports;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

/// How long a new broker may take to give its metadata before the test gives up; each question waits up to a second …
const METADATA_WITHIN: Duration = Duration::from_secs(90);
/// … and the next one comes so much later: a cluster that is not complete answers at once.
const METADATA_PAUSE: Duration = Duration::from_millis(50);
/// Any identity will do, the same on every node of a cluster.
const CLUSTER: &str = "Ym9uZ3N1LXRlc3QtMDAwMQ";

/// Runs Java with `$@`, its output in `$LOG`, and kills it when standard input ends; before that each line of it is an
/// order, answered with a line. Says the JVM's id first.
const KEEPER: &str = r#"
begin() { "$@" >>"$LOG" 2>&1 </dev/null & jvm=$!; }
begin "$@"
echo $jvm
while read -r order; do
  case $order in
    start) begin "$@" ;;
    KILL) kill -KILL $jvm; wait $jvm 2>/dev/null ;;
    *) kill -"$order" $jvm ;;
  esac
  echo done
done
kill -KILL $jvm 2>/dev/null
wait $jvm 2>/dev/null
rm -rf "$DIR"
"#;

/// The user that may do everything on a secure listener, and the password of every user there.
pub(crate) const ADMIN: &str = "admin";
pub(crate) const PASSWORD: &str = "loopback-only";

/// What a cluster is made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// 1 or 3.
    pub(crate) nodes: usize,
    /// Further lines of every node's settings.
    pub(crate) more: Vec<String>,
    /// SCRAM users of a second listener with TLS; what nobody allowed is then forbidden to them.
    pub(crate) users: Vec<&'static str>,
}

/// What a node can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Dies at once.
    Kill,
    /// Starts again after [`Order::Kill`].
    Start,
    /// Stands still …
    Freeze,
    /// … and goes on.
    Thaw,
}

/// A running cluster.
pub(crate) struct Kafka {
    brokers: String,
    secure: String,
    authority: PathBuf,
    nodes: Vec<Node>,
}

/// One JVM and its keeper.
struct Node {
    /// Dropped, it ends the JVM.
    stdin: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    keeper: Child,
    log: PathBuf,
}

/// A node's directory and ports before it runs.
struct Place {
    dir: PathBuf,
    port: u16,
    control: u16,
    secure: u16,
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
        Self::with(&Plan { nodes: n, ..Plan::default() })
    }

    /// Starts a cluster by plan, as [`Kafka::start`].
    pub(crate) fn with(plan: &Plan) -> Self {
        let mut kafka = Self::launch(plan);
        kafka.await_metadata();
        kafka
    }

    /// Starts a cluster and does not wait for it.
    pub(crate) fn launch(plan: &Plan) -> Self {
        let libs = fetched_jars();
        let ports = lasting_ports(3 * plan.nodes).expect("free loopback ports");
        let place = |ports: &[u16]| {
            let dir = tempfile::Builder::new().prefix("bongsu-kafka-").tempdir().expect("a temporary directory").keep();
            Place { dir, port: ports[0], control: ports[1], secure: ports[2] }
        };
        let places: Vec<Place> = ports.chunks(3).map(place).collect();
        let authority = places[0].dir.join("authority.pem");
        if !plan.users.is_empty() {
            make_certificate(&places[0].dir);
        }
        let formats: Vec<Child> = (0..plan.nodes).map(|i| format_node(&libs, i, &places, plan)).collect();
        for format in formats {
            let out = format.wait_with_output().expect("our own child");
            assert!(out.status.success(), "format: {}", String::from_utf8_lossy(&out.stderr));
        }
        let nodes = places.iter().map(|place| Node::start(&libs, &place.dir)).collect();
        let all = |port: fn(&Place) -> u16| {
            places.iter().map(|place| format!("127.0.0.1:{}", port(place))).collect::<Vec<_>>().join(",")
        };
        Self { brokers: all(|place| place.port), secure: all(|place| place.secure), authority, nodes }
    }

    /// `host:port` of every broker.
    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// `host:port` of every broker's listener with TLS and SASL.
    pub(crate) fn secure(&self) -> &str {
        &self.secure
    }

    /// The certificate that signed the brokers', as PEM.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    /// Gives a node an order and waits until it was carried out.
    pub(crate) fn tell(&mut self, node: usize, order: Order) {
        let word = match order {
            Order::Kill => "KILL",
            Order::Start => "start",
            Order::Freeze => "STOP",
            Order::Thaw => "CONT",
        };
        let node = &mut self.nodes[node];
        writeln!(node.stdin.as_mut().expect("the keeper lives"), "{word}").expect("the keeper listens");
        let mut answer = String::new();
        node.answers.read_line(&mut answer).expect("the keeper answers");
        assert_eq!(answer.trim(), "done");
    }

    /// Runs one of Kafka's own tools (`org.apache.kafka.tools.…`) to its end.
    pub(crate) fn tool(&self, class: &str, args: &[&str]) {
        let out = java(&fetched_jars()).arg(class).args(["--bootstrap-server", &self.brokers]).args(args).output();
        let out = out.expect("java is installed");
        assert!(out.status.success(), "{class}: {}", String::from_utf8_lossy(&[out.stdout, out.stderr].concat()));
    }

    /// Waits until every node answers.
    pub(crate) fn await_metadata(&mut self) {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("reconnect.backoff.max.ms", "500")
            .set("log_level", "0")
            .create()
            .expect("plain settings are right");
        let began = Instant::now();
        let (_never, pause) = channel::<()>();
        while began.elapsed() < METADATA_WITHIN {
            let metadata = client.fetch_metadata(None, Duration::from_secs(1));
            if metadata.is_ok_and(|metadata| metadata.brokers().len() == self.nodes.len()) {
                return;
            }
            for node in &mut self.nodes {
                let ended = node.keeper.try_wait().expect("our own child").is_some();
                assert!(!ended, "a broker's keeper ended: {}", node.said());
            }
            let _ = pause.recv_timeout(METADATA_PAUSE);
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
    fn start(libs: &Path, dir: &Path) -> Self {
        let log = dir.join("out.log");
        let broker = java(libs);
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(broker.get_program())
            .args(broker.get_args())
            .arg("kafka.Kafka")
            .arg(dir.join("server.properties"))
            .env("LOG", &log)
            .env("DIR", dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh is installed");
        let mut first = String::new();
        let mut answers = BufReader::new(keeper.stdout.take().expect("piped"));
        answers.read_line(&mut first).expect("the keeper speaks");
        first.trim().parse::<u32>().expect("the keeper says the JVM's id first");
        Self { stdin: keeper.stdin.take(), answers, keeper, log }
    }

    /// The last that the broker wrote.
    fn said(&self) -> String {
        let mut said = String::new();
        let read = fs::File::open(&self.log).and_then(|mut file| file.read_to_string(&mut said));
        read.map_or_else(|why| why.to_string(), |_| said.lines().rev().take(40).collect::<Vec<_>>().join("\n"))
    }
}

/// Writes a node's settings and begins to format its directory.
fn format_node(libs: &Path, i: usize, places: &[Place], plan: &Plan) -> Child {
    let settings = places[i].dir.join("server.properties");
    fs::write(&settings, properties(i, places, plan)).expect("write the broker's settings");
    let mut format = java(libs);
    format.args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER, "--config"]).arg(&settings);
    for user in &plan.users {
        format.args(["--add-scram", &format!("SCRAM-SHA-512=[name={user},password={PASSWORD}]")]);
    }
    let started = format.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    started.expect("java is installed: a test that needs Kafka starts it or fails")
}

/// A key and its certificate, which is its own authority, for all nodes.
pub(crate) fn make_certificate(dir: &Path) {
    let keytool = |args: &[&str]| {
        let store = dir.join("keys.p12");
        let made =
            Command::new("keytool").args(args).arg("-keystore").arg(store).args(["-storepass", PASSWORD]).output();
        let made = made.expect("keytool comes with java");
        assert!(made.status.success(), "keytool: {}", String::from_utf8_lossy(&made.stdout));
        made.stdout
    };
    keytool(&[
        "-genkeypair",
        "-alias",
        "broker",
        "-keyalg",
        "EC",
        "-validity",
        "30",
        "-dname",
        "CN=127.0.0.1",
        "-ext",
        "san=ip:127.0.0.1",
        "-ext",
        "bc:c",
        "-storetype",
        "PKCS12",
    ]);
    let certificate = keytool(&["-exportcert", "-rfc", "-alias", "broker"]);
    fs::write(dir.join("authority.pem"), certificate).expect("write the certificate");
}

fn properties(i: usize, places: &[Place], plan: &Plan) -> String {
    let Place { dir, port, control, secure } = &places[i];
    let voters: Vec<_> = places.iter().zip(1..).map(|(p, id)| format!("{id}@127.0.0.1:{}", p.control)).collect();
    let replicas = if places.len() >= 3 { 3 } else { 1 };
    let in_sync = replicas.min(2);
    let with_tls = !plan.users.is_empty();
    let (listen, map) =
        if with_tls { (format!(",SECURE://127.0.0.1:{secure}"), ",SECURE:SASL_SSL") } else { (String::new(), "") };
    let mut text = format!(
        "process.roles=broker,controller\nnode.id={id}\ncontroller.quorum.voters={voters}\n\
         listeners=CLIENT://127.0.0.1:{port},CONTROL://127.0.0.1:{control}{listen}\n\
         advertised.listeners=CLIENT://127.0.0.1:{port}{listen}\n\
         listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROL:PLAINTEXT{map}\n\
         controller.listener.names=CONTROL\ninter.broker.listener.name=CLIENT\n\
         log.dirs={logs}\ndefault.replication.factor={replicas}\nmin.insync.replicas={in_sync}\n\
         allow.everyone.if.no.acl.found={open}\n",
        id = i + 1,
        voters = voters.join(","),
        logs = dir.join("logs").display(),
        // So that a test can take a permission away; what nobody took away is allowed, unless there are users.
        open = !with_tls,
    );
    // Three controllers would wait for each other to read who may elect a leader.
    if places.len() == 1 {
        text.push_str("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n");
    }
    if with_tls {
        text.push_str(&format!(
            "sasl.enabled.mechanisms=SCRAM-SHA-512\nsuper.users=User:ANONYMOUS;User:{ADMIN}\n\
             listener.name.secure.scram-sha-512.sasl.jaas.config=\
             org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
             ssl.keystore.type=PKCS12\nssl.keystore.password={PASSWORD}\nssl.keystore.location={keys}\n",
            keys = places[0].dir.join("keys.p12").display(),
        ));
    }
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
        // Members of groups must be seen to die within a test.
        "group.min.session.timeout.ms=1000".to_owned(),
        "group.consumer.min.session.timeout.ms=1000".to_owned(),
        "group.consumer.session.timeout.ms=4000".to_owned(),
        "group.consumer.min.heartbeat.interval.ms=200".to_owned(),
        "group.consumer.heartbeat.interval.ms=500".to_owned(),
    ] {
        text.push_str(&line);
        text.push('\n');
    }
    // Of two lines about one thing the later counts.
    for line in &plan.more {
        text.push_str(&format!("{line}\n"));
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
