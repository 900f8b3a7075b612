//! Labelled windows, and how well rules find them: hits, misses, false alarms, time to detection, precision, recall.
//!
//! The idea: a window is found where an episode overlaps it, and an episode is right where a window overlaps it. Windows
//! come as CSV (`from,to`, then `rule` and label columns where one wants) or in the form of NAB's
//! `combined_windows.json` (file name → pairs of time stamps), of which those of the input files count.
//! Reading and scoring only; nothing here knows files or printing.

use serde_json::Value;

use crate::model::Labels;
use crate::pipeline::results::{Episode, Results};
use crate::time::{Ms, parse_instant};

/// A span of time in which something was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its beginning.
    pub from: Ms,
    /// Its end, which still counts.
    pub to: Ms,
    /// The rule that should find it; `None`: any.
    pub rule: Option<String>,
    /// Labels that an episode must have to find it.
    pub labels: Vec<(String, String)>,
}

/// How well one rule did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Score {
    /// Windows that it should find.
    pub windows: usize,
    /// Windows that it found.
    pub hits: usize,
    /// Episodes.
    pub episodes: usize,
    /// Episodes outside of all windows.
    pub false_alarms: Vec<Episode>,
    /// Windows that it did not find.
    pub missed: Vec<Window>,
    /// From a window's beginning to the first episode in it, ms, of each that was found, sorted. An episode that had begun
    /// before counts as 0.
    pub to_detect: Vec<Ms>,
}

impl Score {
    /// The share of episodes that were right; `None` without episodes.
    pub fn precision(&self) -> Option<f64> {
        share(self.episodes - self.false_alarms.len(), self.episodes)
    }

