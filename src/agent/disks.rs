//! I/O of each whole disk, from `/proc/diskstats`.
//!
//! The idea: bytes are counted once, at the device that moves them. Partitions repeat their disk; loops, RAM disks,
//! device-mapper and md devices repeat the disks below them.

use std::path::Path;

use procfs::{DiskStat, DiskStats};

use crate::agent::collector::{Failure, Points, parse, put};

/// Disks reported at most.
const DISKS_MAX: usize = 64;

/// Bytes in a sector as `/proc/diskstats` counts, whatever the disk's own sectors are.
const SECTOR_BYTES: f64 = 512.0;

/// Devices that pass on to others, or hold nothing.
const VIRTUAL: [&str; 8] = ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"];

/// `system.disk.io`, `.operations` and `.io_time` of each whole disk.
pub(super) fn collect(proc: &Path, points: &mut Points) -> Result<(), Failure> {
    let all: DiskStats = parse(proc, "diskstats")?;
    let mut disks = whole(&all.0);
    disks.sort_by(|a, b| a.name.cmp(&b.name));
    for disk in disks.iter().take(DISKS_MAX) {
        let device = ("device", disk.name.as_str());
        let rows = [
            ("system.disk.io", disk.sectors_read as f64 * SECTOR_BYTES, disk.sectors_written as f64 * SECTOR_BYTES),
            ("system.disk.operations", disk.reads as f64, disk.writes as f64),
        ];
        for (name, read, write) in rows {
            put(points, name, read, &[device, ("direction", "read")]);
            put(points, name, write, &[device, ("direction", "write")]);
        }
        put(points, "system.disk.io_time", disk.time_in_progress as f64 / 1_000.0, &[device]);
    }
    match disks.len() {
        n if n > DISKS_MAX => Err(Failure::TooMany { what: "disks", n, n_max: DISKS_MAX }),
        _ => Ok(()),
    }
}

fn whole(all: &[DiskStat]) -> Vec<&DiskStat> {
    let is_whole = |disk: &&DiskStat| {
        let is_virtual = VIRTUAL.iter().any(|prefix| disk.name.starts_with(prefix));
        !is_virtual && !all.iter().any(|other| is_partition(&disk.name, &other.name))
    };
    all.iter().filter(is_whole).collect()
}

/// `sda1` of `sda`, `nvme0n1p2` of `nvme0n1`. A cloud's `xvda1` without an `xvda` is a disk.
fn is_partition(name: &str, disk: &str) -> bool {
    let Some(rest) = name.strip_prefix(disk) else { return false };
    let digits = if disk.ends_with(|c: char| c.is_ascii_digit()) { rest.strip_prefix('p') } else { Some(rest) };
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_disks_are_counted() {
        let names = [
            "sda",
            "sda1",
            "sda12",
            "sdaa",
            "nvme0n1",
            "nvme0n1p1",
            "nvme0n10",
            "loop0",
            "dm-0",
            "md127",
            "xvdb1",
            "mmcblk0",
            "mmcblk0p1",
            "zram0",
            "sr0",
        ];
        let lines: Vec<_> =
            names.iter().map(|n| DiskStat::from_line(&format!("8 0 {n} 1 2 3 4 5 6 7 8 9 10 11")).unwrap()).collect();
        let found: Vec<_> = whole(&lines).iter().map(|disk| disk.name.as_str()).collect();
        assert_eq!(found, ["sda", "sdaa", "nvme0n1", "nvme0n10", "xvdb1", "mmcblk0"]);
    }
}
