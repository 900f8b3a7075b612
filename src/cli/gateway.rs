//! `bongsu gateway test`: one message to one contact, end to end, each step shown.
//!
//! It goes past rules, chains and the outbox, so that what it shows is the gateway alone; the ledger does not have it.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;

use super::output::{self, Format};
use super::service::Place;
use crate::model::{Channel, Fate, Page, Reason, Severity};
use crate::notify::{AddressBook as _, Gateway as _, LookedUp, Paced, Sent};
use crate::pipeline::outbox::Contacts;
use crate::pipeline::wake::Wake;
use crate::pipeline::ways;
use crate::time::{Clock, MINUTE, Ms, SystemClock, civil, parse_duration};

/// Between two questions for the receipt.
const ASK_EVERY: std::time::Duration = std::time::Duration::from_secs(2);

/// Gateways to SMS, MMS and e-mail.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum GatewayCommand {
    /// Sends one message to a contact and shows each step: 0 it was taken, 1 it was not, 2 it could not be tried.
    Test(TestArgs),
}

/// `bongsu gateway test`.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Who gets it: a contact id.
    contact: String,
    /// On which channel.
    #[arg(long, value_parser = ["sms", "mms", "mail"], default_value = "sms")]
    channel: String,
    /// Through this gateway; left out: the first of the channel.
    #[arg(long, value_name = "ID")]
    gateway: Option<String>,
    /// How long to wait for the receipt, where the gateway can be asked for one.
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    wait: String,
    #[command(flatten)]
    place: Place,
    /// How to print the steps.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints steps.
struct Steps<'a> {
    out: &'a mut dyn Write,
    format: Format,
    clock: &'a dyn Clock,
    since: Ms,
}

impl Steps<'_> {
    fn show(&mut self, step: &str, result: &str, detail: &str) -> anyhow::Result<()> {
        let now = self.clock.elapsed();
        let ms = now - self.since;
        self.since = now;
        match self.format {
            Format::Human => {
                let tail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
                output::line(self.out, &format!("{step:<9} {result}{tail} ({ms} ms)"))
            }
            Format::Json => output::json(
                self.out,
                json!({ "type": "step", "step": step, "result": result, "detail": detail, "ms": ms }),
            ),
        }
    }
}

pub(crate) fn run(command: &GatewayCommand) -> anyhow::Result<u8> {
    let GatewayCommand::Test(args) = command;
    test(args, &mut std::io::stdout().lock())
}

fn test(args: &TestArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let channel = Channel::parse(&args.channel).context("--channel takes sms, mms or mail")?;
    let wait = parse_duration(&args.wait).with_context(|| format!("--wait: `{}` is no duration", args.wait))?;
    let loaded = super::run::load(&args.place.config)?;
    super::run::refuse_broken(&loaded)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let contacts = Contacts::new(Arc::new(loaded.people.clone()));
    let known = contacts.people().contacts.iter().any(|contact| contact.id == args.contact);
    anyhow::ensure!(known, "contact `{}` is not in contacts.yaml\n  help: give a contact's id", args.contact);
    let address = contacts
        .address(&args.contact, channel)
        .with_context(|| format!("contact `{}` has no address for {}", args.contact, channel.word()))?;
    let ways = ways::open(&loaded.settings, &args.place.data_dir, &clock)?;
    let way = choose(&ways, channel, args.gateway.as_deref())?;
    let mut steps = Steps { out, format: args.format, clock: clock.as_ref(), since: clock.elapsed() };
    steps.show("contact", &args.contact, &address.masked())?;
    steps.show("gateway", way.id(), channel.word())?;
    let page = page(&args.contact, channel, clock.wall());
    let sent = way.send(&page, &address);
    let id = match &sent {
        Sent::Accepted { id } => {
            steps.show("send", "accepted", id)?;
            id.clone()
        }
        Sent::Refused { reason, permanent, .. } => {
            let again = if *permanent { "trying again is of no use" } else { "may pass" };
            steps.show("send", "refused", &format!("{}, {again}", reason.word()))?;
            return Ok(1);
        }
        Sent::Unknown { why } => {
            steps.show("send", "unknown", why)?;
            String::new()
        }
    };
    let is_there = match way.look_up(&page) {
        None => steps.show("look-up", "cannot be asked", "").map(|()| matches!(sent, Sent::Accepted { .. }))?,
        Some(LookedUp::Accepted { id }) => steps.show("look-up", "there", &id).map(|()| true)?,
        Some(LookedUp::Failed { reason }) => steps.show("look-up", "failed", reason.word()).map(|()| false)?,
        Some(LookedUp::NotThere) => {
            steps.show("look-up", "not there", "").map(|()| matches!(sent, Sent::Accepted { .. }))?
        }
        Some(LookedUp::Unknown) => {
            steps.show("look-up", "unknown", "").map(|()| matches!(sent, Sent::Accepted { .. }))?
        }
    };
    if !is_there {
        return Ok(1);
    }
    receipt(way, (&page, &id), wait, &mut steps)
}

/// Waits for the receipt: 0 delivered or none to be had in time, 1 failed.
fn receipt(way: &Paced, (page, id): (&Page, &str), wait: Ms, steps: &mut Steps<'_>) -> anyhow::Result<u8> {
    if way.poll().is_none() {
        steps.show("receipt", "cannot be asked", "")?;
        return Ok(0);
    }
    let until = steps.clock.elapsed() + wait;
    loop {
        match way.receipt(page, id) {
            Some(Fate::Delivered) => {
                steps.show("receipt", "delivered", "")?;
                return Ok(0);
            }
            Some(Fate::Failed(reason)) => {
                steps.show("receipt", "failed", &reason)?;
                return Ok(1);
            }
            _ if steps.clock.elapsed() >= until => {
                steps.show("receipt", "not yet", "the message is under way")?;
                return Ok(0);
            }
            _ => {
                Wake::default().wait(ASK_EVERY);
            }
        }
    }
}

fn choose<'a>(ways: &'a [Arc<Paced>], channel: Channel, named: Option<&str>) -> anyhow::Result<&'a Paced> {
    let all = || ways.iter().filter(|way| way.serves(channel));
    let found = match named {
        Some(id) => all().find(|way| way.id() == id),
        None => all().next(),
    };
    found.map(AsRef::as_ref).with_context(|| {
        let ids: Vec<&str> = all().map(|way| way.id()).collect();
        format!("no such gateway for {}\n  help: there is {}", channel.word(), ids.join(", "))
    })
}

fn page(to: &str, channel: Channel, now: Ms) -> Page {
    let at = civil(now);
    let clock = format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second);
    let title = if channel == Channel::Mail { "[점검] 발송 경로 시험".to_owned() } else { String::new() };
    Page {
        id: format!("t-{:028x}", fastrand::u128(..) >> 16),
        incident: "gateway-test".to_owned(),
        severity: Severity::S4,
        reason: Reason::ContactCheck,
        step: 0,
        round: 0,
        occurrence: 1,
        to: to.to_owned(),
        channel,
        title,
        // The time makes each text differ: carriers drop equal ones.
        text: format!("[점검]발송 경로 시험 {clock}. 조치 불필요"),
        decided: now,
        due: now,
        wanted: now + 10 * MINUTE,
        deadline: now + 10 * MINUTE,
        came: None,
        prompt: false,
    }
}
