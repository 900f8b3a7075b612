//! What users of other systems have suffered from for years, and which test shows that nobody does here.
//!
//! The list is the table below; the one test holds it to the code, so a row cannot outlive what it points at. Rows are
//! numbered as the field study numbers its 25 pains; those about rules and windows alone (1, 15 to 19) are shown beside
//! the rule engine.

use std::path::{Path, PathBuf};

/// Number, the pain, where the tests are and what they are called (a scenario file has no name beside its own).
type Row = (u8, &'static str, &'static [(&'static str, &'static str)]);

#[rustfmt::skip]
const PAINS: &[Row] = &[
    (2, "cleared while the engine was down: the end is never told", &[
        ("src/pipeline/leader/pains.rs", "what_ended_while_nobody_led_is_told_once_and_as_of_its_true_end"),
        ("src/pipeline/leader/scenes.rs", "whoever_missed_the_end_hears_of_the_next_one"),
        ("tests/scenarios/25/10-cleared-while-away.yaml", "")]),
    (3, "a restart pages everybody again", &[
        ("src/pipeline/leader/pains.rs", "a_restart_tells_nobody_anything_again"),
        ("src/pipeline/gate.rs", "pages_wait_for_a_leader_and_the_end_of_the_log_but_a_minute_at_most"),
        ("tests/scenarios/25/09-thousand-pending.yaml", "")]),
    (4, "two instances page twice", &[
        ("tests/it/two_instances.rs", "two_instances_that_are_killed_stopped_and_restarted_lose_and_double_nothing"),
        ("tests/it/ways_out.rs", "a_lost_answer_is_asked_about_and_nothing_is_sent_twice"),
        ("tests/scenarios/25/01-split-brain.yaml", ""),
        ("tests/scenarios/25/02-answer-lost.yaml", "")]),
    (5, "a slow receiver loses the page", &[
        ("src/notify/tests/mod.rs", "refused_for_now_is_tried_again_until_just_before_the_deadline"),
        ("src/pipeline/ways.rs", "a_gateway_that_fails_for_a_while_is_an_incident_until_it_is_well"),
        ("tests/scenarios/25/03-gateway-down.yaml", "")]),
    (6, "a template that fails loses the page", &[
        ("src/pipeline/leader/scenes.rs", "a_title_that_must_not_leave_is_replaced_and_the_page_still_leaves"),
        ("src/page/tests.rs", "an_odd_character_never_fails_a_page"),
        ("src/page/tests.rs", "every_text_of_every_reason_fits_and_is_never_cut"),
        ("tests/scenarios/25/16-missing-label.yaml", "")]),
    (7, "a storm of messages", &[
        ("src/pipeline/leader/storms.rs", "a_flood_below_s1_becomes_thirty_pages_and_one_summary_an_hour"),
        ("src/pipeline/leader/crowd.rs", "ten_thousand_hosts_at_once_keep_the_caps_and_the_minute_of_every_domain"),
        ("tests/scenarios/25/19-ten-thousand-hosts.yaml", "")]),
    (8, "a brake hides the real outage", &[
        ("src/pipeline/leader/pains.rs", "no_cap_on_messages_holds_back_a_first_s1"),
        ("src/pipeline/leader/storms.rs", "an_s1_storm_is_ten_pages_and_a_summary_at_once"),
        ("src/notify/tests/mod.rs", "s1_goes_before_pages_that_are_already_leased")]),
    (9, "a protective limit mutes everything", &[
        ("src/pipeline/leader/storms.rs", "the_limit_of_the_book_never_mutes_an_s1"),
        ("tests/scenarios/25/24-rule-limit.yaml", "")]),
    (10, "what comes and goes pages each time", &[
        ("src/pipeline/leader/scenes.rs", "a_flapping_incident_says_so_once_and_is_quiet_until_calm"),
        ("src/evaluate/tests/meaning.rs", "severities_have_their_own_holds_and_fall_quietly")]),
    (11, "missing data is taken for recovery", &[
        ("src/evaluate/tests/meaning.rs", "silence_of_one_series_is_not_silence_of_its_source"),
        ("tests/scenarios/absence/absence.yaml", "")]),
    (12, "one cause, a page about silence from every host", &[
        ("src/pipeline/leader/storms.rs", "most_sources_silent_together_are_one_incident_and_no_other"),
        ("src/pipeline/leader/storms.rs", "one_silent_host_waits_half_a_minute_and_then_has_its_own_incident"),
        ("tests/scenarios/absence/absence.yaml", "")]),
    (13, "a host that vanished is missed by nobody, or stays bad for ever", &[
        ("tests/it/native_rules.rs", "who_is_expected_and_never_spoke_is_named"),
        ("src/evaluate/tests/expected.rs", "who_left_the_inventory_is_forgotten"),
        ("src/evaluate/tests/meaning.rs", "forgotten_identity_ends_its_episode_with_gone"),
        ("tests/scenarios/absence/expected.yaml", "")]),
    (14, "late data makes a wrong verdict", &[
        ("src/evaluate/tests/meaning.rs", "late_sample_does_not_enter_a_window_that_has_passed_it"),
        ("src/evaluate/tests/meaning.rs", "empty_window_counts_zero_and_below_waits_one_window"),
        ("src/pipeline/leader/scenes.rs", "what_happened_while_the_reader_was_behind_pages_when_it_caught_up")]),
    (20, "nobody can say that they have it", &[
        ("src/pipeline/leader/scenes.rs", "the_chain_climbs_until_somebody_takes_it"),
        ("src/pipeline/leader/scenes.rs", "a_worsening_wakes_all_told_and_takes_the_ack_away"),
        ("src/pipeline/leader/hands.rs", "an_ack_by_code_hides_no_rise_in_severity")]),
    (21, "the chain stops and nobody knows", &[
        ("src/pipeline/leader/late.rs", "a_step_whose_timer_was_lost_is_found_in_the_rows_and_taken"),
        ("src/pipeline/leader/scenes.rs", "an_empty_step_is_passed_at_once_and_the_last_group_never_is_empty"),
        ("src/pipeline/heartbeat.rs", "it_is_withheld_while_the_engine_is_not_well"),
        ("tests/it/config_bad.rs", "somebody_with_a_number_is_reached_at_every_hour"),
        ("tests/scenarios/25/14-empty-step.yaml", "")]),
    (22, "silences too broad, forgotten, or back from the dead", &[
        ("src/pipeline/leader/mutes.rs", "what_hides_much_waits_for_a_second_approver"),
        ("src/pipeline/leader/mutes.rs", "silences_that_must_not_be_are_refused_with_the_reason"),
        ("src/pipeline/leader/pains.rs", "a_silence_that_was_ended_never_comes_back"),
        ("src/pipeline/leader/mutes.rs", "a_silence_that_ends_while_nobody_leads_has_ended"),
        ("tests/scenarios/25/12-silence-ends-while-away.yaml", "")]),
    (23, "over while silenced: those told of the beginning wait for ever", &[
        ("src/pipeline/leader/mutes.rs", "whoever_was_told_of_the_beginning_is_told_of_the_end_also_while_it_is_muted")]),
    (24, "nobody can find out why", &[
        ("tests/it/explain_reload.rs", "a_running_service_explains_a_state_an_incident_and_silence"),
        ("tests/it/replay_tools.rs", "the_past_is_explained_as_it_was_then"),
        ("tests/it/replay_tools.rs", "what_was_never_judged_is_explained_by_what_keeps_it_out")]),
    (25, "milder looks like over, and a group is over before its members", &[
        ("src/evaluate/tests/meaning.rs", "severities_have_their_own_holds_and_fall_quietly"),
        ("src/pipeline/leader/decisions.rs", "who_is_told_and_who_is_not"),
        ("src/pipeline/leader/groups.rs", "a_parent_is_never_milder_than_its_worst_child"),
        ("src/pipeline/leader/groups.rs", "children_that_came_first_are_taken_back_and_those_told_hear_of_the_end")]),
];

#[test]
fn every_pain_has_a_test_that_is_there() {
    let numbers: Vec<u8> = PAINS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (2..=14).chain(20..=25).collect::<Vec<_>>(), "each once, in order");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for (number, pain, tests) in PAINS {
        assert!(!tests.is_empty(), "{number}: {pain}");
        for (file, name) in *tests {
            let path: PathBuf = root.join(file);
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let is_there = if name.is_empty() { text.contains("scenarios:") } else { is_test(&text, name) };
            missing.extend((!is_there).then(|| format!("{number}: {file} {name}")));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Whether `text` holds a function of that name that is run as a test.
fn is_test(text: &str, name: &str) -> bool {
    let Some(at) = text.find(&format!("fn {name}(")) else { return false };
    let before: Vec<&str> = text[..at].lines().rev().take(4).collect();
    before.iter().any(|line| line.contains("test]") || line.contains("#[tokio::test"))
}
