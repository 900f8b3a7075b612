//! The rules that the engine brings itself: its own troubles are incidents like any other.

use crate::model::{Domain, Severity};

/// A rule of the engine's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its id; no edited rule may use it.
    pub id: &'static str,
    /// Korean title.
    pub title: &'static str,
    /// 구간.
    pub domain: Domain,
    /// Default severity.
    pub severity: Severity,
}

const fn own(id: &'static str, title: &'static str, severity: Severity) -> Builtin {
    Builtin { id, title, domain: Domain::Infra, severity }
}

/// Nothing from a host for 2 minutes; identity `host`; evaluated by the partition, local.
pub const SOURCE_SILENT: Builtin = own("source-silent", "수집 중단", Severity::S2);
/// A source's clock is more than 30 s off; identity `host`.
pub const SOURCE_SKEW: Builtin = own("source-skew", "시각 오차 과다", Severity::S3);
/// More than half of a partition's sources show one skew: the log's clock; identity `partition`.
pub const LOG_SKEW: Builtin = own("log-skew", "로그 시각 오차", Severity::S3);
/// The log's clock went back by more than 5 s; identity `partition`.
pub const CLOCK_BREAK: Builtin = own("clock-break", "로그 시각 역행", Severity::S3);
/// Most sources fell silent together; folded by the incident stage.
pub const BLIND: Builtin = own("blind", "전체 수집 중단", Severity::S2);
/// A limit was reached; identity `limit` (and `rule` where it is a rule's).
pub const LIMIT: Builtin = own("limit", "한도 도달", Severity::S3);
/// Wide rules cannot be evaluated for lack of a partition.
pub const PIPELINE_LAG: Builtin = own("pipeline-lag", "처리 지연", Severity::S3);
/// The log ends below what was read of it, or lost what was not read; identity `partition`.
pub const LOG_GAP: Builtin = own("log-gap", "로그 누락", Severity::S2);
/// The machine's wall clock jumped, or differs from the log's or the store's.
pub const WALL_CLOCK: Builtin = own("wall-clock", "시스템 시각 이상", Severity::S3);
/// An edited file cannot be used; the old set stays; identity `file`.
pub const BROKEN_CONFIG: Builtin = own("broken-config", "설정 오류", Severity::S3);
/// A gateway has been failing for a while; identity `gateway`.
pub const GATEWAY_FAILING: Builtin = own("gateway-failing", "발송 경로 장애", Severity::S2);

/// A contracted service is down for so long that its customers must be told by law; identity `service`.
pub const OUTAGE_NOTICE: Builtin = own("outage-notice", "서비스 중단 통지 대상", Severity::S2);
/// Many incidents at once in one blast domain; identity `blast`: the node, cluster, pool or service.
pub const STORM: Builtin = own("storm", "동시 다발 장애", Severity::S2);

/// The log is read with a delay.
pub const ENGINE_LAG: Builtin = own("engine-lag", "처리 적체", Severity::S2);
/// Much of what comes cannot be read.
pub const ENGINE_REJECTS: Builtin = own("engine-rejects", "수집 데이터 오류", Severity::S3);
/// The disk of the data directory fills up.
pub const ENGINE_DISK: Builtin = own("engine-disk", "저장 공간 부족", Severity::S2);
/// The store could not be used for a while: told when it can be used again.
pub const ENGINE_STORE: Builtin = own("engine-store", "저장소 중단", Severity::S2);

/// A carrier refused the number of a contact for good; identity `contact`.
pub const CONTACT_STALE: Builtin = own("contact-stale", "비상연락처 수신불가", Severity::S3);
/// Within a day there are hours in which a chain tells nobody, or nobody at first; identity `chain`, `domain`, `step`.
pub const CONTACT_GAP: Builtin = own("contact-gap", "비상연락망 공백", Severity::S3);

/// All of them.
pub const BUILTINS: [Builtin; 19] = [
    SOURCE_SILENT,
    SOURCE_SKEW,
    LOG_SKEW,
    CLOCK_BREAK,
    BLIND,
    LIMIT,
    PIPELINE_LAG,
    LOG_GAP,
    WALL_CLOCK,
    BROKEN_CONFIG,
    GATEWAY_FAILING,
    OUTAGE_NOTICE,
    STORM,
    ENGINE_LAG,
    ENGINE_REJECTS,
    ENGINE_DISK,
    CONTACT_STALE,
    CONTACT_GAP,
    ENGINE_STORE,
];

/// Looks one up.
pub fn builtin(id: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|rule| rule.id == id)
}
