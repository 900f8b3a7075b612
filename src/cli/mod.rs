//! The command line: words in, exit code out. Each command has a file; none holds logic that another part could need.
//!
//! Exit codes: 0 done · 1 ran and found problems · 2 could not run (usage, files, no service).

mod ack;
mod agent;
pub mod check;
mod contacts;
mod drill;
mod explain;
mod gateway;
mod history;
mod ledger;
mod output;
mod progress;
mod record;
mod replay;
mod route;
mod run;
mod selftest;
mod service;
mod silence;
mod status;
mod store;
mod table;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::time::{Clock, SystemClock};

/// Bongsu (봉수): thresholds over sliding windows, incidents, and the emergency contact chain.
#[derive(Debug, Parser)]
#[command(name = "bongsu", version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The service. With the shipped file it needs nothing else and watches this very host.
    Run(run::RunArgs),
    /// The collector on a monitored host.
    Agent(agent::AgentArgs),
    /// Everything wrong in configuration, rules, contacts and chains, all at once.
    Check(check::CheckArgs),
    /// Tests of rules: scenarios, promtool's unit tests, promqltest scripts.
    Test(test::TestArgs),
    /// Backtest: what the rules would have done over recorded or simulated input, on a virtual clock.
    Replay(replay::ReplayArgs),
    /// Why an incident or a rule instance is as it is, who was told, or why nobody was.
    Explain(explain::ExplainArgs),
    /// Who would be told of an incident with these labels, when, on what channel, muted by what.
    Route(route::RouteArgs),
    /// The 비상연락망: list, document, whether it can be relied on.
    #[command(subcommand)]
    Contacts(contacts::ContactsCommand),
    /// A range of the log as NDJSON that `replay` takes.
    Record(record::RecordArgs),
    /// Take an incident (수신확인).
    Ack(ack::AckArgs),
    /// Hand an incident over to another person, who is told.
    Handover(ack::HandoverArgs),
    /// Silence incidents for a while, with a reason and an end; list, preview, end and approve silences.
    Silence(silence::SilenceArgs),
    /// Drills (모의훈련): start one, end one, see those that run.
    Drill(drill::DrillArgs),
    /// Give an incident back.
    Unack(ack::UnackArgs),
    /// Say that an incident is over.
    Resolve(ack::ResolveArgs),
    /// Say that an incident is not over.
    Reopen(ack::ReopenArgs),
    /// Gateways to SMS, MMS and e-mail.
    #[command(subcommand)]
    Gateway(gateway::GatewayCommand),
    /// Proof that no decision was altered.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// How the service is, and sources that the inventory does not know.
    Status(status::StatusArgs),
    /// The tables of the store, for whoever owns them.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Proof on your own machine: crashes under load, simulated worlds.
    #[command(subcommand)]
    Selftest(selftest::SelftestCommand),
}

/// Runs the command line and gives its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap's own codes: help and version are no failure.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    // One TLS provider for the whole program; an error means that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Agent(args) => agent::run(&args),
        Command::Check(args) => Ok(check::run(&args, &mut std::io::stdout().lock(), SystemClock.wall())),
        Command::Test(args) => test::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Route(args) => route::run(&args),
        Command::Contacts(command) => contacts::run(&command),
        Command::Record(args) => record::run(&args),
        Command::Ack(args) => ack::ack(&args),
        Command::Handover(args) => ack::handover(&args),
        Command::Silence(args) => silence::run(&args),
        Command::Drill(args) => drill::run(&args),
        Command::Unack(args) => ack::unack(&args),
        Command::Resolve(args) => ack::resolve(&args),
        Command::Reopen(args) => ack::reopen(&args),
        Command::Gateway(command) => gateway::run(&command),
        Command::Ledger(command) => ledger::run(&command),
        Command::Status(args) => status::run(&args),
        Command::Store(command) => store::run(&command),
        Command::Selftest(command) => selftest::run(&command),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::complain(&error);
            ExitCode::from(2)
        }
    }
}
