//! Membership of a consumer group: which partitions of a topic are ours, and nothing else.
//!
//! The idea: a consumer of its own that subscribes and never fetches (what it is assigned is paused), so that where the
//! reading consumer stands is nobody's business but its reader's. A revoked partition is given up only when the reader
//! said so ([`Membership::release`]) or took too long; a lost one is gone already. Cooperative protocols only.
//!
//! Deliberately not here: who may write. That is an epoch row in the store; a membership only says who should work.
//! Whoever calls [`Membership::look`] is the thread that polls: no thread of ours, and a reader that stands still for
//! `max.poll.interval.ms` loses its partitions to one that does not.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::log::kafka::client::{Need, log_line, refused_settings, refused_topic, settings, unavailable};
use crate::log::kafka::{Config, GroupProtocol, Join};
use crate::log::{Event, LogError};
use crate::time::{Clock as _, Ms, SECOND, SystemClock};

/// A revoked partition is given up after so long, flushed or not: the others wait for it, and the store's fence holds
/// whatever comes later.
const RELEASE_WITHIN: Ms = 20 * SECOND;
/// Events served in one look: a poll that served one says "nothing", so a few more are asked for.
const POLLS: usize = 8;

/// What the group decided.
#[derive(Debug)]
enum Move {
    Assigned(Vec<i32>),
    Revoked { partitions: Vec<i32>, lost: bool },
}

/// Takes the group's decisions in librdkafka's callback; they are acted on after the poll.
#[derive(Debug)]
struct Moves {
    topic: String,
    moves: Mutex<VecDeque<Move>>,
    /// The membership ends: nobody is left to flush.
    ending: AtomicBool,
}

impl Moves {
    fn held(&self) -> MutexGuard<'_, VecDeque<Move>> {
        self.moves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) {
        // Any offset will do, as nothing is ever fetched; with none, the group's would be asked for.
        let list = list(&self.topic, partitions);
        let taken = consumer.incremental_assign(&list).or_else(|why| {
            // Only what is assigned already is refused, and an assignment that is not answered stops the member.
            tracing::warn!(%why, "assigned what was never given up");
            self.unassign(consumer, partitions);
            consumer.incremental_assign(&list)
        });
        if let Err(why) = taken.and_then(|()| consumer.pause(&list)) {
            tracing::error!(%why, "assignment not taken");
        }
    }

    fn unassign(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) {
        if let Err(why) = consumer.incremental_unassign(&list(&self.topic, partitions)) {
            // Some were gone already (a fatal error does that): one by one, and then none, as a revocation that is not
            // answered stops the member.
            tracing::debug!(%why, "not all are there to be given up");
            let each = partitions.iter().map(std::slice::from_ref).chain([[].as_slice()]);
            each.for_each(|one| drop(consumer.incremental_unassign(&list(&self.topic, one))));
        }
    }
}

impl ClientContext for Moves {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log_line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka group");
    }
}

impl ConsumerContext for Moves {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assign(consumer, &partitions);
            self.held().push_back(Move::Assigned(partitions));
            return;
        }
        let lost = consumer.assignment_lost();
        if lost || self.ending.load(Ordering::SeqCst) {
            self.unassign(consumer, &partitions);
        }
        self.held().push_back(Move::Revoked { partitions, lost });
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _: &TopicPartitionList) {
        // Refused inside a rebalance's barrier; the next flush notes again, and nothing depends on it.
        if let Err(why) = result {
            tracing::debug!(%why, "progress not noted in the consumer group");
        }
    }
}

/// One member of a consumer group.
pub(super) struct Membership {
    config: Config,
    join: Join,
    topic: String,
    protocol: GroupProtocol,
    consumer: BaseConsumer<Moves>,
    /// Told as ours and not told as revoked.
    ours: BTreeSet<i32>,
    /// Told as revoked; the reader is not done with them.
    leaving: BTreeSet<i32>,
    /// Of the same revocation, and done with.
    left: BTreeSet<i32>,
    leave_by: Ms,
    /// It died of an error that time heals: joined anew at the next look.
    dead: bool,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").field("ours", &self.ours).field("leaving", &self.leaving).finish_non_exhaustive()
    }
}

impl Membership {
    /// Joins the group; what it is assigned comes by [`Membership::look`].
    pub(super) fn new(config: &Config, join: &Join, topic: &str) -> Result<Self, LogError> {
        let protocol = match join.protocol {
            GroupProtocol::Auto => GroupProtocol::Consumer,
            chosen => chosen,
        };
        Ok(Self {
            config: config.clone(),
            join: join.clone(),
            topic: topic.to_owned(),
            protocol,
            consumer: member(config, join, topic, protocol)?,
            ours: BTreeSet::new(),
            leaving: BTreeSet::new(),
            left: BTreeSet::new(),
            leave_by: 0,
            dead: false,
        })
    }

    /// What the group decided since the last look. Never waits.
    ///
    /// # Errors
    /// The group cannot be joined now, or not without somebody changing something.
    pub(super) fn look(&mut self, into: &mut VecDeque<Event>) -> Result<(), LogError> {
        if self.dead {
            self.consumer = member(&self.config, &self.join, &self.topic, self.protocol)?;
            self.dead = false;
        }
        let mut failure = None;
        for _ in 0..POLLS {
            match self.consumer.poll(Duration::ZERO) {
                None if self.consumer.context().held().is_empty() => break,
                Some(Err(why)) => failure = Some(why),
                None | Some(Ok(_)) => {}
            }
            self.take_moves(into);
        }
        self.take_moves(into);
        if !self.leaving.is_empty() && SystemClock.elapsed() >= self.leave_by {
            tracing::warn!(partitions = ?self.leaving, "given up unflushed: the reader took too long");
            self.leaving.clear();
            self.give_up();
        }
        failure.map_or(Ok(()), |why| self.judge(&why, into))
    }

