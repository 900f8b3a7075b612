//! Keeps what must not leave the zone out of messages: addresses, host names, accounts, products, persons, alert words.
//!
//! The idea: one linter with two uses. `config` runs it over every title when it is loaded ([`GuardSet::lint`], all
//! findings), rendering runs it over every finished text; a text with a finding is replaced by one that says only
//! number, severity, 구간 and time, never dropped. The deny-list of names is made from the inventory and the contacts
//! themselves.

use regex::Regex;

use crate::model::{Inventory, People};

/// What is prohibited about a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Taboo {
    /// IPv4 or IPv6 address.
    Address,
    /// Port.
    Port,
    /// Host, pod, node, cluster, zone or service name.
    Host,
    /// Network zone, or machines counted per tier.
    Topology,
    /// Account, password, token: key=value.
    Secret,
    /// CVE number.
    Weakness,
    /// File path, class name, stack trace.
    Code,
    /// URL.
    Url,
    /// Security or database product.
    Product,
    /// E-mail address, phone or resident number, a person's name.
    Person,
    /// A word of the national alert levels.
    AlertWord,
    /// A character that phones cannot show.
    Character,
}

impl Taboo {
    /// Its word in problems and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Port => "port",
            Self::Host => "host",
            Self::Topology => "topology",
            Self::Secret => "secret",
            Self::Weakness => "weakness",
            Self::Code => "code",
            Self::Url => "url",
            Self::Product => "product",
            Self::Person => "person",
            Self::AlertWord => "alert-word",
            Self::Character => "character",
        }
    }

    /// What to write instead.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Host | Self::Topology => "write the outward alias or only the 구간",
            Self::AlertWord => "심각·경계·주의·관심 are national alert levels: write 중대·보통·경미·정보",
            Self::Product => "write the kind of system, for example 데이터베이스",
            Self::Character => "use a character of KS X 1001",
            _ => "leave it out: details belong on the console",
        }
    }
}

/// One prohibited piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub taboo: Taboo,
    /// Byte offset in the text.
    pub at: usize,
    /// The piece itself: for the author's eyes, not for logs.
    pub piece: String,
}

/// Products whose presence must not be told; the list of the site's contract, without versions.
const PRODUCTS: [&str; 27] = [
    "eXperDB",
    "PostgreSQL",
    "Postgres",
    "Oracle",
    "MySQL",
    "MariaDB",
    "Tibero",
    "CUBRID",
    "Altibase",
    "Redis",
    "Kafka",
    "Elasticsearch",
    "JEUS",
    "WebtoB",
    "Tomcat",
    "nginx",
    "Apache",
    "WAF",
    "IPS",
    "IDS",
    "SNIPER",
    "AppSuit",
    "Tmax",
    "FingerPush",
    "D'Amo",
    "D'guard",
    "V3",
];

/// Words of the national alert levels; only where a word begins, so that 부주의 and 무관심 stay words.
const ALERT_WORDS: &str = r"(?:^|[^가-힣])(심각|경계|주의|관심)";

