//! Labels and annotations of alerts: templates that say nothing, cannot be rendered, or make an alert another one.
//!
//! The idea: a template is rendered here once, with the labels that the expression leaves, before it is rendered at night.

use super::shape::shape;
use super::view::{Becomes, Written};
use crate::config::lint::{Found, Look, Site, check};
use crate::config::tree::Node as Yaml;
use crate::evaluate::template::{Scene, Template};
use crate::model::Labels;

/// The templates of an alert: the map that each is in, its name, its text.
fn templates<'a>(written: &Written<'a>) -> Vec<(&'static str, &'a str, &'a Yaml, Template)> {
    if written.becomes != Becomes::Alert {
        return Vec::new();
    }
    let of = |key: &'static str| {
        let texts = written.texts(key).into_iter();
        texts.filter_map(move |(name, node)| Some((key, name, node, Template::parse(node.as_text()?).ok()?)))
    };
    of("labels").chain(of("annotations")).collect()
}

check!(LABEL_LOST, "expr-template-label", Warning, Look::Expr(label_lost),
    what: "A template names a label that the expression does not leave.",
    why: "It is empty in the message: \"Disk of host  is full\", and whoever was woken must find out which.",
    repair: "Add the label to `by (…)` or `group_left (…)`, or take it out of the text.");

fn label_lost(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    let left = shape(written.expr.root());
    for (_, _, node, template) in templates(written) {
        for used in template.uses().into_iter().filter(|used| used.variable == "$labels") {
            if let Some(label) = used.field.filter(|label| left.lacks(label)) {
                let message = format!("the expression leaves no label `{label}`");
                found.say(written.inside(node, &used.at), message, "add it to `by` or `group_left`, or leave it out");
            }
        }
    }
}

check!(TITLE, "expr-title-template", Warning, Look::Expr(title),
    what: "The annotation `title` is a template.",
    why: "A title goes into messages, which leave the zone and never hold values of labels. The alert's name stands there \
        instead, in whatever language it is.",
    repair: "Write a Korean title in plain words; templates are for the other annotations.");

fn title(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    for (_, _, node, template) in templates(written).into_iter().filter(|(_, name, ..)| *name == "title") {
        if let Some(used) = template.uses().first() {
            let message = format!("messages say `{}` instead: a title is no template", written.name);
            found.say(written.inside(node, &used.at), message, "write what happened in plain words");
        }
    }
}

check!(RENDER, "expr-template-render", Warning, Look::Expr(render),
    what: "A template that is well written and still cannot be rendered.",
    why: "What goes out is an error text in place of the message, in the night in which it is needed.",
    repair: "Look at what the function wants: numbers for humanize, `first` only of something that is there.");

fn render(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    let left = shape(written.expr.root());
    for (map, name, node, template) in templates(written) {
        // Whatever a label may hold: a number is what every function takes.
        let uses = template.uses();
        let named = uses.iter().filter_map(|used| used.field.filter(|field| !left.lacks(field)));
        let labels = Labels::new(named.map(|field| (field, "1")));
        let query = |_: &str| Ok(vec![(labels.clone(), 1.0)]);
        let none = Labels::default();
        let scene = Scene { labels: &labels, value: 1.0, external_labels: &none, external_url: "", query: &query };
        if let Err(wrong) = template.render(&scene) {
            let what = map.trim_end_matches('s');
            let help = if wrong.help.is_empty() { "look at what the function takes".to_owned() } else { wrong.help };
            found.say(written.inside(node, &wrong.at), format!("{what} `{name}`: {}", wrong.message), help);
        }
    }
}

check!(VALUE_LABEL, "expr-value-label", Warning, Look::Expr(value_label),
    what: "A label of an alert holds the value.",
    why: "Labels are who an alert is. With each new value it is another one: `for` begins anew and never ends, or an incident \
        opens at every evaluation.",
    repair: "Put the value into an annotation.");

fn value_label(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    for (map, name, node, template) in templates(written) {
        let uses = template.uses();
        let value =
            |variable: &str, field: Option<&str>| variable == "$value" || (variable == "." && field == Some("Value"));
        if let Some(used) = uses.iter().find(|used| map == "labels" && value(used.variable, used.field)) {
            let message = format!("label `{name}` changes with the value: each value is an alert of its own");
            found.say(written.inside(node, &used.at), message, "put it into an annotation");
        }
    }
}
