//! `contacts.yaml`: who can be told, and who takes turns.
//!
//! The idea: the file is read alone; whether it fits to the chains is asked in [`super::fit`], and whether somebody is
//! reached at every minute in [`super::reach`].

use super::calendar::time_of_day;
use super::near::nearest;
use super::problem::{Mark, Notes};
use super::read::Obj;
use super::scalar;
use super::table::{Kind, Table, may, must, or};
use crate::model::{Contact, Cover, Domain, Rota, Target};
use crate::time::{DAY, HOUR, KST, Ms};

const DOMAIN: Kind = Kind::Word(&["인프라", "응용", "통신", "보안"]);

static VALID: Table = Table {
    name: "valid",
    doc: "From when to when the contact may be told.",
    keys: &[
        may("from", Kind::Date, "first day"),
        may("until", Kind::Date, "first day on which it may no longer be told"),
    ],
};

static CONTACT: Table = Table {
    name: "contact",
    doc: "One person or duty phone.",
    keys: &[
        must("id", Kind::Id, "stable id"),
        must("org", Kind::Label, "organisation: MSP, CSP, AP, 이용기관, NIA, …"),
        must("roles", Kind::List(&Kind::Label, 1), "roles, for example duty, manager, owner"),
        may("domains", Kind::List(&DOMAIN, 0), "구간 it is responsible for; left out: all"),
        may("tier", Kind::Int(0, 9), "전파 단계 in the 비상연락망: 0 is told first"),
        may("position", Kind::Text, "직위, for the 비상연락망"),
        must("name", Kind::Text, "name; never in a message or a log"),
        may("phone", Kind::Phone, "phone number, in quotes"),
        may("email", Kind::Mail, "e-mail address"),
        may("valid", Kind::Table(&VALID), "from when to when it may be told"),
        may("confirmed", Kind::Date, "when the number was last confirmed"),
    ],
};

/// A list of contacts, for scenario files too.
pub(super) const CONTACT_LIST: Kind = Kind::List(&Kind::Table(&CONTACT), 0);

/// The keys of `contacts.yaml`.
pub(super) static CONTACTS: Table = Table {
    name: "contacts.yaml",
    doc: "Who can be told.",
    keys: &[
        or("version", "1", Kind::Int(1, 1), "version of the format"),
        must("contacts", Kind::List(&Kind::Table(&CONTACT), 1), "the contacts"),
        may("rotas", ROTA_LIST, "who takes turns"),
        or("fresh_for", "365d", Kind::Duration(DAY, 3660 * DAY), "how long a confirmation counts"),
    ],
};

static COVER: Table = Table {
    name: "cover",
    doc: "Somebody else for a while.",
    keys: &[
        must("from", Kind::Date, "first day, from its hand-over on, or an instant"),
        may("until", Kind::Date, "exclusive; left out: one day"),
        must("who", Kind::Id, "id of the contact"),
    ],
};

static ROTA: Table = Table {
    name: "rota",
    doc: "Contacts who take turns, for ever.",
    keys: &[
        must("id", Kind::Id, "stable id; a chain names it as rota:ID"),
        must("members", Kind::List(&Kind::Id, 1), "ids of contacts in the order of their turns"),
        must("start", Kind::Date, "day of the first member's first shift"),
        or("hand_over", "09:00", Kind::Text, "time of day of the hand-over, KST"),
        or("shift", "24h", Kind::Duration(HOUR, 366 * DAY), "length of a shift"),
        may("fills", Kind::Text, "ORG/role: members with that role are told only while on duty"),
        may("overrides", Kind::List(&Kind::Table(&COVER), 0), "who covers for whom"),
    ],
};

/// A list of rotas, for scenario files too.
pub(super) const ROTA_LIST: Kind = Kind::List(&Kind::Table(&ROTA), 0);

/// A contact with the places of what may be wrong with it.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where its id is.
    pub at: Mark,
}

