//! A data directory that cannot be used is refused at the start, with what, where and what to do; nothing is half made.
//!
//! The idea: the service runs as an unprivileged user, since root may write anything. A directory that it has used once
//! is copied and spoilt in one way each; a refused start must leave every file as it was.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::site::{Site, eventually, program, record};

const RULE: &str = "  - id: load-high
    title: 부하 과다
    domain: 인프라
    metric: app.load
    by: [host]
    window: { fn: last, over: 1m }
    when: above
    severity: { S1: { value: 90 } }
";

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The site's folder belongs to nobody in particular, and the program can be started by them.
struct Place {
    site: Site,
    program: PathBuf,
}

impl Place {
    fn new() -> Self {
        let site = Site::new(RULE);
        // Where the program was built, others may not look.
        let copy = site.path("program");
        fs::hard_link(program(), &copy).or_else(|_| fs::copy(program(), &copy).map(drop)).unwrap();
        Self { site, program: copy }
    }

    /// A place whose service has run once.
    fn used() -> Self {
        let place = Self::new();
        place.give();
        let mut child = place.start("first.log");
        eventually("the service is well", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", place.said("first.log"));
            place.site.is_healthy().then_some(())
        });
        kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{}", place.said("first.log"));
        place
    }

    /// The same with a data directory like that of `other`.
    fn like(other: &Self) -> Self {
        let place = Self::new();
        let copied = Command::new("cp").arg("-a").arg(other.site.data()).arg(place.site.data()).status();
        assert!(copied.expect("cp is everywhere").success());
        place
    }

    fn data(&self, name: &str) -> PathBuf {
        self.site.data().join(name)
    }

    /// Gives everything to the unprivileged user.
    fn give(&self) {
        if is_root() {
            let given = Command::new("chown").args(["-R", "nobody:nogroup"]).arg(self.site.path("")).status();
            assert!(given.expect("chown is everywhere").success());
        }
    }

    fn start(&self, log: &str) -> Child {
        let mut command = Command::new(&self.program);
        if is_root() {
            command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(&self.program);
        }
        let log = fs::File::create(std::env::temp_dir().join(self.log_name(log))).unwrap();
        command.arg("run").args(self.site.place()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().expect("setpriv (package util-linux) is installed")
    }

    fn log_name(&self, log: &str) -> String {
        format!("{}-{log}", self.site.path("").file_name().unwrap().display())
    }

    fn said(&self, log: &str) -> String {
        fs::read_to_string(std::env::temp_dir().join(self.log_name(log))).unwrap()
    }

    /// Starts it, which must be refused; gives what it said.
    fn refused(&self) -> String {
        let before = listing(&self.site.path(""));
        let mut child = self.start("refused.log");
        let ended = eventually("the start is refused", || child.try_wait().unwrap());
        let said = self.said("refused.log");
        assert_eq!(ended.code(), Some(2), "{said}");
        let mut after = listing(&self.site.path(""));
        // The lock is taken before anything else, and is empty.
        let lock = PathBuf::from("data/lock");
        if !before.contains_key(&lock) {
            after.remove(&lock);
        }
        assert_eq!(after, before, "a refused start makes and changes nothing: {said}");
        said
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for log in ["first.log", "refused.log"] {
            // One of them may never have been written.
            let _ = fs::remove_file(std::env::temp_dir().join(self.log_name(log)));
        }
        // So that whoever is not root can remove it.
        for path in [self.site.path(""), self.site.data(), self.data("handset")] {
            let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
        }
    }
}

