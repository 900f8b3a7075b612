//! `bongsu selftest`: the proof that the project's own tests use, shipped, on the user's own machine.

mod crash;
mod latency;
mod simulate;

/// `bongsu selftest`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SelftestCommand {
    /// Kills the service with kill -9 under load, again and again, and looks for what was lost or told twice.
    Crash(crash::CrashArgs),
    /// Simulated worlds: late, missing and doubled records, broken clocks, moody gateways, crashes at every border.
    Simulate(simulate::SimulateArgs),
    /// How long a sample takes to the phone: every hop between the eight stamps of a page, measured on an open loop.
    Latency(latency::LatencyArgs),
}

pub(crate) fn run(command: &SelftestCommand) -> anyhow::Result<u8> {
    match command {
        SelftestCommand::Crash(args) => crash::run(args),
        SelftestCommand::Simulate(args) => simulate::run(args),
        SelftestCommand::Latency(args) => latency::run(args),
    }
}
