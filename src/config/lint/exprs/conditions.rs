//! Conditions of expressions: those that are missing, and those that hold for everything or for nothing.
//!
//! The idea: a comparison filters, so what it leaves of all possible numbers says whether anything can be in the result.

use super::facts::{Reach, conditional, each, ratio, reach, together};
use super::view::Written;
use crate::config::lint::{Found, Look, Site, check};
use crate::evaluate::promql::{Cut, Node, Operator, What, cut};

check!(NO_COMPARISON, "expr-no-comparison", Warning, Look::Expr(no_comparison),
    what: "An alert whose expression compares nothing.",
    why: "Whatever is in the result is bad. Without a comparison that is every series, healthy or not: everybody is paged \
        when the file is loaded, and nobody later.",
    repair: "Compare with a number: … > 0.9. `bool` makes 0 and 1 of a comparison, and 0 is in the result too: leave it out.");

fn no_comparison(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    let root = written.expr.root();
    if !written.alerts() || conditional(root) {
        return;
    }
    match &root.bare().what {
        What::Binary(binary) if binary.gives_bool => {
            let message = format!("`{} bool` gives 0 where it is good, and 0 is a result too", binary.op.text());
            found.say(written.at(&binary.at), message, "leave `bool` out");
        }
        _ => found.say(
            written.at(&root.span),
            "nothing is compared: it fires for every series that is there",
            "compare with a number, such as … > 0.9",
        ),
    }
}

check!(IMPOSSIBLE, "expr-impossible", Warning, Look::Expr(impossible),
    what: "A condition that no number fulfils.",
    why: "The alert can never fire. It stands in the list, it passes the audit, and it is silent in the night it is for.",
    repair: "Look at the numbers and at `and`: one of two exclusive conditions was meant to be `or`. `count` is never 0: of \
        nothing it gives nothing.");

fn impossible(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    for node in chains(written.expr.root()) {
        let mut left: Vec<(&str, Reach)> = Vec::new();
        for one in together(node) {
            let text = written.piece(one.base);
            let known = left.iter_mut().find(|(other, _)| same(other, text));
            let before = known.as_ref().map_or_else(|| reach(one.base), |(_, reach)| *reach);
            let after = before.after(one.op, one.number);
            if after.is_empty() && !percent(&one) && !counts_nothing(&one) {
                let written_op = one.binary.op.text();
                let message = match known {
                    Some(_) => format!("`{}` is never both: this contradicts the condition before it", short(text)),
                    None => format!("`{}` is never {written_op} {}", short(text), one.number),
                };
                found.say(written.at(&one.binary.at), message, "look at the number, or write `or` in place of `and`");
                break;
            }
            match known {
                Some((_, reach)) => *reach = after,
                None => left.push((text, after)),
            }
        }
    }
}

/// The outermost nodes that are conditions: the sides of `or`, and what stands inside of calls and aggregations.
fn chains(node: &Node) -> Vec<&Node> {
    if !together(node).is_empty() {
        return vec![node];
    }
    node.children().into_iter().flat_map(chains).collect()
}

/// Whether two texts are one but for blanks.
fn same(one: &str, other: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    letters(one) == letters(other)
}

fn short(text: &str) -> String {
    crate::config::tree::shorten(text)
}

check!(ALWAYS, "expr-always", Warning, Look::Expr(always),
    what: "A comparison that every number fulfils.",
    why: "It is no condition: the alert fires for everything that is there, from the first minute on; people switch it off, \
        and others with it.",
    repair: "Look at the sign and the number: a rate begins at 0, a share ends at 1.");

fn always(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    for one in written.alerts().then(|| together(written.expr.root())).into_iter().flatten() {
        let all = reach(one.base);
        if all == Reach::ALL || conditional(one.base) || percent(&one) || counts_nothing(&one) {
            continue;
        }
        let holds = match one.op {
            Operator::Greater => all.low > one.number,
            Operator::GreaterEqual => all.low >= one.number,
            Operator::Less => all.high < one.number,
            Operator::LessEqual => all.high <= one.number,
            Operator::NotEqual => one.number < all.low || one.number > all.high,
            _ => false,
        };
        if holds {
            let message = format!("`{}` is always {} {}", short(written.piece(one.base)), one.op.text(), one.number);
            found.say(written.at(&one.binary.at), message, "look at the sign and at the number");
        }
    }
}

check!(RATIO_PERCENT, "expr-ratio-percent", Warning, Look::Expr(ratio_percent),
    what: "A share from 0 to 1 is compared with a number above 1.",
    why: "`90` is ninety times everything: the alert never fires, and the disk fills without a word.",
    repair: "Write 0.9, or multiply the share by 100.");

/// Whether a share is compared with a percentage.
fn percent(one: &Cut<'_>) -> bool {
    one.number > 1.0 && ratio(one.base)
}

fn ratio_percent(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        if let Some(one) = cut(node).filter(percent) {
            let message = format!(
                "`{}` is a share from 0 to 1, {} is above all of it",
                short(written.piece(one.base)),
                one.number
            );
            let help = if one.number <= 100.0 {
                format!("did you mean {}?", one.number / 100.0)
            } else {
                "write a share".to_owned()
            };
            found.say(written.at(&one.binary.at), message, help);
        }
    });
}

check!(EQUALS, "expr-equals-fraction", Warning, Look::Expr(equals),
    what: "`==` or `!=` with a number that is not whole.",
    why: "It compares exactly. A mean, a rate or a share is hardly ever exactly that number: `==` never fires, `!=` always.",
    repair: "Use > or <, or round(…) first.");

fn equals(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        let exact = |one: &Cut<'_>| matches!(one.op, Operator::Equal | Operator::NotEqual) && one.number.fract() != 0.0;
        if let Some(one) = cut(node).filter(exact) {
            let message = format!("`{} {}` compares exactly", one.op.text(), one.number);
            found.say(written.at(&one.binary.at), message, "use > or <");
        }
    });
}

check!(ZERO_MISSING, "expr-zero-missing", Warning, Look::Expr(zero_missing),
    what: "A count is compared with a lower bound, and nothing stands for a count of nothing.",
    why: "`count` of no series is no 0 but no result. With two of three replicas down the alert fires; with all three down \
        it is over.",
    repair: "Write (count(…) or vector(0)) < 2, or beside it: … or absent(…).");

/// Whether a count is compared as if it could be 0.
fn counts_nothing(one: &Cut<'_>) -> bool {
    let What::Aggregate(aggregate) = &one.base.what else { return false };
    let below =
        matches!(one.op, Operator::Less | Operator::LessEqual) || (one.op == Operator::Equal && one.number == 0.0);
    let counts = match aggregate.with.name {
        "count" => true,
        "sum" => conditional(&aggregate.of),
        _ => false,
    };
    below && counts
}

fn zero_missing(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    let root = written.expr.root();
    let mut absent = false;
    each(root, &mut |node| {
        absent |= matches!(&node.what, What::Call(call) if call.function.name.starts_with("absent"))
    });
    if absent || !written.alerts() {
        return;
    }
    each(root, &mut |node| {
        if let Some(one) = cut(node).filter(counts_nothing) {
            let message = format!("of nothing this gives nothing, and nothing is not {} {}", one.op.text(), one.number);
            let grouped = matches!(&one.base.what, What::Aggregate(a) if !a.grouping.labels.is_empty());
            let help = if grouped {
                "add … or absent(…): a group that is gone has no count"
            } else {
                "write (… or vector(0))"
            };
            found.say(written.at(&one.base.span), message, help);
        }
    });
}
