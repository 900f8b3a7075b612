//! The gateway that needs no gateway: each page becomes one text file, as its phone would have shown it.
//!
//! The idea: the file is named by the page id and appears in one atomic step that fails where it exists, so a page is
//! delivered exactly once whatever dies when, and "did you get it?" is "is the file there?".
//! The file holds no personal data but a masked address.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Address, Gateway, LookedUp, Refusal, Sent};
use crate::model::{Channel, Page, carrier_bytes};
use crate::time::{Clock, rfc3339};

/// Longest SMS, in bytes as carriers count; beyond it is an LMS.
const SMS_BYTES: usize = 90;
/// How long a full disk or the like is left alone, ms.
const RETRY: i64 = 5_000;

/// Writes pages under `<folder>/<contact id>/<page id>.txt`.
#[derive(Debug)]
pub struct Handset {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// Makes names of unfinished files unique.
    count: AtomicU64,
}

impl Handset {
    /// A handset over `folder`, which is made where it is missing. Unfinished files of an earlier life are removed.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for contact in folders(folder)? {
            for entry in fs::read_dir(contact)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "part") {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(Self { folder: folder.to_owned(), clock, count: AtomicU64::new(0) })
    }

    fn deliver(&self, page: &Page, address: &Address) -> io::Result<()> {
        let folder = self.folder.join(folder_name(&page.to));
        if !folder.exists() {
            fs::create_dir_all(&folder)?;
            File::open(&self.folder)?.sync_all()?;
        }
        let target = folder.join(format!("{}.txt", page.id));
        if target.exists() {
            return Ok(());
        }
        let unique = self.count.fetch_add(1, Ordering::Relaxed);
        let part = folder.join(format!("{}.{unique}.part", page.id));
        let moved = write_whole(&part, &self.content(page, address)).and_then(|()| move_new(&part, &target));
        if let Err(error) = moved {
            // What is left of it is also removed at the next start.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        File::open(&folder)?.sync_all()
    }

    fn content(&self, page: &Page, address: &Address) -> String {
        let bytes = carrier_bytes(&page.text);
        let form = match page.channel {
            Channel::Sms if bytes <= SMS_BYTES && page.title.is_empty() => "SMS",
            Channel::Sms => "LMS",
            Channel::Mms => "MMS",
            Channel::Mail => "MAIL",
        };
        let mut text = format!("time: {}\nchannel: {form}\nto: {}\n", rfc3339(self.clock.wall()), address.masked());
        if !page.title.is_empty() {
            text.push_str(&format!("title: {}\n", page.title));
        }
        text.push_str(&format!("bytes: {bytes}\n\n{}\n", page.text));
        text
    }
}

impl Gateway for Handset {
    fn id(&self) -> &str {
        "handset"
    }

    fn serves(&self, _channel: Channel) -> bool {
        true
    }

    fn send(&self, page: &Page, address: &Address) -> Sent {
        if !is_plain(&page.id) {
            return Sent::Refused { reason: Refusal::Content, permanent: true, retry_after: None };
        }
        match self.deliver(page, address) {
            Ok(()) => Sent::Accepted { id: page.id.clone() },
            Err(error) => {
                tracing::warn!(page = page.id, %error, "handset file not written");
                // The file may have appeared and only its folder's flush failed.
                match self.look_up(page) {
                    Some(LookedUp::NotThere) => {
                        Sent::Refused { reason: Refusal::Server, permanent: false, retry_after: Some(RETRY) }
                    }
                    _ => Sent::Unknown { why: error.to_string() },
                }
            }
        }
    }

    fn look_up(&self, page: &Page) -> Option<LookedUp> {
        let page_id = page.id.as_str();
        if !is_plain(page_id) {
            return Some(LookedUp::NotThere);
        }
        let name = format!("{page_id}.txt");
        let found = folders(&self.folder).and_then(|mut all| match all.find(|folder| folder.join(&name).exists()) {
            // It may have been moved there by a process that died before it made that durable.
            Some(folder) => File::open(folder)?.sync_all().map(|()| true),
            None => Ok(false),
        });
        Some(match found {
            Ok(true) => LookedUp::Accepted { id: page_id.to_owned() },
            Ok(false) => LookedUp::NotThere,
            Err(error) => {
                tracing::warn!(page = page_id, %error, "handset folder not readable");
                LookedUp::Unknown
            }
        })
    }
}

fn folders(root: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    let all: Vec<_> = fs::read_dir(root)?.collect::<io::Result<_>>()?;
    Ok(all.into_iter().map(|entry| entry.path()).filter(|path| path.is_dir()))
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Gives `part` its final name. Where that name is taken the page was delivered before, and `part` goes.
fn move_new(part: &Path, target: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    let moved = match renameat_with(CWD, part, CWD, target, RenameFlags::NOREPLACE) {
        // Some file systems know only the older way.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(part, target).and_then(|()| fs::remove_file(part))
        }
        other => other.map_err(io::Error::from),
    };
    match moved {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(part),
        other => other,
    }
}

/// A page id can be a file name: letters, digits and hyphens only.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A contact's id as a folder name: what could leave the folder or hide in it is written as its hexadecimal code.
fn folder_name(contact: &str) -> String {
    let mut name = String::new();
    for c in contact.chars() {
        if c.is_alphanumeric() || c == '-' || c == '_' {
            name.push(c);
        } else {
            name.push_str(&format!("%{:X}", u32::from(c)));
        }
    }
    if name.is_empty() { "%".to_owned() } else { name }
}
