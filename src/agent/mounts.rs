//! Space and inodes of each real file system, once.
//!
//! The idea: `/proc/self/mountinfo` shows every view of every file system; people want each disk's fill level one time,
//! under the path they know. So: only types that store files, one mount per device, the shortest path, and an overlay
//! only where it is the root (containers show their host's disk again and again). A mount may never answer (a server
//! that is gone, a dying disk), and a system call has no time limit: each is asked through a [`Worker`] that is left
//! behind when it is stuck, local ones first.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use procfs::process::MountInfo;
use rustix::fs::StatVfs;

use crate::agent::collector::{Failure, Points, put};
use crate::agent::worker::Worker;

/// Mounts reported at most.
const MOUNTS_MAX: usize = 64;
/// Threads that may be left waiting at one time; beyond it the network's mounts are not asked.
const STUCK_MAX: usize = 8;
/// Mounts that may begin to be silent in one collection, so that it ends in time; the others are asked next time.
const STUCK_AT_ONCE: usize = 2;

/// Types that keep files on a local disk. Images that are full by nature (squashfs, iso9660) are not among them.
const LOCAL_TYPES: [&str; 14] = [
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs", "ntfs3", "reiserfs", "vfat", "xfs",
    "zfs",
];
/// Types that keep files elsewhere.
const NETWORK_TYPES: [&str; 5] = ["ceph", "cifs", "nfs", "nfs4", "smb3"];

/// A mount that may be worth reporting.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    path: PathBuf,
    device: String,
    kind: String,
    /// What tells its space apart from others': the device's number, and its source where that is a device.
    space: Vec<String>,
}

/// What a mount says of itself; `None`: it is a single file bound over another (`/etc/hosts` in a container).
type Answer = std::io::Result<Option<StatVfs>>;

/// Remembers the mounts that did not answer.
#[derive(Debug)]
pub(super) struct Mounts {
    ask: fn(PathBuf) -> Answer,
    worker: Option<Worker<PathBuf, Answer>>,
    stuck: Vec<(PathBuf, Worker<PathBuf, Answer>)>,
}

impl Default for Mounts {
    fn default() -> Self {
        Self { ask, worker: None, stuck: Vec::new() }
    }
}

fn ask(path: PathBuf) -> Answer {
    if path.is_file() {
        return Ok(None);
    }
    Ok(Some(rustix::fs::statvfs(&path)?))
}

impl Mounts {
    /// `system.filesystem.utilization`, `.usage` by state and `.inodes.utilization` of each real mount, and how many
    /// are silent.
    pub(super) fn collect(&mut self, proc: &Path, points: &mut Points) -> Result<(), Failure> {
        let path = proc.join("self/mountinfo");
        // A path need not be UTF-8; a line that cannot be read costs itself.
        let bytes =
            std::fs::read(&path).map_err(|e| Failure::File { path: path.display().to_string(), why: e.to_string() })?;
        let text = String::from_utf8_lossy(&bytes);
        self.stuck.retain(|(_, worker)| !worker.is_free());
        let (mut found, result) = self.ask_all(candidates(&text));
        found.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        for (mount, space) in found.iter().take(MOUNTS_MAX) {
            report(mount, space, points);
        }
        put(points, "system.filesystem.silent", self.stuck.len() as f64, &[]);
        match found.len() {
            n if n > MOUNTS_MAX => Err(Failure::TooMany { what: "mounts", n, n_max: MOUNTS_MAX }),
            _ => result,
        }
    }

    /// The answers of one mount for each space, and the last thing that went wrong.
    fn ask_all(&mut self, mounts: Vec<Mount>) -> (Vec<(Mount, StatVfs)>, Result<(), Failure>) {
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        let mut result = Ok(());
        let before = self.stuck.len();
        for mount in mounts {
            if mount.space.iter().any(|space| seen.contains(space)) {
                continue;
            }
            let path = mount.path.display().to_string();
            let known = self.stuck.iter().any(|(stuck, _)| *stuck == mount.path);
            let patient = self.stuck.len() < STUCK_MAX && self.stuck.len() - before < STUCK_AT_ONCE;
            if known || !patient {
                // What is said of a space that hangs is said once, whatever its other paths are.
                seen.extend(mount.space);
                result = Err(Failure::Silent { path });
                continue;
            }
            match self.ask_one(&mount.path) {
                Some(Ok(None)) => continue,
                Some(Ok(Some(answer))) => found.push((mount.clone(), answer)),
                Some(Err(e)) => result = Err(Failure::File { path, why: e.to_string() }),
                None => result = Err(Failure::Silent { path }),
            }
            seen.extend(mount.space);
        }
        (found, result)
    }

