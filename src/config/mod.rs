//! Edited files: marked tree → typed values, every problem with its place.
//!
//! The idea: a file is parsed once into a tree in which every key and value knows where it stands (`tree`); one table
//! per file (`table`) says what may be in it; our own reader (`read`) notes everything that does not fit and goes on;
//! typed values are made of what does. So all problems of all files show at once, each with line, column and advice.
//! [`load`] is the whole of it for callers. What is loaded cannot be half understood: `run` starts only where
//! [`Loaded::errors`] is 0, and a reload keeps the old set otherwise.
//!
//! Not here: watching files (`pipeline`), and what rules, chains and pages mean when they run.

mod adjust;
mod alertmanager;
mod calendar;
mod chain;
mod explain;
mod files;
mod fit;
mod guard;
mod hash;
mod interval;
mod inventory;
mod lint;
mod load;
mod loaded;
mod mute;
mod near;
mod overrides;
mod people;
mod problem;
mod prometheus;
mod reach;
mod read;
mod rules;
mod scalar;
mod scenario;
mod schema;
mod secret;
mod settings;
mod shapes;
mod sla;
mod table;
mod tree;
mod unit;

pub use alertmanager::{AlertmanagerFile, alertmanager};
pub use explain::{EXPLAINED, explain, similar};
pub use files::SourceFile;
pub use hash::of_rule as rule_hash;

pub use lint::{CHECKS, Check, Counted, Traffic, TrafficError};
pub use load::{Ask, Loaded, load, load_adjusted, load_against, load_text, shipped};
pub use near::nearest as did_you_mean;
pub use overrides::environment;
pub use problem::{Level, Problem};
pub use reach::{AHEAD, Gap, Gaps, gaps};
pub use scenario::{
    ANY, Action, Answer, ClockOf, Code, Expect, Fate, Feed, Hours, Hush, Kind, Own, Reload, Scenario, Told, Verb, What,
    Which,
};
pub use schema::{Draw, SCHEMAS, key_reference};
pub use secret::{read_secret, read_secret_file};
pub use settings::{
    AgentSettings, AgentTo, ClockKind, Format, GroupProtocol, HeartbeatSettings, HeartbeatTo, Limits, LogFileSettings,
    LogKind, LogSettings, Mechanism, Paths, PostgresSettings, ProcessWatch, Role, SecuritySettings, Settings, Skew,
    StoreUrl, TopicSettings,
};
pub use unit::{AlertTest, ExprTest, UnitFile, UnitGroup, UnitSeries};
