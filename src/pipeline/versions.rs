//! Which versions of the edited files were read, and whether there are others that stand still.
//!
//! The idea: a version is what a look at a file's metadata says (its number, size and times), looked at *before* the text
//! is read: whatever is written later is another version. A file that is being written is not read before two looks found
//! it the same, so that nobody runs with the first half of a list; something that never stands still is read all the same
//! after a while. Versions that nobody looked at before the read are unknown, and such files are read once more.
//! Not here: what the files mean, and what becomes of them (`watch`).

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::SourceFile;

/// After so many looks files are read although they do not stand still.
const LOOKS_MAX: u32 = 5;

/// A file's number, size, and times of its text and of its other data; all `None` where it is not there.
type Version = Option<(u64, u64, [i64; 4])>;

/// What was read.
#[derive(Debug)]
pub(super) struct Versions {
    /// Files and their folders; `None`: nobody looked before the read.
    read: BTreeMap<PathBuf, Option<Version>>,
    texts: BTreeMap<PathBuf, Arc<str>>,
    /// The last look that found others.
    seen: Option<BTreeMap<PathBuf, Version>>,
    looks: u32,
}

impl Versions {
    /// Of files that were read some time ago.
    pub(super) fn of(files: &[SourceFile]) -> Self {
        let mut versions = Self { read: BTreeMap::new(), texts: BTreeMap::new(), seen: None, looks: 0 };
        versions.were_read(files);
        versions
    }

    /// One look: whether there are other versions, to be read now.
    pub(super) fn look(&mut self) -> bool {
        let now: BTreeMap<PathBuf, Version> = self.read.keys().map(|path| (path.clone(), version(path))).collect();
        if self.read.iter().all(|(path, read)| read.is_some_and(|read| now.get(path) == Some(&read))) {
            (self.seen, self.looks) = (None, 0);
            return false;
        }
        self.looks += 1;
        let stands_still = self.seen.as_ref() == Some(&now);
        self.seen = Some(now);
        stands_still || self.looks >= LOOKS_MAX
    }

    /// These were read after the last look. `false`: they say what they said before.
    pub(super) fn were_read(&mut self, files: &[SourceFile]) -> bool {
        let seen = self.seen.take().unwrap_or_default();
        self.looks = 0;
        // A folder's own version shows files that come and go.
        let folders = files.iter().filter_map(|file| file.path.parent().map(PathBuf::from));
        let all: BTreeSet<PathBuf> = files.iter().map(|file| file.path.clone()).chain(folders).collect();
        self.read = all.into_iter().map(|path| (path.clone(), seen.get(&path).copied())).collect();
        let texts = files.iter().map(|file| (file.path.clone(), Arc::clone(&file.text))).collect();
        let before = std::mem::replace(&mut self.texts, texts);
        before != self.texts
    }
}

fn version(path: &PathBuf) -> Version {
    // The folder of a file that was named without one.
    let path = if path.as_os_str().is_empty() { std::path::Path::new(".") } else { path };
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.ino(), meta.len(), [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()]))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn files(folder: &Path) -> Vec<SourceFile> {
        let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        let read = |path: PathBuf| SourceFile { text: std::fs::read_to_string(&path).unwrap().into(), path };
        all.into_iter().map(read).collect()
    }

    /// Looks until nothing is to be read, at most ten times: whether what was read was new, each time.
    fn settle(versions: &mut Versions, folder: &Path) -> Vec<bool> {
        let mut looks = Vec::new();
        for _ in 0..10 {
            if versions.look() {
                looks.push(versions.were_read(&files(folder)));
            }
        }
        looks
    }

    #[test]
    fn what_was_written_between_the_read_and_the_first_look_is_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), "half").unwrap();
        let mut versions = Versions::of(&files(folder.path()));
        std::fs::write(folder.path().join("a.yaml"), "half and half").unwrap();
        assert_eq!(settle(&mut versions, folder.path()), [true]);
        let mut versions = Versions::of(&files(folder.path()));
        assert_eq!(settle(&mut versions, folder.path()), [false], "nothing was: it says what it said");
    }

    #[test]
    fn what_is_written_while_it_is_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "1").unwrap();
        let mut versions = Versions::of(&files(folder.path()));
        assert_eq!(settle(&mut versions, folder.path()), [false]);
        std::fs::write(&file, "22").unwrap();
        assert!(!versions.look() && versions.look());
        let read = files(folder.path());
        std::fs::write(&file, "333").unwrap();
        assert!(versions.were_read(&read));
        assert_eq!(settle(&mut versions, folder.path()), [true]);
    }

    #[test]
    fn a_file_is_not_read_while_it_is_being_written_unless_that_never_ends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "").unwrap();
        let mut versions = Versions::of(&files(folder.path()));
        settle(&mut versions, folder.path());
        let mut text = String::new();
        for n in 1..=LOOKS_MAX {
            text.push('x');
            std::fs::write(&file, &text).unwrap();
            assert_eq!(versions.look(), n == LOOKS_MAX, "look {n}");
        }
    }

    #[test]
    fn a_link_that_is_turned_to_a_file_of_the_same_size_and_time_is_another_version() {
        let folder = tempfile::tempdir().unwrap();
        let (all, shown) = (folder.path().join("all"), folder.path().join("shown"));
        [&all, &shown].into_iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        let time = std::time::SystemTime::UNIX_EPOCH;
        for name in ["1", "2"] {
            std::fs::write(all.join(name), name).unwrap();
            std::fs::File::options().write(true).open(all.join(name)).unwrap().set_modified(time).unwrap();
        }
        let link = shown.join("a.yaml");
        std::os::unix::fs::symlink(all.join("1"), &link).unwrap();
        let mut versions = Versions::of(&files(&shown));
        assert_eq!(settle(&mut versions, &shown), [false]);
        std::os::unix::fs::symlink(all.join("2"), folder.path().join("new")).unwrap();
        std::fs::rename(folder.path().join("new"), &link).unwrap();
        assert_eq!(settle(&mut versions, &shown), [true]);
    }

    #[test]
    fn a_file_that_comes_or_goes_is_seen_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), "a").unwrap();
        let mut versions = Versions::of(&files(folder.path()));
        settle(&mut versions, folder.path());
        std::fs::write(folder.path().join("b.yaml"), "b").unwrap();
        assert_eq!(settle(&mut versions, folder.path()), [true, false], "its version was not known when it was read");
        std::fs::remove_file(folder.path().join("b.yaml")).unwrap();
        assert_eq!(settle(&mut versions, folder.path()), [true]);
    }
}
