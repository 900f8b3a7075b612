//! Renders a parsed template.
//!
//! The idea: a walk over the tree with a stack of variables. Whatever a template does, it ends: parts carried out and
//! bytes written are counted, because a `range` over a large answer inside another must not stall an evaluation.

use super::call;
use super::parse::{Arg, Command, Head, Node, Pipe};
use super::print;
use super::value::Value;
use super::{Problem, Scene};

/// Parts carried out.
const STEPS_MAX: usize = 100_000;
/// Bytes of a rendered text.
const BYTES_MAX: usize = 256 * 1024;

/// Renders `nodes`.
pub(super) fn render(nodes: &[Node], scene: &Scene<'_>) -> Result<String, Problem> {
    let vars = [
        ("$", Value::Root),
        ("$labels", Value::Labels(scene.labels.clone())),
        ("$externalLabels", Value::Labels(scene.external_labels.clone())),
        ("$externalURL", Value::Text(scene.external_url.to_owned())),
        ("$value", Value::Float(scene.value)),
    ];
    let vars = vars.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut run = Run { scene, vars, out: String::new(), steps: 0 };
    run.walk(nodes, &Value::Root)?;
    Ok(run.out)
}

struct Run<'s> {
    scene: &'s Scene<'s>,
    vars: Vec<(String, Value)>,
    out: String,
    steps: usize,
}

