//! Follows log files: what was appended since the last look, as lines.
//!
//! The idea: a place in a file is (device, inode, offset) and a checksum of the file's beginning, so that a file that
//! was renamed, cut to nothing, or cut and filled again between two looks is told from one that grew. The offset moves
//! past whole lines alone; a half-written one waits. Each look reads a bounded amount, and a file that has run far
//! ahead is skipped to its end, with a count. Where the places are kept over a restart is the spool's: after a kill
//! lines may come twice, never too few; the rest of a file that was rotated while nobody looked is not read.
//!
//! Not here: patterns of file names, lines that belong together, and the time that a line says of itself (its time is
//! when it was read).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::agent::lines::{LINE_BYTES_MAX, LevelText, level, text};

/// Bytes read of one file at one look.
const LOOK_BYTES: usize = 1 << 20;
/// Bytes that a file may be ahead; beyond it reading on would only tell of the past.
const BEHIND_BYTES_MAX: u64 = 64 << 20;
/// Bytes at the beginning of a file by which it is known again.
const HEAD_BYTES: usize = 256;

/// A file to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// Labels of its lines, `source` among them.
    pub labels: Vec<(String, String)>,
}

/// Where in a file reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    device: u64,
    inode: u64,
    offset: u64,
    head_bytes: usize,
    head_sum: u32,
    /// Bytes that were left out and not counted yet.
    skipped: u64,
}

/// A file that is read.
#[derive(Debug)]
struct Open {
    file: File,
    place: Place,
    /// In the middle of a line that was cut.
    cutting: bool,
}

/// A path that is followed.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: LogFile,
    open: Option<Open>,
    /// The file that bore the name before: its writer may not know yet.
    old: Option<Open>,
    /// From an earlier run.
    remembered: Option<Place>,
    /// Whether the path was looked at before: what is there at the very first look is the past.
    looked: bool,
    failing: bool,
    skipped: u64,
}

impl Tail {
    /// A file that was not looked at yet; `places` are those of an earlier run.
    pub(super) fn new(file: LogFile, places: &Value) -> Self {
        let remembered = places.get(file.path.to_string_lossy().as_ref()).and_then(Place::from_json);
        Self { file, open: None, old: None, remembered, looked: false, failing: false, skipped: 0 }
    }

    /// Bytes that were not read, since the process began.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// What came since the last look; an error costs this file's lines alone and is said once.
    pub(super) fn look(&mut self) -> Vec<LevelText> {
        let mut lines = Vec::new();
        let result = self.follow(&mut lines);
        let path = self.file.path.display();
        match &result {
            Err(why) if !self.failing => tracing::warn!(%path, %why, "log file cannot be followed"),
            Ok(()) if self.failing => tracing::info!(%path, "log file is followed again"),
            _ => {}
        }
        self.failing = result.is_err();
        lines
    }

    fn follow(&mut self, lines: &mut Vec<LevelText>) -> std::io::Result<()> {
        let now = match std::fs::metadata(&self.file.path) {
            Ok(found) => Some((found.dev(), found.ino())),
            // Between a rename and the next line there is no file: that is no failure, but the end of the old one.
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let first = !std::mem::replace(&mut self.looked, true);
        if let Some(mut old) = self.old.take() {
            old.read(true, lines)?;
        }
        if let Some(open) = &mut self.open {
            let ended = open.read(false, lines);
            self.skipped += std::mem::take(&mut open.place.skipped);
            let moved = now != Some((open.place.device, open.place.inode));
            if !(ended? && moved) {
                return Ok(());
            }
            self.old = self.open.take();
        }
        if now.is_none() {
            return Ok(());
        }
        let mut open = self.begin(first)?;
        open.read(false, lines)?;
        self.skipped += std::mem::take(&mut open.place.skipped);
        self.open = Some(open);
        Ok(())
    }

    /// Opens the file where an earlier run stopped, else at its end at the first look, else at its beginning.
    fn begin(&mut self, first: bool) -> std::io::Result<Open> {
        let file = File::open(&self.file.path)?;
        let found = file.metadata()?;
        let mut place = Place { device: found.dev(), inode: found.ino(), ..Place::default() };
        match self.remembered.take() {
            Some(known) if (known.device, known.inode) == (place.device, place.inode) => place = known,
            // Rotated while nobody looked: what is in the new file is new.
            Some(_) => {}
            None if first => place.offset = found.len(),
            None => {}
        }
        Ok(Open { file, place, cutting: false })
    }
}

impl Open {
    /// Reads whole lines; `last`: nothing will be appended, a rest without an end is a line too. Gives whether the end
    /// was reached.
    fn read(&mut self, last: bool, lines: &mut Vec<LevelText>) -> std::io::Result<bool> {
        let length = self.file.metadata()?.len();
        let place = &mut self.place;
        if length < place.offset || !place.is_known(&self.file)? {
            // Cut to nothing, and perhaps filled again: all of it is new.
            (place.offset, place.head_bytes, self.cutting) = (0, 0, false);
        }
        place.note_head(&self.file)?;
        if length - place.offset > BEHIND_BYTES_MAX {
            let to = length - LOOK_BYTES as u64;
            place.skipped += to - place.offset;
            // Most likely in the middle of a line.
            (place.offset, self.cutting) = (to, true);
        }
        let mut bytes = vec![0; LOOK_BYTES.min(usize::try_from(length - place.offset).unwrap_or(LOOK_BYTES))];
        let n = self.file.read_at(&mut bytes, place.offset)?;
        bytes.truncate(n);
        let end = place.offset + n as u64 >= length;
        let mut rest = bytes.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, tail) = rest.split_at(at);
            self.take(line, lines);
            self.cutting = false;
            rest = tail.get(1..).unwrap_or_default();
        }
        if rest.len() > LINE_BYTES_MAX || (last && end) {
            self.take(rest, lines);
            self.cutting = true;
            rest = &[];
        }
        self.place.offset += (n - rest.len()) as u64;
        Ok(end)
    }

    fn take(&self, line: &[u8], lines: &mut Vec<LevelText>) {
        if !self.cutting && !line.is_empty() && line != b"\r" {
            let text = text(line);
            lines.push((level(&text), text));
        }
    }
}

