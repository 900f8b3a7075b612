//! Space and inodes of each real file system, once.
//!
//! The idea: `/proc/self/mountinfo` shows every view of every file system; people want each disk's fill level one time,
//! under the path they know. So: only types that store files on a local disk, one mount per device, the shortest path,
//! and an overlay only where it is the root (containers show their host's disk again and again). Network file systems
//! are left out: asking one whose server is gone would hang the collector.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use procfs::process::{MountInfo, MountInfos};

use crate::agent::collector::{Failure, Points, parse, put};

/// Mounts reported at most.
const MOUNTS_MAX: usize = 64;

/// Types that keep files on a local disk. Images that are full by nature (squashfs, iso9660) are not among them.
const REAL_TYPES: [&str; 14] = [
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs", "ntfs3", "reiserfs", "vfat", "xfs",
    "zfs",
];

/// A mount worth reporting.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    path: PathBuf,
    device: String,
    kind: String,
}

/// `system.filesystem.utilization`, `.usage` by state and `.inodes.utilization` of each real mount.
pub(super) fn collect(proc: &Path, points: &mut Points) -> Result<(), Failure> {
    let all: MountInfos = parse(proc, "self/mountinfo")?;
    let mounts = choose(&all.0);
    let mut result = match mounts.len() {
        n if n > MOUNTS_MAX => Err(Failure::TooMany { what: "mounts", n, n_max: MOUNTS_MAX }),
        _ => Ok(()),
    };
    for mount in mounts.iter().take(MOUNTS_MAX) {
        match rustix::fs::statvfs(&mount.path) {
            Ok(found) => report(mount, &found, points),
            Err(e) => {
                result = Err(Failure::File { path: mount.path.display().to_string(), why: e.to_string() });
            }
        }
    }
    result
}

/// One mount for each device, sorted by path.
fn choose(all: &[MountInfo]) -> Vec<Mount> {
    let mut mounts: Vec<(&MountInfo, PathBuf)> =
        all.iter().map(|info| (info, unescape(&info.mount_point))).filter(|(info, path)| is_real(info, path)).collect();
    // The shortest path first: of two views of one device the one nearer to the root is the one people know.
    mounts.sort_by_key(|(_, path)| (path.as_os_str().len(), path.clone()));
    let mut seen = BTreeSet::new();
    // Sub-volumes have device numbers of their own but share their source's space.
    mounts.retain(|(info, _)| {
        let source = info.mount_source.as_deref().filter(|source| source.starts_with("/dev/"));
        let fresh = !seen.contains(info.majmin.as_str()) && !source.is_some_and(|source| seen.contains(source));
        seen.insert(info.majmin.as_str());
        seen.extend(source);
        fresh
    });
    let mut chosen: Vec<Mount> = mounts
        .into_iter()
        .map(|(info, path)| Mount {
            path,
            device: info.mount_source.clone().unwrap_or_else(|| info.majmin.clone()),
            kind: info.fs_type.clone(),
        })
        .collect();
    chosen.sort_by(|a, b| a.path.cmp(&b.path));
    chosen
}

fn is_real(info: &MountInfo, path: &Path) -> bool {
    let looped = info.mount_source.as_deref().is_some_and(|source| source.starts_with("/dev/loop"));
    let kind = info.fs_type.as_str();
    let stores = REAL_TYPES.contains(&kind) || (kind == "overlay" && path == Path::new("/"));
    // A single file bound over another (`/etc/hosts` in a container) is no place to fill.
    stores && !looped && !path.is_file()
}

fn report(mount: &Mount, found: &rustix::fs::StatVfs, points: &mut Points) {
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

    fn chosen(lines: &str) -> Vec<(String, String)> {
        let all: Vec<MountInfo> = lines.lines().map(|line| MountInfo::from_line(line.trim()).unwrap()).collect();
        choose(&all).into_iter().map(|m| (m.path.display().to_string(), m.device)).collect()
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
              8 1 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
              9 1 0:60 / /net rw - nfs4 server:/export rw
              10 1 0:70 /@home /home rw - btrfs /dev/sdb1 rw
              11 1 0:71 /@var /var rw - btrfs /dev/sdb1 rw
              12 1 8:1 / /boot/efi rw - vfat /dev/sda1 rw",
        );
        let pairs: Vec<_> = found.iter().map(|(path, device)| (path.as_str(), device.as_str())).collect();
        assert_eq!(pairs, [("/", "/dev/sda2"), ("/a", "/dev/sda3"), ("/boot/efi", "/dev/sda1"), ("/var", "/dev/sdb1")]);
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

    #[test]
    fn escaped_paths_are_the_real_ones() {
        assert_eq!(unescape(Path::new(r"/a\040b\134c\01")), Path::new(r"/a b\c\01"));
    }
}
