//! Tokens into a tree, with everything that Go's parser refuses refused here too: unknown functions and variables, blocks
//! that do not end, a value where a function must stand.
//!
//! The idea: recursive descent over pieces for blocks and over tokens for pipelines. Variables are tracked while parsing,
//! so a misspelt `$label` shows when the file is loaded and not at 3 a.m.

use std::ops::Range;

use super::Problem;
use super::call;
use super::lex::{Piece, Tok, Token, pieces};

/// Blocks and parentheses inside each other: no message needs more, and the stack has an end.
const DEPTH_MAX: usize = 40;

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Text as it is.
    Text(String),
    /// `{{ … }}`
    Action(Pipe),
    /// `{{ if … }}`
    If(Pipe, Vec<Node>, Vec<Node>),
    /// `{{ with … }}`
    With(Pipe, Vec<Node>, Vec<Node>),
    /// `{{ range … }}`
    Range(Pipe, Vec<Node>, Vec<Node>),
    /// `{{ break }}`
    Break,
    /// `{{ continue }}`
    Continue,
}

/// Commands joined by `|`, the last value of each the last argument of the next.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipe {
    /// Variables that take the value, `$` included.
    pub vars: Vec<String>,
    /// `=` instead of `:=`.
    pub assigns: bool,
    /// The commands, never empty.
    pub commands: Vec<Command>,
    /// Its bytes.
    pub at: Range<usize>,
}

/// A function with arguments, or one value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    /// First the function or value.
    pub args: Vec<Arg>,
    /// Its bytes.
    pub at: Range<usize>,
}

/// A value in a command.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arg {
    /// Where it begins.
    pub head: Head,
    /// `.a.b` behind it.
    pub fields: Vec<String>,
    /// Its bytes.
    pub at: Range<usize>,
}

/// What a value begins with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Head {
    /// `.`, also before `.Labels`.
    Dot,
    /// `nil`
    Nil,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A quoted text.
    Text(String),
    /// `$x`, or `$`.
    Var(String),
    /// A function, known to be there.
    Function(String),
    /// `( … )`
    Pipe(Box<Pipe>),
}

/// Calls `see` with every value of `nodes`, from left to right.
pub(super) fn heads<'n>(nodes: &'n [Node], see: &mut impl FnMut(&'n Arg)) {
    for node in nodes {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Action(pipe) => piped(pipe, see),
            Node::If(pipe, yes, no) | Node::With(pipe, yes, no) | Node::Range(pipe, yes, no) => {
                piped(pipe, see);
                heads(yes, see);
                heads(no, see);
            }
        }
    }
}

fn piped<'n>(pipe: &'n Pipe, see: &mut impl FnMut(&'n Arg)) {
    for arg in pipe.commands.iter().flat_map(|command| &command.args) {
        see(arg);
        if let Head::Pipe(inner) = &arg.head {
            piped(inner, see);
        }
    }
}

/// Parses a whole template.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Problem> {
    let vars = ["$", "$labels", "$externalLabels", "$externalURL", "$value"].map(str::to_owned).to_vec();
    let mut parser = Parser { pieces: pieces(text)?, next: 0, vars, loops: 0, depth: 0 };
    let (nodes, end) = parser.block()?;
    match end {
        End::File => Ok(nodes),
        End::Word { word, at, .. } => {
            Err(Problem::new(at, format!("`{word}` without an `if`, `with` or `range` before it")).help("remove it"))
        }
    }
}

struct Parser {
    pieces: Vec<Piece>,
    next: usize,
    vars: Vec<String>,
    loops: usize,
    depth: usize,
}

/// What ends a block.
enum End {
    File,
    /// `end` or `else`, with what stands behind it.
    Word {
        word: String,
        at: Range<usize>,
        rest: Vec<Token>,
    },
}

