//! STUB
#[derive(Debug, clap::Args)]
pub(crate) struct CrashArgs {}
pub(crate) fn run(_: &CrashArgs) -> anyhow::Result<u8> {
    Ok(2)
}
