//! Where secrets come from: a file or an environment variable, never an edited file.
//!
//! The idea: a configuration only names a secret; its value is read here, when a gateway is put together, by the
//! process that needs it. So a configuration can be checked by somebody who may not see it.

use anyhow::Context as _;

use crate::model::{SecretFrom, SecretText};

/// Reads a secret; blanks around it do not count.
///
/// # Errors
/// It is not there, or is empty; the text names the place and never the value.
pub fn read_secret(from: &SecretFrom) -> anyhow::Result<SecretText> {
    let (place, text) = match from {
        SecretFrom::File(path) => {
            let text = std::fs::read_to_string(path).with_context(|| {
                format!("read secret file `{}` (it must exist and be readable by the service)", path.display())
            })?;
            (format!("secret file `{}`", path.display()), text)
        }
        SecretFrom::Env(name) => {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads secrets")]
            let text = std::env::var(name)
                .with_context(|| format!("read secret: set the environment variable `{name}` for the service"))?;
            (format!("environment variable `{name}`"), text)
        }
    };
    let text = text.trim();
    anyhow::ensure!(!text.is_empty(), "{place} is empty\n  help: put the secret into it");
    Ok(SecretText(text.to_owned()))
}
