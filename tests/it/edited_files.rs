//! Files that are edited under a running service: the last thing that was written comes into force, whenever it was
//! written, and nothing that was half there or suddenly gone does.

use std::sync::Arc;

use bongsu::config;
use bongsu::evaluate::Setup;
use bongsu::model::{BROKEN_CONFIG, Input, State};
use bongsu::pipeline::outbox::Contacts;
use bongsu::pipeline::shell::{Mail, Shell};
use bongsu::pipeline::watch::{Edited, Watch};
use bongsu::store::{MemoryStore, Store as _};
use bongsu::telemetry::Metrics;
use bongsu::time::{Clock, ManualClock, Ms};

use crate::site::Site;

const BEGINNING: Ms = 1_767_571_200_000;

fn rule(id: &str) -> String {
    format!(
        "  - id: {id}\n    title: 부하 과다\n    metric: app.load\n    by: [host]\n    window: {{ fn: last, over: 1m }}\n    \
         when: above\n    severity: {{ S1: {{ value: 90 }} }}\n"
    )
}

/// A service's watch over a site's files, read when it began.
struct Desk {
    site: Site,
    shell: Shell,
    store: Arc<MemoryStore>,
    watch: Watch,
    setups: Arc<Mail<Arc<Setup>>>,
}

impl Desk {
    /// `meanwhile` happens between the read of the files and the first look.
    fn new(rules: &str, meanwhile: impl FnOnce(&Site)) -> Self {
        let site = Site::new(rules);
        let clock = Arc::new(ManualClock::at(BEGINNING));
        let store = Arc::new(MemoryStore::default());
        let shell = Shell::new(store.clone(), Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(Metrics::new(BEGINNING)));
        let file = site.path("bongsu.yaml");
        let load = move || {
            let ask = config::Ask { env: &[], now: BEGINNING, whole: true };
            config::load(std::slice::from_ref(&file), &ask)
        };
        let loaded = load();
        let contacts = Contacts::new(Arc::new(loaded.people.clone()));
        contacts.stock(Arc::new(loaded.inventory.clone()), Arc::new(loaded.rules.clone()));
        let files = Edited { load: Arc::new(load), rules: loaded.rules.hash.clone() };
        meanwhile(&site);
        let setups = Arc::<Mail<_>>::default();
        let mails = (Arc::clone(&setups), Arc::default());
        let watch = Watch::new(files, &loaded.files, contacts, mails, clock.as_ref());
        Self { site, shell, store, watch, setups }
    }

    /// One look: the rules that come into force by it.
    fn look(&mut self) -> Option<Vec<String>> {
        self.watch.look(&self.shell.shared);
        let setup = self.setups.take()?;
        Some(setup.rules.rules.iter().map(|rule| rule.id.to_string()).collect())
    }

    /// Several looks: every set that comes into force.
    fn looks(&mut self) -> Vec<Vec<String>> {
        (0..8).filter_map(|_| self.look()).collect()
    }

    fn write(&self, rules: &str) {
        std::fs::write(self.site.path("rules.yaml"), format!("version: 1\nrules:\n{rules}")).unwrap();
    }

    /// Whether the last word about the files is that they are broken; `None`: nothing was said.
    fn is_broken(&self) -> Option<bool> {
        let told = self.store.inputs(&[], 100).unwrap().into_iter().filter_map(|taken| match taken.input {
            Input::Own(signal) if *signal.rule == *BROKEN_CONFIG.id => Some(signal.to == State::Firing),
            _ => None,
        });
        told.last()
    }
}

#[test]
fn what_is_written_while_the_service_starts_comes_into_force() {
    let both = rule("one") + &rule("two");
    let mut desk = Desk::new(&rule("one"), |site| {
        std::fs::write(site.path("rules.yaml"), format!("version: 1\nrules:\n{both}")).unwrap();
    });
    assert_eq!(desk.looks(), [["one", "two"]]);
    assert_eq!(Desk::new(&rule("one"), |_| {}).looks(), Vec::<Vec<String>>::new(), "nothing was written");
}

#[test]
fn the_first_half_of_a_file_does_not_come_into_force() {
    let mut desk = Desk::new(&(rule("one") + &rule("two")), |_| {});
    desk.looks();
    // It reads well, and says that half of the rules are gone.
    desk.write(&rule("one"));
    assert_eq!(desk.look(), None);
    desk.write(&(rule("one") + &rule("three")));
    assert_eq!(desk.looks(), [["one", "three"]]);
    assert_eq!(desk.is_broken(), None);
}

#[test]
fn rules_that_are_suddenly_all_gone_stay_in_force() {
    let mut desk = Desk::new(&rule("one"), |site| {
        std::fs::create_dir(site.path("rules")).unwrap();
    });
    desk.site.edit("bongsu.yaml", "rules: rules.yaml", "rules: rules");
    std::fs::rename(desk.site.path("rules.yaml"), desk.site.path("rules/one.yaml")).unwrap();
    assert_eq!(desk.looks(), [["one"]]);
    std::fs::remove_file(desk.site.path("rules/one.yaml")).unwrap();
    assert_eq!((desk.looks(), desk.is_broken()), (vec![], Some(true)), "an empty folder is no decision");
    std::fs::remove_dir(desk.site.path("rules")).unwrap();
    assert_eq!((desk.looks(), desk.is_broken()), (vec![], Some(true)), "nor is none");
    std::fs::create_dir(desk.site.path("rules")).unwrap();
    std::fs::write(desk.site.path("rules/two.yaml"), format!("version: 1\nrules:\n{}", rule("two"))).unwrap();
    assert_eq!((desk.looks(), desk.is_broken()), (vec![vec!["two".to_owned()]], Some(false)));
}
