//! The engine's own troubles that no stage raises itself: a log that is read late, data that cannot be read, a disk that
//! fills up.
//!
//! The idea: each is a figure with a line to begin at and a lower one to end at, so that a figure that dances on a line
//! makes one incident. It only looks at what stages publish and at the disk; a store that cannot be written cannot be
//! told of in itself: health, the page and the withheld heartbeat say so.

use std::collections::VecDeque;
use std::path::PathBuf;

use crate::model::{Builtin, ENGINE_DISK, ENGINE_LAG, ENGINE_REJECTS};
use crate::pipeline::shell::Shared;
use crate::pipeline::watch::{is_open, settle};
use crate::time::{MINUTE, Ms, SECOND};

/// A log read with this delay is a trouble …
const LAG_BEGIN: Ms = MINUTE;
/// … until the delay is below this.
const LAG_END: Ms = 10 * SECOND;
/// So much of what came in a minute could not be read …
const REJECTS_BEGIN: u64 = 60;
/// … and it is one in so many records …
const REJECTS_SHARE: u64 = 100;
/// … until it is so little.
const REJECTS_END: u64 = 6;
/// Less room than this is a trouble where it is also less than a tenth of the disk …
const ROOM_BEGIN: u64 = 1 << 30;
/// … and less than this on a disk of any size …
const ROOM_LEAST: u64 = 100 << 20;
/// … until there is so much more.
const ROOM_MORE: u64 = 256 << 20;

/// Free and whole size of a disk, bytes.
type Room = (u64, u64);
/// Asks for it; `None` where it cannot be known.
type Ask = fn(&PathBuf) -> Option<Room>;

/// The watch.
#[derive(Debug)]
pub struct SelfWatch {
    folder: PathBuf,
    ask: Ask,
    lag: Line,
    rejects: Line,
    disk: Line,
    /// (elapsed time, records, rejects) of the last minute.
    counted: VecDeque<(Ms, u64, u64)>,
}

/// One trouble.
#[derive(Debug)]
struct Line {
    rule: &'static Builtin,
    /// Whether its incident is open; `None` until the store was asked.
    open: Option<bool>,
    on: bool,
}

impl Line {
    const fn of(rule: &'static Builtin) -> Self {
        Self { rule, open: None, on: false }
    }

    /// On where `begins`, off where `ends`, else as before.
    fn look(&mut self, (begins, ends): (bool, bool), shared: &Shared) {
        self.on = (self.on && !ends) || begins;
        self.open = self.open.or_else(|| is_open(shared, self.rule));
        settle(shared, self.rule, &mut self.open, self.on);
    }
}

impl SelfWatch {
    /// A watch over the disk of `folder` and what stages publish.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            ask: room,
            lag: Line::of(&ENGINE_LAG),
            rejects: Line::of(&ENGINE_REJECTS),
            disk: Line::of(&ENGINE_DISK),
            counted: VecDeque::new(),
        }
    }

    /// One look.
    pub fn look(&mut self, shared: &Shared) {
        let lag = shared.board.lag();
        self.lag.look((lag > LAG_BEGIN, lag < LAG_END), shared);
        let (records, rejects) = self.last_minute(shared);
        let many = rejects >= REJECTS_BEGIN && rejects * REJECTS_SHARE >= records;
        self.rejects.look((many, rejects < REJECTS_END), shared);
        if let Some((free, whole)) = (self.ask)(&self.folder) {
            let least = if ROOM_BEGIN < whole / 10 { ROOM_BEGIN } else { ROOM_LEAST };
            self.disk.look((free < least, free > least + ROOM_MORE), shared);
        }
    }

    /// Records and refusals of the last minute.
    fn last_minute(&mut self, shared: &Shared) -> (u64, u64) {
        let now = shared.clock.elapsed();
        let (records, rejects) = shared.board.counted();
        self.counted.push_back((now, records, rejects));
        while self.counted.get(1).is_some_and(|(at, ..)| now - at >= MINUTE) {
            self.counted.pop_front();
        }
        let (_, before, refused) = self.counted.front().copied().unwrap_or((now, records, rejects));
        (records.saturating_sub(before), rejects.saturating_sub(refused))
    }
}

