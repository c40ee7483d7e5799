//! Faults on demand: rules that match requests and say what goes wrong with them.
//!
//! A rule matches by operation and key pattern, then fires by count and chance; what it did is counted, so that
//! a test can assert that its fault really happened. All chance comes from the rule's own seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::operation::Target;

/// Which requests, when, and what happens to them. Reads and writes as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// An operation as S3 calls it, such as `GetObject`; none matches all.
    #[serde(default)]
    pub operation: Option<String>,
    /// Matched against the whole key: `*` stands for any run of characters, `?` for one. None matches all.
    #[serde(default)]
    pub key: Option<String>,
    /// Skips this many matching requests first.
    #[serde(default)]
    pub skip: u64,
    /// Fires so many times, then rests. None: for ever.
    #[serde(default)]
    pub times: Option<u64>,
    /// Chance that a matching request is hit, 0 to 1.
    #[serde(default = "certain")]
    pub probability: f64,
    #[serde(default)]
    pub seed: u64,
    pub action: Action,
}

fn certain() -> f64 {
    1.0
}

impl Rule {
    /// Hits every request with `action`.
    pub fn new(action: Action) -> Self {
        Self { operation: None, key: None, skip: 0, times: None, probability: 1.0, seed: 0, action }
    }
    pub fn on(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }
    pub fn key(mut self, pattern: &str) -> Self {
        self.key = Some(pattern.to_owned());
        self
    }
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
    pub fn once(self) -> Self {
        self.times(1)
    }
    pub fn probability(mut self, probability: f64, seed: u64) -> Self {
        (self.probability, self.seed) = (probability, seed);
        self
    }

    fn concerns(&self, target: &Target) -> bool {
        let fits = |pattern: &str| {
            target.key.as_deref().is_some_and(|key| matches(pattern.as_bytes(), key.as_bytes()))
        };
        self.operation.as_deref().is_none_or(|operation| operation == target.operation)
            && self.key.as_deref().is_none_or(fits)
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    Fin,
    Reset,
}

/// When the request takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// The server never acts.
    Before,
    /// The server acts, and the client does not hear of it.
    After,
}

/// What stores make of the quotes around an ETag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EtagSpelling {
    /// `W/"…"`.
    Weak,
    /// Without quotes.
    Bare,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Action {
    /// Answers with this status and S3 error code. `headers` are added, such as `Retry-After` or `Location`.
    Status {
        status: u16,
        code: String,
        #[serde(default)]
        headers: Vec<(String, String)>,
        #[serde(default = "before")]
        when: When,
    },
    /// Status 200, `blanks` spaces, then an error document, as CopyObject and its kin may answer.
    ErrorIn200 { code: String, blanks: usize, when: When },
    /// Closes the connection without a reply.
    Drop { when: When, ending: Ending },
    /// Keeps the connection and never answers.
    Silence { when: When },
    /// Waits before the request is looked at.
    Delay { milliseconds: u64 },
    /// Stops reading the body of the request at this byte and closes.
    CutUpload { at: u64, ending: Ending },
    /// Ends the reply's body early and closes.
    Cut { at: u64, ending: Ending },
    /// Sends this much of the reply's body and then nothing more.
    Stall { at: u64 },
    /// Sends the body in pieces of `bytes`, one every so many milliseconds.
    Trickle { bytes: u64, every_milliseconds: u64 },
    /// Flips the lowest bit of one byte of the reply's body.
    FlipBit { at: u64 },
    /// Swaps the body for other text; status and headers (but the length) stay.
    ReplaceBody { body: String },
    /// Sets or, with no value, removes headers of the reply. `content-length` may lie.
    Headers { set: Vec<(String, Option<String>)> },
    /// Sends a header of the reply once more, with another value.
    RepeatHeader { name: String, value: String },
    /// How ETags are spelled in the headers of replies.
    Etags { spelling: EtagSpelling },
    /// Refuses with this status and code a body in `aws-chunked` coding, or any with a checksum of its own.
    RefuseChecksums { status: u16, code: String, chunked_only: bool },
    /// Answers for `key/` where there is no `key`.
    TakeMarkers,
    /// Takes the Range header for unsaid: 200 and the whole object.
    IgnoreRange,
    /// Takes If-Match and its kin for unsaid.
    IgnoreConditions,
    /// Answers a listing with an empty page that says there is more.
    EmptyPage,
    /// Closes the connection after the reply without having announced it.
    CloseAfter { ending: Ending },
}

fn before() -> When {
    When::Before
}

/// A rule in force.
#[derive(Clone, Debug, Serialize)]
pub struct Armed {
    pub number: u64,
    /// Requests that matched by operation and key.
    pub matched: u64,
    /// Requests that were hit.
    pub fired: u64,
    #[serde(flatten)]
    pub rule: Rule,
}