/// How a list of nodes ended.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl Run<'_> {
    fn walk(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, Problem> {
        for node in nodes {
            let flow = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    Flow::On
                }
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.vars.is_empty() {
                        let text = print::value(&value).map_err(|why| Problem::new(pipe.at.clone(), why))?;
                        self.out.push_str(&text);
                    }
                    Flow::On
                }
                Node::If(pipe, then, other) => self.choose(pipe, then, other, dot, false)?,
                Node::With(pipe, then, other) => self.choose(pipe, then, other, dot, true)?,
                Node::Range(pipe, each, other) => self.range(pipe, each, other, dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if self.out.len() > BYTES_MAX {
                return Err(Problem::new(0..0, format!("the text is longer than {BYTES_MAX} bytes")));
            }
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn choose(&mut self, pipe: &Pipe, then: &[Node], other: &[Node], dot: &Value, with: bool) -> Result<Flow, Problem> {
        let mark = self.vars.len();
        let value = self.pipe(pipe, dot)?;
        let flow = match (value.is_true(), with) {
            (true, true) => self.walk(then, &value),
            (true, false) => self.walk(then, dot),
            (false, _) => self.walk(other, dot),
        };
        self.vars.truncate(mark);
        flow
    }

    fn range(&mut self, pipe: &Pipe, each: &[Node], other: &[Node], dot: &Value) -> Result<Flow, Problem> {
        let mark = self.vars.len();
        let bare = Pipe { vars: Vec::new(), ..pipe.clone() };
        let value = self.pipe(&bare, dot)?;
        let items: Vec<(Value, Value)> = match value {
            Value::Vector(elements) => {
                let sample = |(n, (labels, value)): (usize, _)| (Value::Int(n as i64), Value::Sample(labels, value));
                elements.into_iter().enumerate().map(sample).collect()
            }
            Value::Labels(labels) => {
                let text = |text: &str| Value::Text(text.to_owned());
                labels.iter().map(|(name, value)| (text(name), text(value))).collect()
            }
            Value::Int(n) => (0..n.clamp(0, STEPS_MAX as i64)).map(|n| (Value::Int(n), Value::Int(n))).collect(),
            Value::Nil => Vec::new(),
            other => {
                return Err(Problem::new(pipe.at.clone(), format!("`range` cannot go through {}", other.kind())));
            }
        };
        let mut flow = Flow::On;
        if items.is_empty() {
            flow = self.walk(other, dot)?;
        }
        for (key, item) in items {
            let values = if pipe.vars.len() == 2 { vec![key, item.clone()] } else { vec![item.clone()] };
            for (name, value) in pipe.vars.iter().zip(values) {
                self.set(name, value, pipe.assigns);
            }
            let end = self.walk(each, &item)?;
            self.vars.truncate(mark);
            if end == Flow::Break {
                break;
            }
        }
        self.vars.truncate(mark);
        Ok(flow)
    }

    fn set(&mut self, name: &str, value: Value, assigns: bool) {
        match self.vars.iter_mut().rev().find(|(known, _)| known == name).filter(|_| assigns) {
            Some((_, known)) => *known = value,
            None => self.vars.push((name.to_owned(), value)),
        }
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, Problem> {
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, dot, last)?);
        }
        let value = last.unwrap_or(Value::Nil);
        for name in &pipe.vars {
            self.set(name, value.clone(), pipe.assigns);
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, dot: &Value, last: Option<Value>) -> Result<Value, Problem> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(Problem::new(command.at.clone(), format!("more than {STEPS_MAX} steps")));
        }
        let Some((first, rest)) = command.args.split_first() else { return Ok(Value::Nil) };
        let Head::Function(name) = &first.head else {
            if !rest.is_empty() || last.is_some() {
                return Err(Problem::new(first.at.clone(), "this is a value and takes no arguments")
                    .help("a function stands first: {{ printf \"%.1f\" $value }}"));
            }
            return self.arg(first, dot);
        };
        if name == "and" || name == "or" {
            return self.decide(name == "and", rest, dot, last);
        }
        let mut values = Vec::with_capacity(rest.len() + 1);
        for arg in rest {
            values.push(self.arg(arg, dot)?);
        }
        values.extend(last);
        let value = self.call(name, &values, command)?;
        fields(value, &first.fields).map_err(|why| Problem::new(first.at.clone(), why))
    }

    /// `and` ends at the first that is not true, `or` at the first that is.
    fn decide(&mut self, all: bool, args: &[Arg], dot: &Value, last: Option<Value>) -> Result<Value, Problem> {
        let mut value = Value::Nil;
        for arg in args {
            value = self.arg(arg, dot)?;
            if value.is_true() != all {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn call(&self, name: &str, values: &[Value], command: &Command) -> Result<Value, Problem> {
        let wrong = |why: String| Problem::new(command.at.clone(), why);
        let function = call::find(name).ok_or_else(|| wrong(format!("function `{name}` is not defined")))?;
        if values.len() < function.least || values.len() > function.most {
            let wanted = match (function.least, function.most) {
                (least, most) if least == most => least.to_string(),
                (least, _) => format!("at least {least}"),
            };
            return Err(wrong(format!("`{name}` takes {wanted} arguments, here are {}", values.len())));
        }
        (function.run)(values, self.scene).map_err(|why| wrong(format!("{name}: {why}")))
    }

    fn arg(&mut self, arg: &Arg, dot: &Value) -> Result<Value, Problem> {
        let value = match &arg.head {
            Head::Dot => dot.clone(),
            Head::Nil => Value::Nil,
            Head::Bool(yes) => Value::Bool(*yes),
            Head::Int(n) => Value::Int(*n),
            Head::Float(n) => Value::Float(*n),
            Head::Text(text) => Value::Text(text.clone()),
            Head::Var(name) => {
                let found = self.vars.iter().rev().find(|(known, _)| known == name);
                let missing = || Problem::new(arg.at.clone(), format!("`{name}` has no value here"));
                found.map(|(_, value)| value.clone()).ok_or_else(missing)?
            }
            Head::Function(name) => {
                let command = Command { args: vec![arg.clone()], at: arg.at.clone() };
                self.call(name, &[], &command)?
            }
            Head::Pipe(pipe) => self.pipe(pipe, dot)?,
        };
        self.fields(value, arg)
    }

    fn fields(&self, value: Value, arg: &Arg) -> Result<Value, Problem> {
        let (value, rest) = match (&value, arg.fields.split_first()) {
            (Value::Root, Some((name, rest))) => (self.root(name, arg)?, rest),
            _ => (value, arg.fields.as_slice()),
        };
        fields(value, rest).map_err(|why| Problem::new(arg.at.clone(), why))
    }

    fn root(&self, name: &str, arg: &Arg) -> Result<Value, Problem> {
        match name {
            "Labels" => Ok(Value::Labels(self.scene.labels.clone())),
            "ExternalLabels" => Ok(Value::Labels(self.scene.external_labels.clone())),
            "ExternalURL" => Ok(Value::Text(self.scene.external_url.to_owned())),
            "Value" => Ok(Value::Float(self.scene.value)),
            other => Err(Problem::new(arg.at.clone(), format!("there is no `.{other}`"))
                .help("there are .Labels, .Value, .ExternalLabels and .ExternalURL")),
        }
    }
}

/// `.a.b` of a value: a label that is not there is the empty text.
fn fields(mut value: Value, names: &[String]) -> Result<Value, String> {
    for name in names {
        value = match (value, name.as_str()) {
            (Value::Labels(labels), name) => Value::Text(labels.get(name).unwrap_or("").to_owned()),
            (Value::Sample(labels, _), "Labels") => Value::Labels(labels),
            (Value::Sample(_, value), "Value") => Value::Float(value),
            (other, name) => return Err(format!("{} has no `.{name}`", other.kind())),
        };
    }
    Ok(value)
}
