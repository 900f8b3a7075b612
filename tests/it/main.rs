//! Tests that cross module borders or need a real server. One binary; each module says why it is here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "a child process tells its parent so")]
#![allow(clippy::disallowed_methods, reason = "tests of real processes have real deadlines")]

/// The layers, lengths and headers of the house.
mod house;

/// The agent's client against a real HTTP server.
mod agent_door;
/// The agent as a process, before a real door that goes away and comes back.
mod agent_site;
/// The agent's spool, killed in the middle of its work.
mod agent_spool;
/// `route --alertmanager`: the published cases of Alertmanager's router.
mod alertmanager;
/// Files of Alertmanager: mistakes, whole files, the command, chains beside them.
mod alertmanager_files;
/// Pages that come back from a sender while the leader decides.
mod came_back;
/// Ten mistakes in a file of each kind, each at its line and column.
mod config_bad;
/// Named checks and their examples.
mod config_lint;
/// `bongsu check` as a command.
mod config_check;
/// Maintenance and inhibition in edited files.
mod config_mute;
/// The shipped files and their schemas need the repository's own folders.
mod config_shipped;
/// PromQL: Prometheus's own scripts and real rule files.
mod promql_scripts;
/// PromQL: what the real engine said, replayed.
mod promql_recorded;
/// Decoding against a slow reader of the same format.
mod decode_reference;
/// Which test shows that a trouble of other systems' users is none here.
mod pains;
/// The console over real HTTP: the door.
mod console_door;
/// The console over real HTTP: who may do what, and what people see.
mod console_page;
/// The console for somebody who is woken: what must be found without looking for it.
mod console_night;
/// One-time codes: the phone page, the duty desk, and where a code must not be.
mod console_codes;
/// A console with small seams behind it, for those above.
mod console_world;
/// The mail gateway against a real server.
mod gateway_mail;
/// A real mail server for whoever needs one.
mod smtp;
/// The HTTP gateway against a provider on loopback.
mod front_ends;
mod gateway_http;
/// A text-message provider on loopback, with moods.
mod sms_double;
/// The handset in a process of its own, killed in the middle of its work.
mod native_rules;
mod notify_handset;
/// A real PostgreSQL server for whoever needs one.
mod postgres;
mod postgres_proxy;
/// What every store must do, run over SQLite, PostgreSQL and memory: fixtures, and the list of sides.
mod store_suite;
/// Hand-over ②: fences, seqs, state rows.
mod store_evaluate;
/// The leader's transaction: inputs in order, cancels, the ledger's chain.
mod store_leader;
mod store_lost;
/// The leader's seat: taken, held, lost, given up.
mod store_seat;
/// Two leaders over one store.
mod leadership;
mod lint_exprs;
/// A tick that does not fit one flush: cuts and crashes between them.
mod flush_cuts;
/// Hand-over ③: leases, outcomes, deadlines.
mod store_notify;
mod store_sweep;
/// SQLite, PostgreSQL and memory give the same answers to the same random calls.
mod store_same;
/// What only a file can show: kill -9, versions, read-only, a slow second writer.
mod store_sqlite;
/// What only a server can show: lost connections, kill -9 of it, roles, TLS, limits.
mod store_postgres;
/// What only several processes on one server can show: who waits for whom.
mod store_races;

/// What a quiet life writes, and what the end of silence hides.
mod quiet;
/// Prometheus rule files in `check`.
mod prometheus_rules;
/// `replay` over files.
mod replay;
/// What a run amounts to, compared, swept, scored, drawn and explained.
mod replay_exprs;
mod replay_tools;
/// Named scenarios: troubles of the field, absence.
mod named_scenarios;
/// Shipped scenarios.
mod route;
mod scenario_words;
mod scenarios;
/// Crashes, simulated worlds, planted faults.
mod selftests;
/// Planted faults: each is found within 500 simulated worlds, and what found it is a scenario file.
mod planted;
mod sim_faults;
mod sim_files;
/// `bongsu test` as a command.
mod unit_tests;
/// The ways out of a running service: faults, fail-over, receipts.
mod ways_out;
/// A node over real files and a clock that the test moves.
mod virtual_site;
/// A data directory of the release before.
mod upgrade;
/// A day in which nothing happens.
mod quiet_day;
/// Files and directories that the service may not use.
mod permissions;
/// What a phone notices of a broker, a database or a gateway that is away for a while.
mod faults;
/// The service from the door to the phone.
mod service;
/// The eight stamps of a page, and what is shown of them.
mod stamps;
/// Silences from the command to their end, and on the page.
mod shadow;
mod silences;
/// What a running service says of one rule, and how it takes other files.
mod explain_reload;
mod expr_rules;
/// The service with its decisions in PostgreSQL, set up as deploy/postgres.sql says.
mod service_postgres;
/// Signs of life that stop while the service is not well, and outages of its store that are told afterwards.
mod heartbeats;
/// Drills that a person starts and ends, beside the real thing.
mod drills;
mod edited_files;
/// A service that was away: what leaves before it has caught up, and what afterwards.
mod start_gate;
/// Whatever comes in, and whatever happens to the disk: said, counted, and nothing else lost.
mod bad_input;
/// A wall clock that jumps or differs from the log's.
mod wall_clock;
/// A service of its own for a test.
mod site;
// A real Kafka broker for whoever needs one.
// The embedded log against real processes: a writer killed, a reader elsewhere.
// Kafka against a real broker: what only it has.
// What both logs promise, once, over both.

/// A real Kafka broker for tests.
mod kafka;
/// Consumer groups over real Kafka: who has which partition, and what a hand-over may not lose.
mod kafka_group;
/// Brokers that die, stand still or are not there yet.
mod kafka_cluster;
/// TLS, logins and permissions.
mod kafka_security;
/// Two whole services over a cluster and PostgreSQL.
mod two_instances;
/// Whole evaluators over one topic: hand-overs.
mod kafka_hand_over;
/// What only the embedded log can show.
mod log_embedded;
/// The contract over real Kafka.
mod log_kafka;
/// What every log must do: one suite for both sides.
mod log_suite;