/// Cheap to clone; clones share the rules.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    numbers: u64,
    rules: BTreeMap<u64, Loaded>,
}

#[derive(Debug)]
struct Loaded {
    armed: Armed,
    chance: fastrand::Rng,
}

impl Faults {
    /// Arms a rule and returns its number.
    pub fn add(&self, rule: Rule) -> u64 {
        let mut shared = self.shared.lock();
        shared.numbers += 1;
        let number = shared.numbers;
        let chance = fastrand::Rng::with_seed(rule.seed);
        shared.rules.insert(number, Loaded { armed: Armed { number, matched: 0, fired: 0, rule }, chance });
        number
    }

    pub fn remove(&self, number: u64) {
        self.shared.lock().rules.remove(&number);
    }

    pub fn clear(&self) {
        self.shared.lock().rules.clear();
    }

    /// How often a rule has fired, as long as it has not been removed.
    pub fn fired(&self, number: u64) -> u64 {
        self.shared.lock().rules.get(&number).map_or(0, |loaded| loaded.armed.fired)
    }

    pub fn armed(&self) -> Vec<Armed> {
        self.shared.lock().rules.values().map(|loaded| loaded.armed.clone()).collect()
    }

    /// What befalls a request: the actions of all rules that hit it, in the order in which they were armed.
    pub(super) fn strike(&self, target: &Target) -> Vec<(u64, Action)> {
        let mut shared = self.shared.lock();
        shared.rules.values_mut().filter_map(|loaded| loaded.strike(target)).collect()
    }
}

impl Loaded {
    fn strike(&mut self, target: &Target) -> Option<(u64, Action)> {
        let armed = &mut self.armed;
        if !armed.rule.concerns(target) {
            return None;
        }
        armed.matched += 1;
        let spent = armed.rule.times.is_some_and(|times| armed.fired >= times);
        if armed.matched <= armed.rule.skip || spent || self.chance.f64() >= armed.rule.probability {
            return None;
        }
        armed.fired += 1;
        Some((armed.number, armed.rule.action.clone()))
    }
}

/// `*` stands for any run of bytes, `?` for one. Linear but for the last star, to which it comes back.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(key: &str) -> Target {
        Target { operation: "GetObject", bucket: Some("b".to_owned()), key: Some(key.to_owned()) }
    }

    fn delay() -> Action {
        Action::Delay { milliseconds: 1 }
    }

    #[test]
    fn patterns_match_whole_keys() {
        let cases = [
            ("*", "", true),
            ("*", "a/b", true),
            ("a*", "a/b", true),
            ("*.txt", "a/b.txt", true),
            ("*.txt", "a/b.txt2", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xaybz", true),
            ("*a*b", "xaybz", false),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, key, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), key.as_bytes()), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn rules_fire_by_operation_key_and_count() {
        let faults = Faults::default();
        let number = faults.add(Rule::new(delay()).on("GetObject").key("a*").skip(1).times(2));
        let hits: Vec<bool> =
            ["a", "b", "a1", "a2", "a3"].map(|key| !faults.strike(&get(key)).is_empty()).to_vec();
        assert_eq!(hits, [false, false, true, true, false]);
        assert_eq!(faults.fired(number), 2);
        assert_eq!(faults.armed()[0].matched, 4);
        let list = Target { operation: "ListObjectsV2", bucket: Some("b".to_owned()), key: None };
        assert!(faults.strike(&list).is_empty());
        faults.clear();
        assert!(faults.armed().is_empty());
    }

    #[test]
    fn chance_comes_from_the_seed_alone() {
        let run = |seed| {
            let faults = Faults::default();
            faults.add(Rule::new(delay()).probability(0.5, seed));
            (0..64).map(|_| !faults.strike(&get("k")).is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let fired = run(7).into_iter().filter(|hit| *hit).count();
        assert!((16..48).contains(&fired), "{fired} of 64");
    }

    #[test]
    fn rules_read_as_json() {
        let text =
            r#"{"operation": "GetObject", "times": 1, "action": {"cut": {"at": 10, "ending": "reset"}}}"#;
        let rule: Rule = serde_json::from_str(text).unwrap();
        assert_eq!(rule, Rule::new(Action::Cut { at: 10, ending: Ending::Reset }).on("GetObject").once());
        let status = r#"{"action": {"status": {"status": 503, "code": "SlowDown"}}}"#;
        let rule: Rule = serde_json::from_str(status).unwrap();
        let expected =
            Action::Status { status: 503, code: "SlowDown".into(), headers: vec![], when: When::Before };
        assert_eq!(rule.action, expected);
        let again: Rule = serde_json::from_str(&serde_json::to_string(&rule).unwrap()).unwrap();
        assert_eq!(again, rule);
        assert!(serde_json::from_str::<Rule>(r#"{"action": "ignore-range", "tymes": 1}"#).is_err());
    }
}
