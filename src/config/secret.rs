//! Where secrets come from: a file or an environment variable, never an edited file.
//!
//! The idea: a configuration only names a secret; its value is read here, when a gateway is put together, by the
//! process that needs it. So a configuration can be checked by somebody who may not see it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Context as _;

use crate::model::{Secret, SecretFrom};

/// Reads a secret; blanks around it do not count.
///
/// # Errors
/// It is not there, is empty, or lies in a file that everybody may read; the text names the place and never the value.
pub fn read_secret(from: &SecretFrom) -> anyhow::Result<Secret> {
    match from {
        SecretFrom::File(path) => read_secret_file(path),
        SecretFrom::Env(name) => {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads secrets")]
            let text = std::env::var(name)
                .with_context(|| format!("read secret: set the environment variable `{name}` for the service"))?;
            let text = text.trim();
            anyhow::ensure!(!text.is_empty(), "environment variable `{name}` is empty\n  help: put the secret into it");
            Ok(Secret::new(text))
        }
    }
}

/// Reads a file that holds one secret in one line. A group may read it (mounted secrets), everybody may not.
///
/// # Errors
/// As [`read_secret`], or it holds more than one line.
pub fn read_secret_file(path: &Path) -> anyhow::Result<Secret> {
    let shown = path.display();
    let hint = "it must exist and be readable by the service";
    let mode = std::fs::metadata(path).with_context(|| format!("read secret file `{shown}` ({hint})"))?.mode();
    anyhow::ensure!(
        mode & 0o007 == 0,
        "secret file `{shown}` may be read by everybody (mode {:04o})\n  help: chmod 600 '{shown}'",
        mode & 0o777
    );
    let text = std::fs::read_to_string(path).with_context(|| format!("read secret file `{shown}` ({hint})"))?;
    let text = text.trim();
    anyhow::ensure!(
        !text.is_empty() && !text.contains('\n'),
        "secret file `{shown}` must hold the secret alone\n  help: write it in one line"
    );
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_file_that_everybody_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let with = |text: &str, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            read_secret_file(&file).map_err(|error| error.to_string())
        };
        assert_eq!(with("right horse\n", 0o600), Ok(Secret::new("right horse")));
        assert_eq!(with("right horse", 0o440), Ok(Secret::new("right horse")));
        for (text, mode, says) in
            [("right horse\n", 0o644, "chmod 600"), ("", 0o600, "alone"), ("a\nb\n", 0o600, "alone")]
        {
            let refused = with(text, mode).unwrap_err();
            assert!(refused.contains(says) && !refused.contains("horse"), "{refused}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(read_secret_file(&file).is_err());
    }
}
