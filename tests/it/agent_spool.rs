//! The agent's spool against a real process that is killed in the middle of its work.
//!
//! The idea: the spooling process is this very test program, run again for its one ignored test; what it said was kept
//! must be there afterwards, in order, and what it said was settled must not.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use bongsu::agent::{Record, Spool as _};
use bongsu::pipeline::spool::LogSpool;
use bongsu::time::SystemClock;

/// Tells the child which folder to use, and from which number on to count.
const FOLDER: &str = "BONGSU_TEST_SPOOL";
const FROM: &str = "BONGSU_TEST_SPOOL_FROM";
/// Large enough that nothing falls off.
const BYTES: u64 = 1 << 30;

fn open(folder: &Path) -> LogSpool {
    LogSpool::open(folder, BYTES, Arc::new(SystemClock)).unwrap()
}

fn number(record: &Record) -> u64 {
    String::from_utf8_lossy(&record.value).trim_end_matches('x').parse().unwrap()
}

/// Not a test: pushes without end, settles some, and says both.
#[test]
#[ignore = "the spooling process, started by the other test"]
fn spooler() {
    let (Some(folder), Some(from)) = (std::env::var_os(FOLDER), std::env::var_os(FROM)) else { return };
    let from: u64 = from.to_string_lossy().parse().unwrap();
    let mut spool = open(Path::new(&folder));
    for n in from.. {
        // Between a few bytes and some 8 kB, as records are.
        let value = format!("{n}{}", "x".repeat(usize::try_from(n * 7_919 % 8_000).unwrap()));
        spool.push(&[Record { key: b"a".to_vec(), value: value.into_bytes() }]).unwrap();
        let mut said = format!("kept {n} .\n");
        if n % 3 == 0 {
            let oldest = spool.oldest(2, usize::MAX).unwrap();
            spool.settle(oldest.len()).unwrap();
            said += &format!("settled {} .\n", oldest.last().map_or(0, number));
        }
        // The reader is gone when the test is over: then so is this process.
        if std::io::stdout().lock().write_all(said.as_bytes()).is_err() {
            return;
        }
    }
}

/// A running spooler.
struct Spooler {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Spooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Spooler {
    fn start(folder: &Path, from: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "agent_spool::spooler", "--nocapture"])
            .env(FOLDER, folder)
            .env(FROM, from.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Kills it once it has said `n` lines, and gives the greatest numbers kept and settled that it said.
    fn kill_after(mut self, n: usize) -> (u64, Option<u64>) {
        let mut said: Vec<String> =
            self.lines.by_ref().map(Result::unwrap).filter(|line| is_said(line)).take(n).collect();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The last line may be cut short: then it was not said.
        said.extend(self.lines.by_ref().map_while(Result::ok).filter(|line| is_said(line)));
        let greatest = |word: &str| {
            let number = |line: &String| line.strip_prefix(word)?.strip_suffix(" .")?.parse().ok();
            said.iter().filter_map(number).max()
        };
        (greatest("kept ").unwrap(), greatest("settled "))
    }
}

/// The full stop shows that the line is whole.
fn is_said(line: &str) -> bool {
    (line.starts_with("kept ") || line.starts_with("settled ")) && line.ends_with(" .")
}

#[test]
fn a_killed_agent_lost_nothing_that_it_spooled_and_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let (mut from, mut settled) = (0, None);
    for round in 0..5 {
        let (kept, settled_now) = Spooler::start(folder.path(), from).kill_after(20 + 17 * round);
        settled = settled.max(settled_now);
        let mut spool = open(folder.path());
        let found: Vec<u64> = spool.oldest(usize::MAX, usize::MAX).unwrap().iter().map(number).collect();
        let first = *found.first().unwrap();
        assert!(found.iter().copied().eq(first..first + found.len() as u64), "in order, each once: {found:?}");
        assert!(*found.last().unwrap() >= kept, "{kept} was kept, the last is {:?}", found.last());
        assert!(settled.is_none_or(|settled| first > settled), "{settled:?} was settled, the first is {first}");
        assert_eq!(spool.state().dropped, 0);
        from = found.last().unwrap() + 1;
    }
    assert!(from > 100, "{from}");
}