const PATTERNS: [(Taboo, &str); 17] = [
    (Taboo::Url, r"(?i)\b(?:[a-z][a-z0-9+.-]*://\S+|www\.\S+)"),
    (Taboo::Person, r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+"),
    (Taboo::Address, r"\b\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?\b"),
    (
        Taboo::Address,
        r"(?i)(?:^|[^0-9a-z:])((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|[0-9a-f:]*[0-9a-f]::[0-9a-f:]*|::[0-9a-f]+)",
    ),
    (Taboo::Port, r"(?i)(?:\b(?:port|tcp|udp)|포트)\s*[:/]?\s*\d{2,5}\b"),
    (Taboo::Port, r"(?i)[a-z가-힣\]\)]:\d{2,5}\b|\b\d{3,}:\d{2,5}\b|(?:^|\s):\d{2,5}\b"),
    (Taboo::Person, r"\b0\d{1,2}[- .]?\d{3,4}[- .]?\d{4}\b|\b1[568]\d{2}-\d{4}\b"),
    (Taboo::Person, r"\b\d{6}-[1-8]\d{6}\b"),
    (Taboo::Weakness, r"(?i)\bCVE-\d{4}-\d+"),
    (Taboo::Code, r"(?i)(?:^|[\s(\['])(?:~?/[a-z0-9._-]+(?:/[a-z0-9._-]*)*|[a-z]:\\\S*)"),
    (Taboo::Code, r"\bat\s+[\w$.]+\(|\b[a-z]\w*(?:\.[a-zA-Z]\w*){2,}"),
    (Taboo::Code, r"(?i)\b[\w-]+\.(?:java|py|rs|go|js|ts|jsp|class|jar|so|dll|conf|ya?ml|xml|log|sh)\b"),
    (Taboo::Secret, r"(?i)[a-z0-9_가-힣-]+\s?=\s?\S+"),
    (Taboo::Secret, r"(?i)(?:password|passwd|pwd|secret|token|api.?key|account|user|계정|비밀번호|아이디)\s*:\s*\S+"),
    (Taboo::Host, r"(?i)\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:kr|com|net|org|io|local|internal|lan|svc|cluster|test)\b"),
    (Taboo::Topology, r"\d+\s*[대개식]\s*중|행정업무망|인터넷망|내부망|외부망|업무망"),
    (Taboo::AlertWord, ALERT_WORDS),
];

/// What looks like a host of ours even where the inventory does not know it: letters and numbers joined by hyphens,
/// ending in a number. Incident numbers look the same and are meant to be told.
const HOST_LIKE: &str = r"(?i)\b[a-z][a-z0-9]*(?:-[a-z0-9]+)*-\d+\b";
const OWN_NUMBER: &str = r"^(?:INC|SEC|DRL)-\d{4}-\d{3,}$";

/// Deny-lists and patterns, ready to use.
#[derive(Debug, Clone)]
pub struct GuardSet {
    patterns: Vec<(Taboo, Regex)>,
    host_like: Regex,
    own_number: Regex,
    /// Lower-case words and what they are, sorted.
    words: Vec<(String, Taboo)>,
}

impl GuardSet {
    /// A set that also denies `hosts`, `products` (beside the built-in ones) and `names`.
    pub fn new<'a>(
        hosts: impl IntoIterator<Item = &'a str>,
        products: impl IntoIterator<Item = &'a str>,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let pattern = |text: &str| Regex::new(text).expect("a constant pattern, compiled by every test");
        let hosts = hosts.into_iter().map(|word| (word, Taboo::Host));
        let products = products.into_iter().chain(PRODUCTS).map(|word| (word, Taboo::Product));
        let names = names.into_iter().map(|word| (word, Taboo::Person));
        let words = hosts.chain(products).chain(names).filter(|(word, _)| word.chars().count() > 1);
        // A zone named as a 구간 would make every message opaque: the four words are in all of them.
        let words = words.filter(|(word, _)| crate::model::Domain::parse(word).is_none());
        let mut words: Vec<_> = words.map(|(word, taboo)| (word.to_lowercase(), taboo)).collect();
        words.sort();
        words.dedup();
        Self {
            patterns: PATTERNS.iter().map(|(taboo, text)| (*taboo, pattern(text))).collect(),
            host_like: pattern(HOST_LIKE),
            own_number: pattern(OWN_NUMBER),
            words,
        }
    }

    /// The set of a site: resources, what they run on, their zones and services; the names of all contacts.
    /// A resource's alias is meant to be told and stays allowed.
    pub fn of(inventory: &Inventory, people: &People) -> Self {
        let told: Vec<&str> = inventory.resources.values().filter_map(|resource| resource.alias.as_deref()).collect();
        let hosts = inventory.resources.values().flat_map(|resource| {
            let more = [&resource.parent, &resource.zone, &resource.service];
            std::iter::once(resource.id.as_str()).chain(more.into_iter().filter_map(|name| name.as_deref()))
        });
        let names = people.contacts.iter().map(|contact| contact.name.as_str());
        Self::new(hosts.filter(|name| !told.contains(name)), [], names)
    }

    /// Everything in `text` that must not leave, by place.
    pub fn lint(&self, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        for (taboo, pattern) in &self.patterns {
            for captures in pattern.captures_iter(text) {
                let Some(piece) = captures.get(1).or_else(|| captures.get(0)) else { continue };
                found.push(Finding { taboo: *taboo, at: piece.start(), piece: piece.as_str().trim().to_owned() });
            }
        }
        for piece in self.host_like.find_iter(text) {
            if !self.own_number.is_match(piece.as_str()) {
                let piece_text = piece.as_str().to_owned();
                found.push(Finding { taboo: Taboo::Host, at: piece.start(), piece: piece_text });
            }
        }
        self.lint_words(text, &mut found);
        if let Err(ch) = super::ksx1001::len(&super::ksx1001::normalise(text)) {
            found.push(Finding { taboo: Taboo::Character, at: 0, piece: ch.to_string() });
        }
        found.sort_by(|a, b| (a.at, a.taboo, &a.piece).cmp(&(b.at, b.taboo, &b.piece)));
        found.dedup();
        found
    }

    /// Whether `text` may leave.
    pub fn is_clean(&self, text: &str) -> bool {
        self.lint(text).is_empty()
    }

    fn lint_words(&self, text: &str, found: &mut Vec<Finding>) {
        let lower = text.to_lowercase();
        for (word, taboo) in &self.words {
            for (at, piece) in lower.match_indices(word.as_str()) {
                if stands_alone(&lower, at, word) {
                    found.push(Finding { taboo: *taboo, at, piece: piece.to_owned() });
                }
            }
        }
    }
}