    /// `None`: it does not answer.
    fn ask_one(&mut self, path: &Path) -> Option<Answer> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => match Worker::start("bongsu-mounts", self.ask) {
                Ok(worker) => worker,
                Err(e) => return Some(Err(e)),
            },
        };
        match worker.ask(path.to_owned()) {
            Some(answer) => {
                self.worker = Some(worker);
                Some(answer)
            }
            None => {
                self.stuck.push((path.to_owned(), worker));
                None
            }
        }
    }
}

/// Mounts of real types, local ones and short paths first: of two views of one device the one nearer to the root is the
/// one people know.
fn candidates(mountinfo: &str) -> Vec<Mount> {
    let mut mounts: Vec<(bool, Mount)> =
        mountinfo.lines().filter_map(|line| MountInfo::from_line(line).ok()).filter_map(candidate).collect();
    mounts.sort_by_key(|(remote, mount)| (*remote, mount.path.as_os_str().len(), mount.path.clone()));
    mounts.into_iter().map(|(_, mount)| mount).collect()
}

/// Whether it is the network's, and the mount; `None` where nothing is stored.
fn candidate(info: MountInfo) -> Option<(bool, Mount)> {
    let path = unescape(&info.mount_point);
    let looped = info.mount_source.as_deref().is_some_and(|source| source.starts_with("/dev/loop"));
    let kind = info.fs_type;
    let local = LOCAL_TYPES.contains(&kind.as_str()) || (kind == "overlay" && path == Path::new("/"));
    let remote = NETWORK_TYPES.contains(&kind.as_str());
    if looped || !(local || remote) {
        return None;
    }
    // Sub-volumes, and paths of one server's export, have device numbers of their own but share their source's space.
    let shared = info.mount_source.clone().filter(|source| remote || source.starts_with("/dev/"));
    let space = std::iter::once(info.majmin.clone()).chain(shared).collect();
    Some((remote, Mount { path, device: info.mount_source.unwrap_or(info.majmin), kind, space }))
}

fn report(mount: &Mount, found: &StatVfs, points: &mut Points) {
    let path = mount.path.to_string_lossy();
    let labels = [("device", mount.device.as_str()), ("mountpoint", &path), ("type", &mount.kind)];
    let used = found.f_blocks.saturating_sub(found.f_bfree);
    // As `df` counts: what is kept for root is neither used nor to be had.
    let usable = used.saturating_add(found.f_bavail);
    if usable > 0 {
        put(points, "system.filesystem.utilization", used as f64 / usable as f64, &labels);
    }
    let reserved = found.f_bfree.saturating_sub(found.f_bavail);
    for (state, blocks) in [("used", used), ("free", found.f_bavail), ("reserved", reserved)] {
        let mut labels = labels.to_vec();
        labels.push(("system.filesystem.state", state));
        put(points, "system.filesystem.usage", blocks as f64 * found.f_frsize as f64, &labels);
    }
    // Some file systems make inodes as they need them and say zero.
    if found.f_files > 0 {
        let used = found.f_files.saturating_sub(found.f_ffree);
        put(points, "system.filesystem.inodes.utilization", used as f64 / found.f_files as f64, &labels);
    }
}

