//! Rules in shadow: whether the live rule that they name to be compared with is there.
//!
//! The idea: a comparison with a rule that does not exist shows nothing, and looks like one in which nothing happened.

use std::collections::BTreeMap;

use super::super::near::nearest;
use super::{Found, Look, Site, check};
use crate::model::Mode;

check!(BESIDE, "shadow-beside", Error, Look::Site(beside),
    what: "`beside` names no live rule, or stands at a rule that is not in shadow.",
    why: "`status` compares a rule in shadow with the live one that it names. With none there is nothing to compare, and whoever \
        waits a week for the figures has waited for nothing.",
    repair: "Name a rule that is live, and write `beside` only with `mode: shadow`.");

fn beside(site: &Site<'_>, found: &mut Found) {
    // Rules with mistakes of their own, too: they are there.
    let written = site.papers.iter().flat_map(|paper| paper.file.subs("rules"));
    let own = written.filter_map(|item| Some((item.text("id")?, item.text("mode") == Some("shadow"))));
    let alerts = site.exprs.iter().map(|written| (written.name.as_str(), false));
    let mut modes: BTreeMap<&str, bool> = alerts.collect();
    modes.extend(own);
    for view in &site.rules {
        let Some(named) = view.rule.beside.as_deref() else { continue };
        found.within(view);
        let at = view.item.at("beside");
        if view.rule.mode != Mode::Shadow {
            let help = "write mode: shadow, or leave `beside` out";
            found.say(at, format!("`{}` is live: it stands beside nothing", view.rule.id), help);
            continue;
        }
        match modes.get(named) {
            Some(false) => {}
            Some(true) => found.say(at, format!("`{named}` is in shadow itself"), "name a rule that is live"),
            None => {
                let live: Vec<&str> = modes.iter().filter(|(_, shadow)| !**shadow).map(|(id, _)| *id).collect();
                let help = match nearest(named, &live) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name the id of a live rule".to_owned(),
                };
                found.say(at, format!("there is no rule `{named}`"), help);
            }
        }
    }
}