    /// The share of windows that were found; `None` without windows.
    pub fn recall(&self) -> Option<f64> {
        share(self.hits, self.windows)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// Reads labelled windows: JSON where the text begins like it, else CSV. `inputs` are the names of the input files, for
/// the JSON form; time stamps without a zone are taken at `offset` from UTC.
///
/// # Errors
/// What cannot be read, with its line, and what would have been right.
pub fn read(text: &str, inputs: &[String], offset: Ms) -> Result<Vec<Window>, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') { from_json(text, inputs, offset) } else { from_csv(text, offset) }
}

fn from_csv(text: &str, offset: Ms) -> Result<Vec<Window>, String> {
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let bare = |field: &str| field.trim().trim_matches('"').to_owned();
    let header: Vec<String> = lines.next().map_or_else(Vec::new, |(_, line)| line.split(',').map(bare).collect());
    let column = |name: &str| header.iter().position(|column| column == name);
    let (Some(from), Some(to)) = (column("from"), column("to")) else {
        return Err("1: the header names no columns `from` and `to`; write `from,to` or `from,to,rule,host`".to_owned());
    };
    let mut windows = Vec::new();
    for (n, line) in lines {
        let fields: Vec<String> = line.split(',').map(bare).collect();
        let time = |column: usize| {
            let text = fields.get(column).map_or("", String::as_str);
            parse_instant(text, offset)
                .ok_or_else(|| format!("{n}: `{text}` is no time stamp; write 2026-01-31T09:00:00+09:00 or epoch ms"))
        };
        let (from, to) = (time(from)?, time(to)?);
        if to < from {
            return Err(format!("{n}: the window ends before it begins"));
        }
        let filled =
            header.iter().zip(&fields).filter(|(name, value)| !value.is_empty() && *name != "from" && *name != "to");
        let (mut rule, mut labels) = (None, Vec::new());
        for (name, value) in filled {
            if name == "rule" {
                rule = Some(value.clone());
            } else {
                labels.push((name.clone(), value.clone()));
            }
        }
        windows.push(Window { from, to, rule, labels });
    }
    Ok(windows)
}

fn from_json(text: &str, inputs: &[String], offset: Ms) -> Result<Vec<Window>, String> {
    let all: Value = serde_json::from_str(text).map_err(|why| format!("{}: {why}", why.line()))?;
    let files = all.as_object().ok_or("1: not an object of file names")?;
    let mut windows = Vec::new();
    let mut known = false;
    for (file, pairs) in files {
        let name = file.rsplit('/').next().unwrap_or(file);
        if !inputs.iter().any(|input| input == name) {
            continue;
        }
        known = true;
        for pair in pairs.as_array().into_iter().flatten() {
            let time = |n: usize| pair.get(n).and_then(Value::as_str).and_then(|text| parse_instant(text, offset));
            let (Some(from), Some(to)) = (time(0), time(1)) else {
                return Err(format!("1: `{file}` holds {pair}, which is no pair of time stamps"));
            };
            windows.push(Window { from, to, rule: None, labels: Vec::new() });
        }
    }
    if known { Ok(windows) } else { Err(format!("1: none of the input files ({}) is named", inputs.join(", "))) }
}

/// How well `rule` did.
pub fn score(results: &Results, rule: &str, windows: &[Window]) -> Score {
    let mine: Vec<&Window> = windows.iter().filter(|w| w.rule.as_deref().is_none_or(|named| named == rule)).collect();
    let episodes: Vec<&Episode> = results.episodes.iter().filter(|episode| *episode.rule == *rule).collect();
    let finds = |episode: &Episode, window: &Window| {
        has_all(&episode.labels, &window.labels) && episode.fired <= window.to && results.end_of(episode) >= window.from
    };
    let mut score = Score { windows: mine.len(), episodes: episodes.len(), ..Score::default() };
    for window in &mine {
        let first = episodes.iter().filter(|episode| finds(episode, window)).map(|episode| episode.fired).min();
        match first {
            Some(fired) => {
                score.hits += 1;
                score.to_detect.push((fired - window.from).max(0));
            }
            None => score.missed.push((*window).clone()),
        }
    }
    score.to_detect.sort_unstable();
    let wrong = episodes.into_iter().filter(|episode| !mine.iter().any(|window| finds(episode, window)));
    score.false_alarms = wrong.cloned().collect();
    score
}

fn has_all(labels: &Labels, want: &[(String, String)]) -> bool {
    want.iter().all(|(name, value)| labels.get(name) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MINUTE;
    use std::sync::Arc;

    #[test]
    fn csv_and_json_are_read_and_what_is_wrong_is_named_by_its_line() {
        let csv = "from,to,rule,host\n2026-01-01 00:00:00,2026-01-01 01:00:00,,db-01\n0,60000,cpu,\n";
        let windows = read(csv, &[], 0).unwrap();
        assert_eq!(windows[0].labels, [("host".to_owned(), "db-01".to_owned())]);
        assert_eq!((windows[0].from, windows[0].to), (1_767_225_600_000, 1_767_229_200_000));
        assert_eq!((windows[1].rule.as_deref(), windows[1].to), (Some("cpu"), MINUTE));
        for (text, line) in [("a,b\n", "1:"), ("from,to\nx,1\n", "2:"), ("from,to\n5,1\n", "2:"), ("{", "1:")] {
            let why = read(text, &[], 0).unwrap_err();
            assert!(why.starts_with(line), "{text}: {why}");
        }
        let nab = r#"{"a/x.csv":[["2014-02-18 16:02:00.000000","2014-02-19 08:42:00.000000"]],"b/y.csv":[]}"#;
        let windows = read(nab, &["x.csv".to_owned()], 0).unwrap();
        assert_eq!(windows.len(), 1);
        assert_eq!(windows[0].from, 1_392_739_320_000);
        assert!(read(nab, &["z.csv".to_owned()], 0).unwrap_err().contains("z.csv"));
    }

    #[test]
    fn windows_are_found_by_overlap_of_the_right_rule_and_labels() {
        let episode = |host: &str, fired, ended| Episode {
            rule: Arc::from("cpu"),
            labels: Labels::new([("host", host)]),
            occurred: fired,
            fired,
            ended: Some(ended),
            severity: None,
            flap: false,
        };
        let episodes = vec![episode("a", 5, 12), episode("b", 50, 60), episode("a", 105, 106)];
        let mut results = Results::default();
        (results.episodes, results.span) = (episodes, (0, 1_000));
        let window = |from, to, rule: Option<&str>, host: Option<&str>| Window {
            from,
            to,
            rule: rule.map(str::to_owned),
            labels: host.map(|host| ("host".to_owned(), host.to_owned())).into_iter().collect(),
        };
        let windows = [
            window(10, 20, None, None),
            window(100, 110, Some("cpu"), Some("a")),
            window(100, 110, Some("cpu"), Some("b")),
            window(0, 1_000, Some("other"), None),
        ];
        let score = score(&results, "cpu", &windows);
        assert_eq!((score.windows, score.hits, score.episodes), (3, 2, 3));
        assert_eq!(score.false_alarms.iter().map(|episode| episode.fired).collect::<Vec<_>>(), [50]);
        assert_eq!(score.to_detect, [0, 5]);
        assert_eq!((score.precision(), score.recall()), (Some(2.0 / 3.0), Some(2.0 / 3.0)));
    }
}