impl Place {
    /// Whether the file begins as it did.
    fn is_known(&self, file: &File) -> std::io::Result<bool> {
        Ok(sum(file, self.head_bytes)? == Some(self.head_sum))
    }

    /// A file that has grown is known by more of its beginning.
    fn note_head(&mut self, file: &File) -> std::io::Result<()> {
        let bytes = HEAD_BYTES.min(usize::try_from(file.metadata()?.len()).unwrap_or(HEAD_BYTES));
        if (bytes > self.head_bytes || self.head_bytes == 0)
            && let Some(sum) = sum(file, bytes)?
        {
            (self.head_bytes, self.head_sum) = (bytes, sum);
        }
        Ok(())
    }

    fn to_json(self) -> Value {
        json!([self.device, self.inode, self.offset, self.head_bytes, self.head_sum])
    }

    fn from_json(value: &Value) -> Option<Self> {
        let number = |at: usize| value.get(at)?.as_u64();
        Some(Self {
            device: number(0)?,
            inode: number(1)?,
            offset: number(2)?,
            head_bytes: usize::try_from(number(3)?).ok().filter(|bytes| *bytes <= HEAD_BYTES)?,
            head_sum: u32::try_from(number(4)?).ok()?,
            skipped: 0,
        })
    }
}

/// The checksum of the file's first bytes; `None` where it has fewer.
fn sum(file: &File, bytes: usize) -> std::io::Result<Option<u32>> {
    let mut head = vec![0; bytes];
    match file.read_exact_at(&mut head, 0) {
        Ok(()) => Ok(Some(crc32fast::hash(&head))),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(e),
    }
}