/// The contacts of a checked tree.
pub(super) fn contacts(file: Obj<'_>, notes: &mut Notes) -> Vec<Placed<Contact>> {
    let mut contacts: Vec<Placed<Contact>> = Vec::new();
    for item in file.subs("contacts") {
        let Some(id) = item.owned("id").filter(|id| scalar::id(id)) else { continue };
        let at = item.at("id");
        if let Some(first) = contacts.iter().find(|other| other.value.id == id) {
            let message = format!("contact `{id}` stands twice, first on line {}", first.at.line);
            notes.error("duplicate-id", at, message, "keep one");
            continue;
        }
        let valid = item.sub("valid");
        let (from, until) = (valid.date("from"), valid.date("until"));
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            notes.error("out-of-range", valid.at("until"), "`until` is not after `from`", "write the later day");
        }
        if !item.has("phone") && !item.has("email") {
            notes.warning("no-address", at, format!("`{id}` has neither phone nor email"), "nobody can be told so");
        }
        let domains = item.list("domains").iter().filter_map(|node| Domain::parse(node.as_text()?)).collect();
        let value = Contact {
            id,
            org: item.owned("org").unwrap_or_default(),
            roles: item.texts("roles"),
            domains,
            name: item.owned("name").unwrap_or_default(),
            phone: item.word("phone", scalar::phone),
            email: item.word("email", |text| scalar::mail(text).then(|| text.to_owned())),
            from,
            until,
            confirmed: item.date("confirmed"),
            tier: item.int("tier").and_then(|tier| u8::try_from(tier).ok()),
            position: item.owned("position"),
        };
        contacts.push(Placed { value, at });
    }
    contacts
}

/// The rotas of a checked tree, whose members are all among `contacts`.
pub(super) fn rotas(file: Obj<'_>, contacts: &[Placed<Contact>], notes: &mut Notes) -> Vec<Rota> {
    let mut rotas: Vec<Rota> = Vec::new();
    for item in file.subs("rotas") {
        let (Some(id), Some(start)) = (item.owned("id"), item.date("start")) else { continue };
        if rotas.iter().any(|other| other.id == id) {
            notes.error("duplicate-id", item.at("id"), format!("rota `{id}` stands twice"), "keep one");
            continue;
        }
        let hand_over = hand_over(item, notes);
        let day = |at: Ms| if (at + KST).rem_euclid(DAY) == 0 { at + hand_over } else { at };
        let covers = item.subs("overrides").filter_map(|cover| {
            let from = cover.date("from")?;
            let until = cover.date("until").unwrap_or(from + DAY);
            if until <= from {
                notes.error("out-of-range", cover.at("until"), "`until` is not after `from`", "write the later day");
            }
            known(cover.owned("who")?, cover.at("who"), contacts, notes).map(|who| Cover {
                from: day(from),
                until: day(until),
                who,
            })
        });
        let covers = covers.collect();
        let members =
            item.list("members").iter().filter_map(|node| known(node.as_text()?.to_owned(), node.at, contacts, notes));
        let members: Vec<String> = members.collect();
        let fills = fills(item, contacts, &members, notes);
        rotas.push(Rota {
            id,
            members,
            start: day(start),
            shift: item.duration("shift").unwrap_or(DAY),
            fills,
            covers,
        });
    }
    rotas
}

fn hand_over(item: Obj<'_>, notes: &mut Notes) -> Ms {
    let time = item.text("hand_over").and_then(time_of_day);
    if item.has("hand_over") && time.is_none_or(|time| time >= DAY) {
        notes.error("bad-value", item.at("hand_over"), "`hand_over` is no time of day", "write HH:MM, in quotes");
    }
    time.unwrap_or(9 * HOUR)
}

/// The role that a rota fills. A member without it would have turns and never be told.
fn fills(
    item: Obj<'_>,
    contacts: &[Placed<Contact>],
    members: &[String],
    notes: &mut Notes,
) -> Option<(String, String)> {
    let text = item.text("fills")?;
    let Some(Target::Role { org, role }) = Target::parse(text) else {
        notes.error(
            "bad-value",
            item.at("fills"),
            format!("`fills` does not take `{text}`"),
            "write ORG/role (MSP/duty)",
        );
        return None;
    };
    for contact in contacts.iter().map(|contact| &contact.value).filter(|contact| members.contains(&contact.id)) {
        if !contact.has_role(&org, &role) {
            let message = format!("`{}` takes turns as `{text}` and has not that role", contact.id);
            notes.error("unknown-role", item.at("fills"), message, "give it the role, or take it off the members");
        }
    }
    Some((org, role))
}

/// `id` where a contact has it; else a problem.
fn known(id: String, at: Mark, contacts: &[Placed<Contact>], notes: &mut Notes) -> Option<String> {
    if contacts.iter().any(|contact| contact.value.id == id) {
        return Some(id);
    }
    let ids: Vec<&str> = contacts.iter().map(|contact| contact.value.id.as_str()).collect();
    let help =
        nearest(&id, &ids).map_or("name a contact of this file".to_owned(), |near| format!("did you mean `{near}`?"));
    notes.error("unknown-contact", at, format!("there is no contact `{id}`"), help);
    None
}