    /// The reader is done with a revoked partition.
    pub(super) fn release(&mut self, partition: i32) {
        if self.leaving.remove(&partition) && self.leaving.is_empty() {
            self.give_up();
        }
    }

    /// Notes progress in the group, for lag tools.
    pub(super) fn note(&self, list: &TopicPartitionList) -> Result<(), KafkaError> {
        self.consumer.commit(list, CommitMode::Async)
    }

    fn take_moves(&mut self, into: &mut VecDeque<Event>) {
        let moves = std::mem::take(&mut *self.consumer.context().held());
        for a_move in moves {
            match a_move {
                Move::Assigned(partitions) => {
                    tracing::info!(?partitions, "the group assigned partitions");
                    self.ours.extend(&partitions);
                    into.extend(partitions.into_iter().map(|partition| Event::Assigned { partition }));
                }
                Move::Revoked { partitions, lost } => {
                    tracing::info!(?partitions, lost, "the group revoked partitions");
                    self.ours.retain(|partition| !partitions.contains(partition));
                    if lost {
                        // What was about to be given up is gone with the rest.
                        self.leaving.clear();
                        if !self.left.is_empty() {
                            self.give_up();
                        }
                    } else {
                        self.leaving = partitions.iter().copied().collect();
                        self.left = self.leaving.clone();
                        self.leave_by = SystemClock.elapsed() + RELEASE_WITHIN;
                    }
                    into.extend(partitions.into_iter().map(|partition| Event::Revoked { partition, lost }));
                }
            }
        }
    }

    fn give_up(&mut self) {
        let partitions: Vec<i32> = std::mem::take(&mut self.left).into_iter().collect();
        self.consumer.context().unassign(&self.consumer, &partitions);
    }

    /// What a failed poll means. librdkafka goes on by itself after most of them.
    fn judge(&mut self, why: &KafkaError, into: &mut VecDeque<Event>) -> Result<(), LogError> {
        let what = format!("join group `{}` for topic `{}`", self.config.group, self.topic);
        if let Some((code, text)) = self.consumer.client().fatal_error() {
            self.die(into);
            return self.judge_fatal(what, code, text);
        }
        match why.rdkafka_error_code() {
            Some(
                code @ (RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::UnknownTopicOrPartition),
            ) => Err(refused_topic(&self.config, &self.topic, Need::Describe, &what, code)),
            _ => {
                tracing::warn!(%why, "kafka group");
                Ok(())
            }
        }
    }

    /// After a fatal error nothing is ours, and nobody says so.
    fn die(&mut self, into: &mut VecDeque<Event>) {
        self.dead = true;
        self.leaving.clear();
        self.left.clear();
        let ours = std::mem::take(&mut self.ours);
        into.extend(ours.into_iter().map(|partition| Event::Revoked { partition, lost: true }));
    }

    fn judge_fatal(&mut self, what: String, code: RDKafkaErrorCode, text: String) -> Result<(), LogError> {
        let instance = self.join.instance.as_deref().unwrap_or_default();
        match code {
            RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion
                if self.protocol == GroupProtocol::Consumer && self.join.protocol == GroupProtocol::Auto =>
            {
                tracing::info!("the brokers have no `group.protocol=consumer`: cooperative-sticky it is");
                self.protocol = GroupProtocol::Classic;
                Ok(())
            }
            // A process that was killed holds its name until its session ends.
            RDKafkaErrorCode::UnreleasedInstanceId => Err(LogError::Unavailable {
                what,
                why: format!("`{instance}` is still a member: it was killed a moment ago, or two run under one name"),
            }),
            RDKafkaErrorCode::FencedInstanceId => Err(LogError::Refused {
                what,
                why: format!("another process joined as `{instance}`"),
                help: "give each process a `log.instance` of its own".to_owned(),
            }),
            _ => match refused_topic(&self.config, &self.topic, Need::Describe, &what, code) {
                LogError::Unavailable { what, .. } => Err(LogError::Unavailable { what, why: text }),
                refused => Err(refused),
            },
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.consumer.context().ending.store(true, Ordering::SeqCst);
        if !self.left.is_empty() {
            self.give_up();
        }
    }
}

fn member(config: &Config, join: &Join, topic: &str, protocol: GroupProtocol) -> Result<BaseConsumer<Moves>, LogError> {
    let mut settings = settings(config);
    settings.set("group.id", &config.group).set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    match protocol {
        GroupProtocol::Classic => {
            settings.set("group.protocol", "classic").set("partition.assignment.strategy", "cooperative-sticky");
            if let Some(session) = join.session {
                settings.set("session.timeout.ms", session.to_string());
                settings.set("heartbeat.interval.ms", (session / 4).to_string());
            }
        }
        // Its session and heartbeat are the broker's to say.
        GroupProtocol::Consumer | GroupProtocol::Auto => {
            settings.set("group.protocol", "consumer");
        }
    }
    if let Some(instance) = &join.instance {
        settings.set("group.instance.id", instance);
    }
    let context = Moves { topic: topic.to_owned(), moves: Mutex::default(), ending: AtomicBool::new(false) };
    let consumer: BaseConsumer<Moves> =
        settings.create_with_context(context).map_err(|why| refused_settings(config, &why))?;
    let what = format!("join group `{}`", config.group);
    consumer.subscribe(&[topic]).map_err(|why| unavailable(&what, &why))?;
    Ok(consumer)
}

fn list(topic: &str, partitions: &[i32]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        // Refused only for an offset that means something else.
        drop(list.add_partition_offset(topic, *partition, Offset::Offset(0)));
    }
    list
}