/// The places of all files, for the next run.
pub(super) fn places(tails: &[Tail]) -> Value {
    let path = |tail: &Tail| tail.file.path.to_string_lossy().into_owned();
    let known = |tail: &Tail| tail.open.as_ref().map(|open| open.place).or(tail.remembered);
    let places: BTreeMap<String, Value> =
        tails.iter().filter_map(|tail| Some((path(tail), known(tail)?.to_json()))).collect();
    json!(places)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use super::*;

    struct World {
        folder: tempfile::TempDir,
        tail: Tail,
    }

    impl World {
        /// A file that was looked at when it held `before`.
        fn new(before: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let world = Self { tail: tail(folder.path(), &Value::Null), folder };
            world.write(before);
            world.looked()
        }

        fn looked(mut self) -> Self {
            assert_eq!(self.look(), [] as [String; 0], "the past is not told");
            self
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("app.log")
        }

        fn write(&self, text: &str) {
            std::fs::write(self.path(), text).unwrap();
        }

        fn append(&self, text: &[u8]) {
            std::fs::File::options().append(true).create(true).open(self.path()).unwrap().write_all(text).unwrap();
        }

        fn rotate(&self) {
            std::fs::rename(self.path(), self.folder.path().join("app.log.1")).unwrap();
        }

        fn look(&mut self) -> Vec<String> {
            self.tail.look().into_iter().map(|(_, text)| text).collect()
        }

        /// The agent ends and begins again.
        fn restart(&mut self) {
            self.tail = tail(self.folder.path(), &places(std::slice::from_ref(&self.tail)));
        }
    }

    fn tail(folder: &Path, places: &Value) -> Tail {
        Tail::new(LogFile { path: folder.join("app.log"), labels: Vec::new() }, places)
    }

    #[test]
    fn appended_lines_are_told_once_and_a_half_one_waits() {
        let mut world = World::new("old\n");
        world.append(b"ERROR one\r\n\ntwo\nhal");
        assert_eq!(world.tail.look(), [("ERROR", "ERROR one".to_owned()), ("", "two".to_owned())]);
        assert!(world.look().is_empty());
        world.append(b"f\n");
        assert_eq!(world.look(), ["half"]);
    }

    #[test]
    fn a_renamed_file_is_read_to_its_end_before_the_new_one() {
        let mut world = World::new("old\n");
        world.append(b"a\n");
        assert_eq!(world.look(), ["a"]);
        world.append(b"b\nlast words");
        world.rotate();
        assert_eq!(world.look(), ["b"], "also while there is no new file");
        world.append(b"c\n");
        assert_eq!(world.look(), ["last words", "c"]);
        world.append(b"d\n");
        let mut late = std::fs::File::options().append(true).open(world.path()).unwrap();
        world.rotate();
        world.append(b"e\n");
        assert_eq!(world.look(), ["d", "e"]);
        late.write_all(b"of a writer that was not told yet\n").unwrap();
        world.append(b"f\n");
        assert_eq!(world.look(), ["of a writer that was not told yet", "f"]);
    }

    #[test]
    fn a_file_that_was_cut_is_read_anew_even_when_it_is_longer_again() {
        let mut world = World::new("first line\n");
        world.append(b"a\n");
        assert_eq!(world.look(), ["a"]);
        world.write("");
        assert!(world.look().is_empty());
        world.append(b"b\n");
        assert_eq!(world.look(), ["b"]);
        world.write("c, a line much longer than all before\nd\n");
        assert_eq!(world.look(), ["c, a line much longer than all before", "d"]);
    }

    #[test]
    fn reading_goes_on_where_an_earlier_run_stopped() {
        let mut world = World::new("old\n");
        world.append(b"a\nhal");
        assert_eq!(world.look(), ["a"]);
        world.restart();
        world.append(b"f\nb\n");
        assert_eq!(world.look(), ["half", "b"]);
        world.restart();
        world.rotate();
        world.append(b"c\n");
        assert_eq!(world.look(), ["c"], "a file that came while nobody looked is new");
        world.restart();
        world.restart();
        assert!(world.look().is_empty(), "a place outlives a run that did not look");
    }

    #[test]
    fn a_file_that_comes_later_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World { tail: tail(folder.path(), &Value::Null), folder }.looked();
        world.append(b"a\n");
        assert_eq!(world.look(), ["a"]);
    }

    #[test]
    fn a_burst_is_read_in_parts_and_a_long_line_is_cut() {
        let mut world = World::new("");
        let line = [vec![b'x'; 999], b"\n".to_vec()].concat();
        world.append(&line.repeat(3 * LOOK_BYTES / 1_000));
        let parts: Vec<usize> = std::iter::from_fn(|| Some(world.look().len()).filter(|n| *n > 0)).collect();
        assert!(parts.len() >= 3 && parts.iter().all(|n| n * 1_000 <= LOOK_BYTES), "{parts:?}");
        assert_eq!(parts.iter().sum::<usize>(), 3 * LOOK_BYTES / 1_000);
        world.append(&vec![b'y'; 2 * LOOK_BYTES]);
        world.append(b" end\nnext\n");
        let mut lines = Vec::new();
        while !lines.contains(&"next".to_owned()) {
            lines.extend(world.look());
        }
        assert_eq!(lines, ["y".repeat(LINE_BYTES_MAX), "next".to_owned()]);
        assert_eq!(world.tail.skipped(), 0);
    }

    #[test]
    fn a_file_that_ran_far_ahead_is_skipped_and_counted() {
        let mut world = World::new("");
        let file = std::fs::File::options().write(true).open(world.path()).unwrap();
        file.set_len(BEHIND_BYTES_MAX + 5_000_000).unwrap();
        world.append(b"\nlast\n");
        assert_eq!(world.look(), ["last"]);
        assert!(world.tail.skipped() > BEHIND_BYTES_MAX, "{}", world.tail.skipped());
    }

    #[test]
    fn odd_places_are_none() {
        for text in ["null", "[]", "[1,2,3]", "[1,2,3,4,-1]", "[1,2,3,9999999,1]", "\"x\"", "[1,2,3,4,99999999999]"] {
            assert_eq!(Place::from_json(&serde_json::from_str(text).unwrap()), None, "`{text}`");
        }
    }
}
