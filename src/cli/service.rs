//! Talking to a running service: its address from the configuration, its token from the data directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::output::{self, Format};

/// A command waits for an answer at most so long: the leader answers an ack after its own transaction.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where the service's files are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Place {
    /// The service's configuration.
    #[arg(short, long, value_name = "FILE", default_value = "configs/bongsu.yaml")]
    pub(crate) config: PathBuf,
    /// The service's data directory.
    #[arg(long, value_name = "DIR", default_value = "./bongsu-data")]
    pub(crate) data_dir: PathBuf,
}

/// A running service.
#[derive(Debug)]
pub(crate) struct Service {
    client: reqwest::blocking::Client,
    base: String,
    token: String,
}

/// Why there is no service to talk to.
#[derive(Debug)]
pub(crate) enum Away {
    /// Nobody listens: it is not running.
    NotRunning,
    /// Something else is wrong.
    Trouble(anyhow::Error),
}

impl Place {
    /// The service that this configuration and data directory belong to.
    pub(crate) fn service(&self) -> anyhow::Result<Service> {
        let loaded = super::run::load(&self.config)?;
        Service::at(&loaded.settings.listen.to_string(), &self.data_dir.join("token"))
    }

    /// Sends what a person asks for to `path` and prints the leader's answer: 0 done, 1 refused, unknown or already so.
    pub(crate) fn submit(&self, path: &str, body: &Value, (verb, format): (&str, Format)) -> anyhow::Result<u8> {
        let (status, answer) = self.service()?.post(path, body)?;
        tell((status, &answer), json!({ "type": "answer", "verb": verb }), format)
    }
}

/// Prints the leader's answer, as JSON with what is `known` of the question: 0 done, 1 refused, unknown or already so.
pub(crate) fn tell((status, answer): (u16, &Value), mut known: Value, format: Format) -> anyhow::Result<u8> {
    let text = answer.get("text").or(answer.get("error")).and_then(Value::as_str).unwrap_or("no answer");
    let done = status == 200;
    // What somebody wrote wrongly: the sentence says it all.
    anyhow::ensure!(status != 400, "{text}");
    anyhow::ensure!(done || matches!(status, 202 | 404 | 409), "the service answered {status}: {text}");
    let mut out = std::io::stdout().lock();
    match format {
        Format::Human => output::line(&mut out, text)?,
        Format::Json => {
            (known["done"], known["answer"]) = (done.into(), text.into());
            output::json(&mut out, known)?;
        }
    }
    Ok(u8::from(!done))
}

impl Service {
    /// The service at `listen` (an address and port), with the token in the file `token`.
    pub(crate) fn at(listen: &str, token: &Path) -> anyhow::Result<Self> {
        let token = std::fs::read_to_string(token).with_context(|| {
            format!("read token `{}` (is the service running with this --data-dir?)", token.display())
        })?;
        let client = reqwest::blocking::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        Ok(Self { client, base: format!("http://{listen}"), token: token.trim().to_owned() })
    }

    /// Asks for `path`.
    pub(crate) fn get(&self, path: &str) -> Result<(u16, Value), Away> {
        self.answer(self.client.get(format!("{}{path}", self.base)))
    }

    /// Sends `body` to `path`.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<(u16, Value), Away> {
        let request = self.client.post(format!("{}{path}", self.base));
        self.answer(request.header("content-type", "application/json").body(body.to_string()))
    }

    fn answer(&self, request: reqwest::blocking::RequestBuilder) -> Result<(u16, Value), Away> {
        let answer = request
            .bearer_auth(&self.token)
            .send()
            .map_err(|error| if error.is_connect() { Away::NotRunning } else { Away::Trouble(error.into()) })?;
        let status = answer.status().as_u16();
        let text = answer.text().map_err(|error| Away::Trouble(error.into()))?;
        if status == 401 {
            return Err(Away::Trouble(anyhow::anyhow!(
                "the service refused the token: it belongs to another data directory"
            )));
        }
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}

impl From<Away> for anyhow::Error {
    fn from(away: Away) -> Self {
        match away {
            Away::NotRunning => {
                anyhow::anyhow!("no service answers\n  help: start it with `bongsu run`, or name its -c and --data-dir")
            }
            Away::Trouble(error) => error,
        }
    }
}