fn room(folder: &PathBuf) -> Option<Room> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let size = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some((size(stat.f_bavail), size(stat.f_blocks)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::console::{CountsView, PartitionView};
    use crate::model::{Input, State};
    use crate::pipeline::front::Evaluation;
    use crate::pipeline::shell::Shell;
    use crate::store::{MemoryStore, Store as _};
    use crate::telemetry::Metrics;
    use crate::time::ManualClock;

    struct Site {
        shell: Shell,
        clock: Arc<ManualClock>,
        store: Arc<MemoryStore>,
        watch: SelfWatch,
    }

    impl Site {
        fn new(ask: Ask) -> Self {
            let clock = Arc::new(ManualClock::at(1_764_000_000_000));
            let store = Arc::new(MemoryStore::default());
            let shell = Shell::new(store.clone(), clock.clone(), Arc::new(Metrics::new(0)));
            let watch = SelfWatch { ask, ..SelfWatch::new(PathBuf::new()) };
            Self { shell, clock, store, watch }
        }

        fn publish(&self, lag: Ms, records: u64, rejects: u64) {
            let partition = PartitionView { lag_ms: lag, caught_up: false, ..PartitionView::default() };
            let rejected = [("not-json".to_owned(), rejects)].into_iter().collect();
            let counts = CountsView { records, rejected, ..CountsView::default() };
            self.shell.shared.board.publish(Evaluation {
                partitions: vec![partition],
                counts,
                ..Evaluation::default()
            });
        }

        fn look(&mut self) {
            self.watch.look(&self.shell.shared);
            self.clock.advance(2 * SECOND);
        }

        fn told(&self) -> Vec<(String, State)> {
            let inputs = self.store.inputs(&[], 100).expect("memory is never away");
            let own = inputs.into_iter().filter_map(|taken| match taken.input {
                Input::Own(signal) => Some((signal.rule.to_string(), signal.to)),
                _ => None,
            });
            own.collect()
        }
    }

    fn much(_: &PathBuf) -> Option<Room> {
        Some((50 << 30, 100 << 30))
    }

    #[test]
    fn a_log_that_is_read_late_is_one_incident() {
        let mut site = Site::new(much);
        for lag in [0, 50, 61, 40, 70, 11, 9, 30] {
            site.publish(lag * SECOND, 0, 0);
            site.look();
        }
        let id = ENGINE_LAG.id.to_owned();
        assert_eq!(site.told(), [(id.clone(), State::Firing), (id, State::Resolved)]);
    }

    #[test]
    fn data_that_cannot_be_read_is_an_incident_where_it_is_much_of_what_comes() {
        let mut site = Site::new(much);
        for n in 0..40 {
            site.publish(0, n * 1_000, n * 3);
            site.look();
        }
        assert_eq!(site.told(), [], "less than one in a hundred");
        for n in 0..40 {
            site.publish(0, 40_000 + n * 10, 120 + n * 3);
            site.look();
        }
        assert_eq!(site.told(), [(ENGINE_REJECTS.id.to_owned(), State::Firing)]);
        for _ in 0..40 {
            site.look();
        }
        assert_eq!(site.told().last().map(|(_, to)| *to), Some(State::Resolved));
    }

    #[test]
    fn a_disk_that_fills_up_is_an_incident() {
        for (ask, wanted) in [
            (much as Ask, 0),
            (|_: &PathBuf| Some((900 << 20, 100 << 30)), 1),
            (|_: &PathBuf| Some((900 << 20, 5 << 30)), 0),
            (|_: &PathBuf| Some((90 << 20, 5 << 30)), 1),
            (|_: &PathBuf| None, 0),
        ] {
            let mut site = Site::new(ask);
            site.look();
            site.look();
            assert_eq!(site.told().len(), wanted);
        }
        assert!(room(&std::env::temp_dir()).is_some_and(|(free, whole)| free <= whole && whole > 0));
    }
}
