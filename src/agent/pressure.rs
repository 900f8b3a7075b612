//! Pressure stall information: the share of time in which work waited for CPU, memory or I/O.
//!
//! The idea: the running total goes out as a counter, for windows of any length, and the kernel's own 10 s average as a
//! share, for people. A kernel without it (built so, or started with `psi=0`) is a host without these numbers and no
//! failure. The parser asks for nothing but what it finds: kernels differ in lines (`cpu` had no `full`) and files
//! (`irq` is young).

use std::path::Path;

use crate::agent::collector::{Failure, Points, put};

/// What is waited for, each a file of `/proc/pressure`.
const RESOURCES: [&str; 4] = ["cpu", "io", "irq", "memory"];

/// Linux's number for "operation not supported": how a kernel with `psi=0` answers a read.
const EOPNOTSUPP: i32 = 95;

/// One line of a pressure file.
#[derive(Debug, Clone, PartialEq)]
struct Stall<'a> {
    /// `some` task waited, or the `full` set of them.
    kind: &'a str,
    /// Share of the last 10 s, 0..1.
    share: f64,
    /// Seconds since boot.
    total: f64,
}

/// `system.pressure.time` and `system.pressure.share` of each resource.
pub(super) fn collect(proc: &Path, points: &mut Points) -> Result<(), Failure> {
    for resource in RESOURCES {
        let path = proc.join("pressure").join(resource);
        let failure = |why: String| Failure::File { path: path.display().to_string(), why };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound || e.raw_os_error() == Some(EOPNOTSUPP) => continue,
            Err(e) => return Err(failure(e.to_string())),
        };
        let stalls = parse(&text);
        if stalls.is_empty() {
            return Err(failure("no line that is understood".to_owned()));
        }
        // System-wide there is always something running, so `full` of the CPU is defined but says nothing.
        for stall in stalls.iter().filter(|stall| (resource, stall.kind) != ("cpu", "full")) {
            let labels = [("resource", resource), ("stall", stall.kind)];
            put(points, "system.pressure.share", stall.share, &labels);
            put(points, "system.pressure.time", stall.total, &labels);
        }
    }
    Ok(())
}

/// The lines that make sense, in the order of the file.
fn parse(text: &str) -> Vec<Stall<'_>> {
    text.lines().filter_map(stall).collect()
}

/// `some avg10=4.50 avg60=0.91 avg300=0.00 total=681245`, whatever else stands in it.
fn stall(line: &str) -> Option<Stall<'_>> {
    let mut words = line.split_ascii_whitespace();
    let kind = words.next().filter(|kind| matches!(*kind, "some" | "full"))?;
    let (mut share, mut total) = (None, None);
    for word in words {
        match word.split_once('=') {
            Some(("avg10", percent)) => share = percent.parse::<f64>().ok(),
            Some(("total", micros)) => total = micros.parse::<u64>().ok(),
            _ => {}
        }
    }
    let share = share.filter(|percent| percent.is_finite() && *percent >= 0.0)?;
    // An average of rounded values can print as 100.01.
    Some(Stall { kind, share: (share / 100.0).min(1.0), total: total? as f64 / 1e6 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_are_read_and_what_is_new_is_skipped() {
        let text = "some avg10=4.50 avg60=0.91 avg300=0.00 total=681245 peak=3\n\
                    full avg10=2.10 avg60=0.12 avg300=0.00 total=391926\nmost avg10=1.00 total=1\n";
        let found = parse(text);
        let row = |stall: &Stall<'_>| (stall.kind.to_owned(), stall.share, stall.total);
        assert_eq!(
            found.iter().map(row).collect::<Vec<_>>(),
            [("some".into(), 0.045, 0.681_245), ("full".into(), 0.021, 0.391_926)]
        );
    }

    #[test]
    fn odd_lines_are_left_out_and_never_a_panic() {
        for text in [
            "",
            "some",
            "some\n",
            "some avg10=x total=1",
            "some avg10=1.0",
            "some total=1",
            "some avg10=NaN total=1",
            "full avg10=-1 total=2",
            "some avg10=1 total=99999999999999999999999",
        ] {
            assert_eq!(parse(text), [], "`{text}`");
        }
        assert_eq!(parse("some total=18446744073709551615 avg10=100.01\n")[0].share, 1.0);
    }

    #[test]
    fn a_kernel_without_it_is_no_failure() {
        let nothing = tempfile::tempdir().unwrap();
        let mut points = Points::new();
        assert!(collect(nothing.path(), &mut points).is_ok());
        assert_eq!(points, []);
    }
}
