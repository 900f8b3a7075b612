//! Every codec gives back what it was given, byte for byte the second time, and takes nothing else.

use proptest::prelude::*;

use super::*;
use crate::model::{
    DrillAsk, Drilled, Evidence, Group, Matcher, MuteKind, Muted, Paused, Preview, Silence, SilenceAsk, Suspect,
    SuspectKind, Tally, Test, Tie, Triage,
};
use crate::model::{SlaClock, SlaClocks};

/// Words people may put into names: quotes, Korean, control characters, line feeds.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z0-9-]{1,12}", "[가-힣 \"\\\\\n\u{1}{},:]{1,8}"]
}

fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::vec((text(), text()), 0..4).prop_map(Labels::new)
}

fn number() -> impl Strategy<Value = Option<f64>> {
    prop::option::of(any::<u64>().prop_map(f64::from_bits))
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(all: &[T]) -> impl Strategy<Value = T> {
    prop::sample::select(all.to_vec())
}

prop_compose! {
    fn signal()(
        (rule, labels) in (text(), labels()),
        (from, to) in (one_of(&State::ALL), one_of(&State::ALL)),
        severity in prop::option::of(one_of(&Severity::ALL)),
        value in number(),
        unknown in prop::option::of(one_of(&Cause::ALL)),
        (at, since) in (any::<i64>(), any::<Option<i64>>()),
        ended in prop::option::of(one_of(&Ended::ALL)),
        acted in any::<bool>(),
    ) -> Signal {
        let fingerprint = Fingerprint::of(&rule, &labels);
        Signal { rule: rule.into(), labels, fingerprint, from, to, severity, value, unknown, at, since, ended, acted }
    }
}

prop_compose! {
    fn matcher()((label, value) in (text(), text()), test in one_of(&Test::ALL)) -> Matcher {
        Matcher { label, test, value }
    }
}

prop_compose! {
    fn muted()(
        kind in one_of(&MuteKind::ALL),
        (by, who, why) in (text(), text(), text()),
        (since, until) in (any::<i64>(), any::<Option<i64>>()),
        severity in prop::option::of(one_of(&Severity::ALL)),
    ) -> Muted {
        Muted { kind, by, who, why, since, until, severity }
    }
}

prop_compose! {
    fn paused()(
        severity in one_of(&Severity::ALL),
        left in any::<Option<i64>>(),
        taken in any::<bool>(),
        owed in prop::collection::vec((text(), one_of(&Channel::ALL)), 0..3),
    ) -> Paused {
        Paused { severity, left, taken, owed }
    }
}

prop_compose! {
    fn preview()([incidents, s1, pages, of, over] in any::<[i64; 5]>()) -> Preview {
        Preview { incidents, s1, pages, of, over }
    }
}

prop_compose! {
    fn ask()(
        matchers in prop::collection::vec(matcher(), 0..3),
        (from, until) in (any::<Option<i64>>(), any::<i64>()),
        (by, reason) in (text(), text()),
        (approver, replaces) in (prop::option::of(text()), prop::option::of(text())),
        hides in preview(),
    ) -> SilenceAsk {
        SilenceAsk { matchers, from, until, by, reason, approver, replaces, hides }
    }
}

prop_compose! {
    fn silence()(
        ask in ask(),
        (id, needs, expired_by) in (text(), prop::option::of(text()), prop::option::of(text())),
        (from, made) in (any::<i64>(), any::<i64>()),
        approved in prop::option::of((text(), any::<i64>())),
    ) -> Silence {
        let SilenceAsk { matchers, until, by, reason, approver, replaces, hides, .. } = ask;
        Silence {
            id, matchers, from, until, by, reason, made, hides, needs, approver, approved, expired_by, replaces,
        }
    }
}

prop_compose! {
    fn group()(
        tie in prop::option::of(one_of(&Tie::ALL)),
        own in prop::option::of(one_of(&Severity::ALL)),
        (total, severities, domains, last) in any::<(i64, [i64; 4], [i64; 4], Option<i64>)>(),
        said in any::<Option<(i64, i64)>>(),
        suspect in prop::option::of((one_of(&SuspectKind::ALL), text(), any::<[i64; 3]>(), any::<bool>())),
        triage in prop::option::of((one_of(&Domain::ALL), any::<[i64; 4]>(), text(), text(), any::<i64>())),
    ) -> Group {
        Group {
            tie, own, tally: Tally { total, severities, domains, last }, said,
            suspects: suspect.map(|(kind, what, [score, covers, of], first)| Suspect { kind, what, score, covers, of, first }).into_iter().collect(),
            triage: triage.map(|(domain, points, incident, relation, loud)| Triage {
                domain, points,
                evidence: vec![Evidence { rule: incident.as_str().into(), incident, relation, domain, points: loud }],
            }),
        }
    }
}

prop_compose! {
    fn incident()(
        signal in signal(),
        (id, title, by, note) in (text(), text(), text(), text()),
        (domain, state, severity) in (one_of(&Domain::ALL), one_of(&IncidentState::ALL), one_of(&Severity::ALL)),
        (at, until, resolved) in (any::<i64>(), any::<i64>(), any::<Option<i64>>()),
        (acked, flapping) in (any::<bool>(), any::<bool>()),
        reopened in prop::collection::vec(any::<i64>(), 0..3),
        partition in prop::option::of((text(), any::<i32>())),
        times in any::<[Option<i64>; 4]>(),
        codes_used in 0..9i64,
        muted in prop::option::of(muted()),
        sla in prop::option::of(clocks()),
        (parent, group, came) in (prop::option::of(text()), group(), prop::option::of(came())),
        is_drill in any::<bool>(),
    ) -> Incident {
        let drill = is_drill.then(|| Drilled { by: by.clone(), until, note: note.clone() });
        let [held_until, notify_by, notified, calm_since] = times;
        Incident {
            id, fingerprint: signal.fingerprint, rule: signal.rule, labels: signal.labels, title, domain, state,
            severity, occurred: at, detected: until, resolved, ended: signal.ended,
            ack: acked.then_some(Ack { by, at, until, note }), reopened, flapping, occurrence: at, held_until,
            partition, notify_by, notified, calm_since, codes_used, muted, sla, parent, group, came, drill,
        }
    }
}

prop_compose! {
    fn clocks()(
        (terms, service) in (text(), prop::option::of(text())),
        (from, by, warned, warns) in (any::<i64>(), any::<i64>(), any::<i64>(), any::<bool>()),
        [ack_within, ack_by, ack_left, acked, recover_by, down_since] in any::<[Option<i64>; 6]>(),
        tight in prop::option::of(one_of(&SlaClock::ALL)),
        missed in prop::collection::vec(one_of(&SlaClock::ALL), 0..3),
    ) -> SlaClocks {
        let tight = tight.map(|clock| (clock, by));
        SlaClocks {
            terms, service, from, ack_within, ack_by, ack_left, acked, recover_by, down_since, warns, warned, tight, missed,
        }
    }
}

prop_compose! {
    fn came()([sampled, appended, consumed] in any::<[i64; 3]>()) -> Came { Came { sampled, appended, consumed } }
}

prop_compose! {
    fn page()(
        (id, incident, to, title, text) in (text(), text(), text(), text(), text()),
        (severity, reason, channel) in (one_of(&Severity::ALL), one_of(&Reason::ALL), one_of(&Channel::ALL)),
        [step, round, occurrence, decided, due, wanted, deadline] in any::<[i64; 7]>(),
        (came, prompt) in (prop::option::of(came()), any::<bool>()),
    ) -> Page {
        Page {
            id, incident, severity, reason, step, round, occurrence, to, channel, title, text, decided, due, wanted,
            deadline, came, prompt,
        }
    }
}

prop_compose! {
    fn state()(signal in signal(), watch in text(), since in any::<[Option<i64>; 4]>(), at in any::<[Option<i64>; 6]>())
    -> StateRow {
        let [occurred, recovering, unknown_since, newest, valued, again] = at;
        StateRow {
            fingerprint: signal.fingerprint, rule: signal.rule, labels: signal.labels, watch, state: signal.from,
            severity: signal.severity, since, occurred, recovering, unknown: signal.unknown, unknown_since, newest,
            valued, again, value: signal.value,
        }
    }
}

prop_compose! {
    fn chain()(
        (incident, snapshot) in (text(), text()),
        (step, due, round) in (any::<Option<i64>>(), any::<Option<i64>>(), any::<i64>()),
        told in prop::collection::vec((text(), one_of(&Channel::ALL)), 0..3),
        paused in prop::option::of(paused()),
    ) -> ChainRow {
        ChainRow { incident, snapshot, step, round, due, hurry: due.map(|due| due ^ 1), told, paused }
    }
}

fn input() -> impl Strategy<Value = Input> {
    let two = || (text(), text());
    let outcome = |(word, detail): (&str, String)| {
        Outcome::parse(word, if word == "resent" { "" } else { &detail }).expect("the words are the outcomes' own")
    };
    prop_oneof![
        (two(), any::<(i32, i64, i64, bool)>(), signal(), prop::option::of(came())).prop_map(
            |((topic, _), (partition, seq, heard, caught_up), signal, came)| {
                Input::Signal { key: SignalKey { topic, partition, seq }, signal, heard, caught_up, came }
            }
        ),
        signal().prop_map(Input::Own),
        (text(), any::<i32>()).prop_map(|(topic, partition)| Input::CaughtUp { topic, partition }),
        (two(), text(), any::<i64>()).prop_map(|((incident, by), note, hold)| Input::Ack { incident, by, note, hold }),
        (two(), text(), any::<[i64; 3]>()).prop_map(|((incident, by), note, [occurrence, used, hold])| {
            Input::AckCode { incident, occurrence, used, by, note, hold }
        }),
        (two(), two(), any::<Option<i64>>()).prop_map(|((incident, by), (to, note), hold)| Input::Handover {
            incident,
            by,
            to,
            note,
            hold
        }),
        two().prop_map(|(incident, by)| Input::Unack { incident, by }),
        (two(), text()).prop_map(|((incident, by), note)| Input::Resolve { incident, by, note }),
        two().prop_map(|(incident, by)| Input::Reopen { incident, by }),
        ask().prop_map(|ask| Input::Silence(Box::new(ask))),
        (two(), two(), labels(), one_of(&Severity::ALL), any::<i64>()).prop_map(
            |((rule, by), (note, _), labels, severity, hold)| {
                Input::Drill(Box::new(DrillAsk { rule, labels, severity, hold, by, note }))
            }
        ),
        two().prop_map(|(silence, by)| Input::Expire { silence, by }),
        two().prop_map(|(silence, by)| Input::Approve { silence, by }),
        text().prop_map(|page| Input::Handed { page }),
        (text(), any::<bool>()).prop_map(|(page, again)| Input::GivenBack { page, again }),
        (text(), one_of(&["accepted", "delivered", "failed", "unknown", "resent"]), text(), any::<Option<i64>>())
            .prop_map(move |(page, word, detail, at)| Input::Outcome { page, outcome: outcome((word, detail)), at }),
        Just(Input::Due),
        any::<i64>().prop_map(|by| Input::Clock { by }),
        (one_of(&OverdueKind::ALL), text(), any::<i64>()).prop_map(|(kind, id, due)| Input::Swept(Overdue {
            kind,
            id,
            due
        })),
        (one_of(&Channel::ALL), any::<i64>()).prop_map(|(channel, p99)| Input::Pace { channel, p99 }),
        (text(), proptest::collection::vec(text(), 0..3)).prop_map(|(hash, contacts)| Input::Reload { hash, contacts }),
    ]
}

/// Writes, reads, writes: the texts must be one and the same (values cannot be compared: NaN differs from itself).
fn same<T>(value: &T, write: impl Fn(&T) -> Value, read: impl Fn(&Value) -> Option<T>) -> Result<(), TestCaseError> {
    let text = write(value).to_string();
    let parsed: Value = serde_json::from_str(&text).expect("it is JSON");
    let again = read(&parsed).map(|value| write(&value).to_string());
    prop_assert_eq!(again, Some(text));
    prop_assert_eq!(mangled(&parsed, &read), None, "a mangled field was taken");
    Ok(())
}

/// The first field that could be replaced by something of another type without the reader noticing.
fn mangled<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<String> {
    let object = value.as_object().expect("every value is written as an object");
    object.keys().find_map(|name| {
        let mut wrong = object.clone();
        wrong.insert(name.clone(), serde_json::json!([{"not": "this"}]));
        // What is shown of a number is for people; its bits are what is read.
        (name != "value" && read(&Value::Object(wrong)).is_some()).then(|| name.clone())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn signals_come_back(signal in signal()) { same(&signal, signal_to_json, signal_from_json)?; }
    #[test]
    fn raised_signals_come_back(signal in signal(), came in prop::option::of(came())) {
        let write = |(signal, came): &(Signal, Option<Came>)| raised_to_json(signal, came.as_ref());
        same(&(signal.clone(), came), write, raised_from_json)?;
        let plain = signal_from_json(&raised_to_json(&signal, came.as_ref())).map(|it| signal_to_json(&it).to_string());
        prop_assert_eq!(plain, Some(signal_to_json(&signal).to_string()), "whoever reads the signal alone finds it");
    }
    #[test]
    fn inputs_come_back(input in input()) { same(&input, input_to_json, input_from_json)?; }
    #[test]
    fn incidents_come_back(incident in incident()) { same(&incident, incident_to_json, incident_from_json)?; }
    #[test]
    fn pages_come_back(page in page()) { same(&page, page_to_json, page_from_json)?; }
    #[test]
    fn chains_come_back(chain in chain()) { same(&chain, chain_to_json, chain_from_json)?; }
    #[test]
    fn silences_come_back(silence in silence()) { same(&silence, silence_to_json, silence_from_json)?; }
    #[test]
    fn state_rows_come_back(row in state()) { same(&row, state_to_json, state_from_json)?; }
}

#[test]
fn garbage_is_rejected() {
    for garbage in ["null", "1", "[]", "{}", r#"{"kind":"nonsense"}"#, r#"{"type":"signal"}"#, r#"{"kind":"ack"}"#] {
        let value = serde_json::from_str(garbage).expect("it is JSON");
        assert_eq!(input_from_json(&value), None, "{garbage}");
        assert_eq!(signal_from_json(&value), None, "{garbage}");
        assert_eq!(incident_from_json(&value), None, "{garbage}");
        assert_eq!(page_from_json(&value), None, "{garbage}");
        assert_eq!(chain_from_json(&value), None, "{garbage}");
        assert_eq!(state_from_json(&value), None, "{garbage}");
    }
}

#[test]
fn signal_text_is_frozen() {
    let labels = Labels::new([("mountpoint", "/data"), ("host", "db-01")]);
    let signal = Signal {
        rule: "disk-full".into(),
        fingerprint: Fingerprint::of("disk-full", &labels),
        labels,
        from: State::Pending,
        to: State::Firing,
        severity: Some(Severity::S1),
        value: Some(0.1 + 0.2),
        unknown: None,
        at: 1_764_000_180_000,
        since: Some(1_764_000_060_000),
        ended: None,
        acted: true,
    };
    assert_eq!(
        signal_to_json(&signal).to_string(),
        r#"{"acted":true,"at":1764000180000,"bits":"3fd3333333333334","#.to_owned()
            + r#""fingerprint":"279722629b4846a23b93e3e8deb4b094","from":"pending","#
            + r#""labels":{"host":"db-01","mountpoint":"/data"},"rule":"disk-full","severity":"S1","#
            + r#""since":1764000060000,"to":"firing","type":"signal","value":0.3}"#
    );
}