/// Every file and folder below `root`: mode, length, last change.
fn listing(root: &Path) -> BTreeMap<PathBuf, (u32, u64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            let name = path.strip_prefix(root).unwrap().to_owned();
            // Making the lock file changes its folder.
            if name != Path::new("data") {
                found.insert(name, (meta.mode(), if meta.is_dir() { 0 } else { meta.len() }, meta.mtime_nsec()));
            }
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// A name, the file that is spoilt, how, and what the refusal says of it.
type Case = (&'static str, &'static str, fn(&Path), &'static str);

fn replaced_by_folder(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

/// Asserts that the refusal names `what` and `why`, and says what to do.
fn assert_says(case: &str, said: &str, what: &Path, why: &str) {
    let what = what.display().to_string();
    assert!(said.contains(&what) && said.contains(why) && said.contains("help:"), "{case}: {said}");
}

#[test]
fn a_spoilt_data_directory_is_refused_with_advice_and_left_as_it_is() {
    let used = Place::used();
    let cases: [Case; 11] = [
        ("store of somebody else", "bongsu.db", |path| mode(path, 0o000), "mode 0000"),
        ("store that is read only", "bongsu.db", |path| mode(path, 0o400), "mode 0400"),
        ("log of somebody else", "log.db", |path| mode(path, 0o000), "mode 0000"),
        ("log that is read only", "log.db", |path| mode(path, 0o400), "mode 0400"),
        ("lock of somebody else", "lock", |path| mode(path, 0o000), "mode 0000"),
        ("token that others read", "token", |path| mode(path, 0o644), "chmod 600"),
        ("token of somebody else", "token", |path| mode(path, 0o000), "mode 0000"),
        ("store that is a folder", "bongsu.db", replaced_by_folder, "is a directory where a file is expected"),
        ("log that is a folder", "log.db", replaced_by_folder, "is a directory where a file is expected"),
        ("handset folder of somebody else", "handset", |path| mode(path, 0o500), "mode 0500"),
        (
            "handset that is a file",
            "handset",
            |path| {
                fs::remove_dir_all(path).unwrap();
                fs::write(path, "").unwrap();
            },
            "is a file where a directory is expected",
        ),
    ];
    for (case, name, spoil, why) in cases {
        let place = Place::like(&used);
        spoil(&place.data(name));
        place.give();
        assert_says(case, &place.refused(), &place.data(name), why);
    }
    let place = Place::like(&used);
    for name in ["bongsu.db", "log.db"] {
        mode(&place.data(name), 0o400);
    }
    place.give();
    let said = place.refused();
    assert!(said.contains("bongsu.db") && said.contains("log.db"), "all mistakes at once: {said}");
}

#[test]
fn a_data_directory_that_cannot_be_made_or_written_is_refused() {
    let read_only = Place::new();
    fs::create_dir(read_only.site.data()).unwrap();
    mode(&read_only.site.data(), 0o500);
    read_only.give();
    assert_says("read-only directory", &read_only.refused(), &read_only.site.data(), "mode 0500");

    let above = Place::new();
    above.give();
    mode(&above.site.path(""), 0o500);
    assert_says("read-only parent", &above.refused(), &above.site.data(), "Permission denied");

    let file = Place::new();
    fs::write(file.site.data(), "").unwrap();
    file.give();
    assert_says("file", &file.refused(), &file.site.data(), "it is a file");
}

#[test]
fn edited_files_that_cannot_be_read_are_refused_by_name() {
    for name in ["bongsu.yaml", "rules.yaml", "contacts.yaml", "chains.yaml", "inventory.yaml", "calendar.yaml"] {
        let place = Place::new();
        mode(&place.site.path(name), 0o000);
        place.give();
        let said = place.refused();
        assert!(said.contains(name) && said.contains("ermission") && said.contains("help:"), "{name}: {said}");
        assert!(!place.site.data().exists(), "nothing was made");
    }
}

/// Whatever below `folder` others may look at.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let meta = entry.metadata().unwrap();
        found.extend((meta.mode() & 0o077 != 0).then(|| entry.path()));
        if meta.is_dir() {
            found.extend(open_to_others(&entry.path()));
        }
    }
    found
}

#[test]
fn what_the_service_makes_is_for_its_own_user_alone() {
    let site = Site::new(RULE);
    fs::create_dir(site.data()).unwrap();
    mode(&site.data(), 0o755);
    let service = site.start();
    site.send(&record("known-01", "app.load", 99.0));
    let page = site.page("load-high", "first");
    let message = site.data().join("handset/duty-1").join(format!("{}.txt", page["id"].as_str().unwrap()));
    assert!(message.exists(), "with its one-time code");
    assert_eq!(open_to_others(&site.data()), Vec::<PathBuf>::new());
    assert_eq!(service.end(), Some(0));

    let list = site.path("list.csv");
    fs::write(&list, "").unwrap();
    let file = list.display().to_string();
    let whole = ["contacts", "document", "--as", "csv", "--out", &file];
    let done = site.command(&[&whole[..], &["--unmask", "--by", "duty-1", "--reason", "점검"]].concat());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(fs::read_to_string(&list).unwrap().contains("가상인"), "in full");
    assert_eq!(fs::metadata(&list).unwrap().mode() & 0o777, 0o600, "names and numbers in full");
    assert_eq!(fs::metadata(site.data().join("access.ndjson")).unwrap().mode() & 0o777, 0o600);
}