/// The kernel writes blanks, tabs, line ends and backslashes in a path as `\040` and so on.
fn unescape(path: &Path) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut rest = path.as_os_str().as_bytes();
    let mut plain = Vec::with_capacity(rest.len());
    while let Some((&byte, tail)) = rest.split_first() {
        let octal =
            tail.first_chunk::<3>().filter(|digits| byte == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match octal {
            Some(digits) => {
                plain.push(digits.iter().fold(0u8, |byte, digit| byte.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = &tail[3..];
            }
            None => {
                plain.push(byte);
                rest = tail;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, MINUTE, SystemClock};

    /// Every path answers; a file is one.
    fn answers(path: PathBuf) -> Answer {
        if path.is_file() { Ok(None) } else { Ok(Some(rustix::fs::statvfs("/")?)) }
    }

    fn chosen(lines: &str) -> Vec<(String, String)> {
        let text: String = lines.lines().map(|line| format!("{}\n", line.trim())).collect();
        let (mut found, result) = Mounts { ask: answers, ..Mounts::default() }.ask_all(candidates(&text));
        result.unwrap();
        found.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        found.into_iter().map(|(m, _)| (m.path.display().to_string(), m.device)).collect()
    }

    #[test]
    fn each_disk_is_reported_once_under_the_path_people_know() {
        let found = chosen(
            r"1 0 8:2 / / rw - ext4 /dev/sda2 rw
              2 1 0:5 / /proc rw - proc proc rw
              3 1 0:6 / /run rw - tmpfs tmpfs rw
              4 1 8:3 / /srv/my\040data rw - xfs /dev/sda3 rw
              5 1 8:3 /sub /a rw - xfs /dev/sda3 rw
              6 1 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
              7 1 7:2 / /mnt/image rw - ext4 /dev/loop2 rw
              8 1 0:50 / /var/lib/containers/x/merged rw - overlay overlay rw
              9 1 0:60 / /net rw - nfs4 server:/export rw
              10 1 0:70 /@home /home rw - btrfs /dev/sdb1 rw
              11 1 0:71 /@var /var rw - btrfs /dev/sdb1 rw
              12 1 8:1 / /boot/efi rw - vfat /dev/sda1 rw
              not a mount at all
              13 1 8:9",
        );
        let pairs: Vec<_> = found.iter().map(|(path, device)| (path.as_str(), device.as_str())).collect();
        let expected = [
            ("/", "/dev/sda2"),
            ("/a", "/dev/sda3"),
            ("/boot/efi", "/dev/sda1"),
            ("/net", "server:/export"),
            ("/var", "/dev/sdb1"),
        ];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn a_container_shows_its_root_and_no_bound_files() {
        let here = std::env::current_exe().unwrap().display().to_string();
        let found = chosen(&format!(
            "1 0 0:50 / / rw - overlay overlay rw\n2 1 8:2 /x {here} rw - ext4 /dev/sda2 rw\n\
             3 1 8:2 /v /data rw - ext4 /dev/sda2 rw"
        ));
        let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/", "/data"]);
    }

    /// Held while a mount shall hang.
    static HANG: std::sync::Mutex<()> = std::sync::Mutex::new(());

    fn hangs(path: PathBuf) -> Answer {
        if path.starts_with("/hangs") {
            drop(HANG.lock());
        }
        answers(path)
    }

    #[test]
    fn a_mount_that_hangs_costs_itself_alone_and_comes_back() {
        let root = tempfile::tempdir().unwrap();
        let lines = "1 0 8:2 / /hangs/a rw - ext4 /dev/sda2 rw\n2 1 0:60 / /hangs/b rw - nfs4 s:/x rw\n\
                     3 1 0:60 /y /z/y rw - nfs4 s:/x rw\n4 1 8:3 / /local rw - xfs /dev/sda3 rw\n";
        std::fs::create_dir(root.path().join("self")).unwrap();
        std::fs::write(root.path().join("self/mountinfo"), lines).unwrap();
        let mut mounts = Mounts { ask: hangs, ..Mounts::default() };
        let look = |mounts: &mut Mounts| {
            let mut points = Points::new();
            let failed = mounts.collect(root.path(), &mut points).is_err();
            let paths: BTreeSet<_> = points
                .iter()
                .filter_map(|point| point.labels.iter().find(|(name, _)| *name == "mountpoint"))
                .map(|(_, path)| path.clone())
                .collect();
            (failed, points.last().unwrap().value, paths.into_iter().collect::<Vec<_>>())
        };
        let held = HANG.lock().unwrap();
        assert_eq!(look(&mut mounts), (true, 1.0, vec!["/local".to_owned(), "/z/y".to_owned()]), "the first");
        let again = look(&mut mounts);
        assert_eq!(again.1, 1.0, "it is not asked again while it hangs");
        drop(held);
        // The thread comes back when the system lets it run.
        let deadline = SystemClock.elapsed() + MINUTE;
        while look(&mut mounts).1 > 0.0 {
            assert!(SystemClock.elapsed() < deadline, "it did not come back");
        }
        assert_eq!(look(&mut mounts), (false, 0.0, vec!["/hangs/a".into(), "/local".into(), "/z/y".into()]));
    }

    #[test]
    fn escaped_paths_are_the_real_ones() {
        assert_eq!(unescape(Path::new(r"/a\040b\134c\01")), Path::new(r"/a b\c\01"));
    }
}