/// Whether the word at `at` is not a part of a longer Latin word: `db-1` is not in `db-10`. Korean particles may
/// follow.
fn stands_alone(text: &str, at: usize, word: &str) -> bool {
    let joins = |ch: Option<char>| ch.is_some_and(|ch| ch.is_ascii_alphanumeric());
    let before = text.get(..at).and_then(|text| text.chars().next_back());
    let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
    let begins = word.chars().next().is_some_and(|ch| ch.is_ascii_alphanumeric());
    let ends = word.chars().next_back().is_some_and(|ch| ch.is_ascii_alphanumeric());
    !(begins && joins(before) || ends && joins(after))
}

/// Everything in `text` that must not leave, by place: what `check` prints.
pub fn lint(text: &str, set: &GuardSet) -> Vec<Finding> {
    set.lint(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> GuardSet {
        GuardSet::new(["prod-master-02", "db-1", "prod", "디비서버"], [], ["홍길동"])
    }

    #[test]
    fn every_forbidden_example_is_found_for_its_reason() {
        for (text, taboo) in [
            ("10.20.3.14 WAS 다운", Taboo::Address),
            ("prod-master-02 NotReady", Taboo::Host),
            ("WAF 차단 203.0.113.5", Taboo::Product),
            ("eXperDB 커넥션 초과", Taboo::Product),
            ("홍길동 010-1234-5678 연락바람", Taboo::Person),
            ("https://console.example.test/x", Taboo::Url),
            ("CVE-2025-1234 패치", Taboo::Weakness),
            ("행정업무망 LB 46대 중 3대", Taboo::Topology),
            ("위기경보 심각", Taboo::AlertWord),
            ("fe80::1 응답없음", Taboo::Address),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", Taboo::Address),
            ("웹:8080 응답없음", Taboo::Port),
            ("포트 443 차단", Taboo::Port),
            ("/var/log/app.log 가득 참", Taboo::Code),
            ("at kr.go.App.run(App.java:12)", Taboo::Code),
            ("password=hunter2", Taboo::Secret),
            ("계정: admin", Taboo::Secret),
            ("a.b@korea.kr 확인", Taboo::Person),
            ("was-unknown-7 과부하", Taboo::Host),
            ("db.svc.cluster 응답없음", Taboo::Host),
            ("PROD 서버 중단", Taboo::Host),
            ("DB-1에서 중단", Taboo::Host),
        ] {
            let found = set().lint(text);
            assert!(found.iter().any(|finding| finding.taboo == taboo), "{text}: {found:?}");
        }
    }

    #[test]
    fn honest_titles_and_whole_messages_pass() {
        for text in [
            "CPU 사용률 과다",
            "디스크 공간 부족(90% 초과)",
            "수집 중단",
            "메모리 부족 종료",
            "부주의로 인한 중단",
            "HTTP 5xx 비율 과다",
            "응답 지연 p95 3초 초과",
            "inode 부족 24h 예측",
            "[긴급신고][장애발생]INC-2601-014 중대/응용 09:12 응답없음. 관제콘솔 확인요망",
            "■ 발생: 01.14(수) 09:10:33\n■ 등급/구간: 중대 / 인프라",
            "[긴급신고][일일요약]11.24 장애 3건(복구 2건, 미복구 1건). 관제콘솔 확인요망",
        ] {
            assert_eq!(set().lint(text), [], "{text}");
        }
    }

    #[test]
    fn a_longer_name_is_not_its_beginning() {
        let found = GuardSet::new(["db-1"], [], []).lint("db-10");
        assert!(found.iter().all(|finding| finding.piece != "db-1"), "{found:?}");
    }
}