impl Parser {
    fn block(&mut self) -> Result<(Vec<Node>, End), Problem> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.get(self.next).cloned() {
            self.next += 1;
            let (tokens, at) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action { tokens, at } => (tokens, at),
            };
            let word = match tokens.first().map(|token| &token.kind) {
                Some(Tok::Word(word)) => word.clone(),
                _ => String::new(),
            };
            let rest = tokens.get(1..).unwrap_or(&[]);
            match word.as_str() {
                "end" | "else" => return Ok((nodes, End::Word { word, at, rest: rest.to_vec() })),
                "if" | "with" | "range" => nodes.push(self.control(&word, rest, at)?),
                "break" | "continue" => {
                    if self.loops == 0 {
                        return Err(Problem::new(at, format!("`{word}` outside of a `range`")));
                    }
                    nothing(rest, &word)?;
                    nodes.push(if word == "break" { Node::Break } else { Node::Continue });
                }
                "define" | "template" | "block" => {
                    let help = "write the text out in the rule itself";
                    return Err(
                        Problem::new(at, format!("`{word}` is not taken here: there is no other template")).help(help)
                    );
                }
                _ => nodes.push(Node::Action(self.pipe(&tokens, &at, 0)?)),
            }
        }
        Ok((nodes, End::File))
    }

    /// An `if`, `with` or `range` up to its `end`.
    fn control(&mut self, word: &str, tokens: &[Token], at: Range<usize>) -> Result<Node, Problem> {
        self.deeper(&at)?;
        let mark = self.vars.len();
        let pipe = self.pipe(tokens, &at, if word == "range" { 2 } else { 1 })?;
        let loops = usize::from(word == "range");
        self.loops += loops;
        let (then, end) = self.block()?;
        self.loops -= loops;
        let other = match end {
            End::File => return Err(never_ends(word, at)),
            End::Word { word: end, rest, .. } if end == "end" => {
                nothing(&rest, "end")?;
                Vec::new()
            }
            End::Word { at: place, rest, .. } => self.other(word, &rest, place, &at)?,
        };
        self.vars.truncate(mark);
        self.depth -= 1;
        Ok(match word {
            "if" => Node::If(pipe, then, other),
            "with" => Node::With(pipe, then, other),
            _ => Node::Range(pipe, then, other),
        })
    }

    /// What stands between an `else` and the `end`; `else if` and `else with` share the `end`.
    fn other(
        &mut self,
        word: &str,
        rest: &[Token],
        place: Range<usize>,
        at: &Range<usize>,
    ) -> Result<Vec<Node>, Problem> {
        if let Some(Tok::Word(again)) = rest.first().map(|token| &token.kind)
            && again == word
            && word != "range"
        {
            return Ok(vec![self.control(&again.clone(), rest.get(1..).unwrap_or(&[]), place)?]);
        }
        nothing(rest, "else")?;
        let (nodes, end) = self.block()?;
        match end {
            End::File => Err(never_ends(word, at.clone())),
            End::Word { word: end, rest, .. } if end == "end" => nothing(&rest, "end").map(|()| nodes),
            End::Word { at, .. } => Err(Problem::new(at, "a second `else`").help("remove it, or write `else if …`")),
        }
    }

    fn deeper(&mut self, at: &Range<usize>) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Problem::new(at.clone(), format!("nested deeper than {DEPTH_MAX}")));
        }
        Ok(())
    }

    /// A pipeline of all of `tokens`; at most `vars` variables may be declared beside a block, one in an action (0).
    fn pipe(&mut self, tokens: &[Token], at: &Range<usize>, vars: usize) -> Result<Pipe, Problem> {
        let (declared, assigns, used) = self.declaration(tokens, vars.max(1))?;
        let mut line = Line { tokens, next: used, end: at.end };
        let pipe = self.commands(&mut line, at)?;
        if let Some(token) = line.peek() {
            return Err(Problem::new(token.at.clone(), "this `)` was never opened"));
        }
        Ok(Pipe { vars: declared, assigns, ..pipe })
    }

    /// `$x := `, `$x = ` or `$i, $x := ` at the beginning: the variables, whether it assigns, how many tokens it took.
    fn declaration(&mut self, tokens: &[Token], most: usize) -> Result<(Vec<String>, bool, usize), Problem> {
        let kind = |n: usize| tokens.get(n).map(|token| &token.kind);
        let name = |n: usize| match kind(n) {
            Some(Tok::Var(name)) => Some(name.clone()),
            _ => None,
        };
        let (names, sign) = match (name(0), kind(1), name(2)) {
            (Some(one), Some(Tok::Comma), Some(two)) if most == 2 => (vec![one, two], 3),
            (Some(one), _, _) => (vec![one], 1),
            _ => return Ok((Vec::new(), false, 0)),
        };
        match kind(sign) {
            Some(Tok::Declare) => {
                self.vars.extend(names.iter().cloned());
                Ok((names, false, sign + 1))
            }
            Some(Tok::Assign) => {
                for (n, name) in names.iter().enumerate() {
                    self.known(name, &tokens.get(n * 2).map_or(0..0, |token| token.at.clone()))?;
                }
                Ok((names, true, sign + 1))
            }
            _ => Ok((Vec::new(), false, 0)),
        }
    }

    fn known(&self, name: &str, at: &Range<usize>) -> Result<(), Problem> {
        if self.vars.iter().any(|var| var == name) {
            return Ok(());
        }
        let near = call::nearest(name, self.vars.iter().map(String::as_str));
        let help = near.map_or_else(
            || "there are $labels, $value, $externalLabels and $externalURL".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        Err(Problem::new(at.clone(), format!("undefined variable `{name}`")).help(help))
    }

    /// Commands up to a `)` or the end.
    fn commands(&mut self, line: &mut Line<'_>, at: &Range<usize>) -> Result<Pipe, Problem> {
        let start = line.peek().map_or(at.start, |token| token.at.start);
        let mut commands: Vec<Command> = Vec::new();
        loop {
            let command = self.command(line)?;
            if let (false, Some(first)) = (commands.is_empty(), command.args.first())
                && !matches!(first.head, Head::Function(_) | Head::Dot | Head::Var(_) | Head::Pipe(_))
            {
                return Err(Problem::new(first.at.clone(), "behind a `|` stands a function, not a value")
                    .help("write for example {{ $value | humanize }}"));
            }
            commands.push(command);
            match line.peek().map(|token| &token.kind) {
                Some(Tok::Pipe) => line.next += 1,
                _ => break,
            }
        }
        let end = commands.last().map_or(at.end, |command| command.at.end);
        Ok(Pipe { vars: Vec::new(), assigns: false, commands, at: start..end })
    }

    fn command(&mut self, line: &mut Line<'_>) -> Result<Command, Problem> {
        let mut args: Vec<Arg> = Vec::new();
        while let Some(token) = line.peek() {
            if matches!(token.kind, Tok::Pipe | Tok::Close) {
                break;
            }
            if !args.is_empty() && !token.spaced && token.kind != Tok::Open {
                return Err(Problem::new(token.at.clone(), "a blank is missing before this"));
            }
            args.push(self.arg(line)?);
        }
        let (Some(first), Some(last)) = (args.first(), args.last()) else {
            let at = line.peek().map_or(line.end.saturating_sub(2)..line.end, |token| token.at.clone());
            return Err(Problem::new(at, "a value is missing here"));
        };
        if first.head == Head::Nil {
            return Err(Problem::new(first.at.clone(), "`nil` is no command"));
        }
        let at = first.at.start..last.at.end;
        Ok(Command { args, at })
    }

    fn arg(&mut self, line: &mut Line<'_>) -> Result<Arg, Problem> {
        let Some(token) = line.peek().cloned() else {
            return Err(Problem::new(line.end.saturating_sub(2)..line.end, "a value is missing here"));
        };
        line.next += 1;
        let mut fields = Vec::new();
        let head = match token.kind {
            Tok::Dot => Head::Dot,
            Tok::Field(name) => {
                fields.push(name);
                Head::Dot
            }
            Tok::Int(n) => Head::Int(n),
            Tok::Float(n) => Head::Float(n),
            Tok::Text(text) => Head::Text(text),
            Tok::Var(name) => {
                self.known(&name, &token.at)?;
                Head::Var(name)
            }
            Tok::Word(word) => match word.as_str() {
                "true" | "false" => Head::Bool(word == "true"),
                "nil" => Head::Nil,
                _ => {
                    call::known(&word, &token.at)?;
                    Head::Function(word)
                }
            },
            Tok::Open => {
                self.deeper(&token.at)?;
                let pipe = self.commands(line, &token.at)?;
                self.depth -= 1;
                match line.peek().map(|token| &token.kind) {
                    Some(Tok::Close) => line.next += 1,
                    _ => return Err(Problem::new(token.at, "this `(` is never closed")),
                }
                Head::Pipe(Box::new(pipe))
            }
            Tok::Declare | Tok::Assign => {
                return Err(Problem::new(token.at, "a variable is set at the beginning of an action")
                    .help("write {{ $x := … }}"));
            }
            Tok::Comma | Tok::Close | Tok::Pipe => {
                return Err(Problem::new(token.at, "a value is missing here"));
            }
        };
        let start = token.at.start;
        let mut end = line.tokens.get(line.next.saturating_sub(1)).map_or(token.at.end, |token| token.at.end);
        while let Some(Token { kind: Tok::Field(name), at, spaced: false }) = line.peek() {
            if matches!(head, Head::Nil | Head::Bool(_) | Head::Int(_) | Head::Float(_) | Head::Text(_)) {
                return Err(Problem::new(at.clone(), "this value has no fields"));
            }
            fields.push(name.clone());
            end = at.end;
            line.next += 1;
        }
        Ok(Arg { head, fields, at: start..end })
    }
}

/// The tokens of one action, and how far they are read.
struct Line<'t> {
    tokens: &'t [Token],
    next: usize,
    end: usize,
}

impl<'t> Line<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.next)
    }
}

fn nothing(rest: &[Token], word: &str) -> Result<(), Problem> {
    match rest.first() {
        None => Ok(()),
        Some(token) => Err(Problem::new(token.at.clone(), format!("nothing may stand behind `{word}`"))),
    }
}

fn never_ends(word: &str, at: Range<usize>) -> Problem {
    Problem::new(at, format!("this `{word}` never ends")).help("write {{ end }} where it does")
}
