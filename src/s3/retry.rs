//! What to do about a failure, decided by its class (s3-client 3.8). Pure.
//!
//! ```text
//!   failure ─ classify ─▶ Class ─ verdict(history) ─▶ Again(pause) | Renew | Resign | Redirect | Stop
//! ```
//!
//! There is no number of attempts but a deadline, and time in which bytes moved does not count against it. Pauses
//! grow with full jitter. A verb that must look first is sent again only where the store certainly did nothing.

use std::time::Duration;

use super::operation::Replay;
use super::{Error, ErrorKind};

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The store asks for fewer requests.
    Throttled,
    /// Nobody answered the door.
    Unreachable,
    /// 5xx, a cut connection, a time-out.
    Transient,
    /// Bytes were damaged on their way, in either direction, or somebody writes nonsense.
    Damaged,
    /// Credentials that newer ones can replace.
    Expired,
    /// The signature's time, or a measured skew that explains the refusal.
    Clock,
    /// The store named another region.
    Region,
    Final,
}

/// What is known besides the error itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// The request never reached the store.
    pub unreached: bool,
    /// The store's clock differs by more than four minutes from the one that was signed with.
    pub skewed: bool,
    /// The keys have a session token, so they expire.
    pub temporary_keys: bool,
    /// A region other than the one that was signed for.
    pub region_named: bool,
}

pub fn classify(error: &Error, facts: Facts) -> Class {
    use ErrorKind::*;
    match error.kind() {
        Throttled => Class::Throttled,
        Unavailable | TimedOut if facts.unreached => Class::Unreachable,
        Unavailable | TimedOut => Class::Transient,
        Conflict if error.code() == "OperationAborted" => Class::Transient,
        Corrupt => Class::Damaged,
        Redirect if facts.region_named => Class::Region,
        // HEAD refuses without a document: what it means is told by what is known.
        Invalid if error.status() == 400 && error.code().is_empty() && facts.region_named => Class::Region,
        Invalid if error.status() == 400 && error.code().is_empty() && facts.temporary_keys => Class::Expired,
        Skew => Class::Clock,
        Credentials | Denied if facts.skewed => Class::Clock,
        Credentials if is_expiry(error.code()) => Class::Expired,
        NoSuchKey | NoSuchBucket | NoSuchVersion | NoSuchUpload | NoSuchSetting | NotModified | Denied
        | Credentials | NoCredentials | PreconditionFailed | Conflict | BucketExists | BucketNotEmpty
        | InvalidRange | MethodNotAllowed | Unsupported | Archived | InvalidPart | Invalid | TooLarge
        | KeyTooLong | MetadataTooLarge | Quota | Tls | Redirect | Source | Bug => Class::Final,
    }
}

fn is_expiry(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException" | "InvalidToken" | "TokenRefreshRequired")
}

/// What one operation has been through.
#[derive(Clone, Copy, Debug, Default)]
pub struct History {
    /// Failed attempts, this one included.
    pub failures: u32,
    pub damaged: u32,
    pub renewed: bool,
    pub resigned: bool,
    pub redirected: bool,
    /// Time since the start in which no body moved.
    pub idle: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// After this pause.
    Again(Duration),
    /// Fetch new credentials, then at once.
    Renew,
    /// At once: the skew has been learnt from the refusal itself.
    Resign,
    /// At once, in the region that was named.
    Redirect,
    Stop,
}

/// A store that spells nonsense, or damages what it gets, does so again: three tries in all.
const DAMAGED_MAX: u32 = 3;

/// `random` is from 0 to 1; `retry_after` is what the store asked for.
pub fn verdict(
    class: Class,
    history: &History,
    replay: Replay,
    ambiguous: bool,
    deadline: Duration,
    (random, retry_after): (f64, Option<Duration>),
) -> Verdict {
    if ambiguous && replay == Replay::LookFirst {
        return Verdict::Stop;
    }
    match class {
        Class::Expired if !history.renewed => Verdict::Renew,
        Class::Clock if !history.resigned => Verdict::Resign,
        Class::Region if !history.redirected => Verdict::Redirect,
        Class::Final | Class::Expired | Class::Clock | Class::Region => Verdict::Stop,
        Class::Damaged if history.damaged >= DAMAGED_MAX => Verdict::Stop,
        Class::Throttled | Class::Unreachable | Class::Transient | Class::Damaged => {
            let pause = pause(class, history.failures, random, retry_after);
            // The last try comes when nine tenths of the time are over, however long the pause was to be.
            let last_try = deadline.mul_f64(0.9);
            match last_try.saturating_sub(history.idle) {
                Duration::ZERO => Verdict::Stop,
                left => Verdict::Again(pause.min(left)),
            }
        }
    }
}

const PAUSE_MAX: Duration = Duration::from_secs(20);
/// A store that cannot be reached is asked again soon: it must not take longer to notice that it is back than it
/// took to come back, and a refused connection costs nobody anything.
const UNREACHABLE_PAUSE_MAX: Duration = Duration::from_secs(2);
/// What `Retry-After` may add to the pause that we would have made.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// Full jitter: a random part of base × 2^(n-1), behind what the store asked for: all who were asked to wait as long
/// would come back together.
fn pause(class: Class, failures: u32, random: f64, retry_after: Option<Duration>) -> Duration {
    let (base, most) = match class {
        Class::Throttled => (Duration::from_secs(1), PAUSE_MAX),
        Class::Unreachable => (Duration::from_millis(50), UNREACHABLE_PAUSE_MAX),
        _ => (Duration::from_millis(50), PAUSE_MAX),
    };
    let doublings = failures.saturating_sub(1).min(16);
    let own = base.saturating_mul(1 << doublings).min(most).mul_f64(random.clamp(0.0, 1.0));
    match retry_after.map(|asked| asked.min(RETRY_AFTER_MAX)) {
        Some(asked) => asked + own.max(asked.mul_f64(random.clamp(0.0, 1.0) / 2.0)),
        None => own,
    }
}

/// `Retry-After` in seconds, or S3's own `x-amz-retry-after` in milliseconds.
pub fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
    let millis = number("x-amz-retry-after").map(|millis| Duration::from_millis(millis.into()));
    millis.or_else(|| number("retry-after").map(|seconds| Duration::from_secs(seconds.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::error::{Asked, kind_of};

    fn refusal(status: u16, code: &str) -> Error {
        Error::new(kind_of(status, code, Asked::Key), "").with_status(status).with_code(code)
    }

    #[test]
    fn failures_are_classed_by_code_before_status() {
        let none = Facts::default();
        for (status, code, facts, class) in [
            (503, "SlowDown", none, Class::Throttled),
            (403, "SlowDown", none, Class::Throttled),
            (429, "", none, Class::Throttled),
            (503, "", none, Class::Transient),
            (500, "InternalError", none, Class::Transient),
            (509, "", none, Class::Transient),
            (400, "RequestTimeout", none, Class::Transient),
            (409, "OperationAborted", none, Class::Transient),
            (409, "ConditionalRequestConflict", none, Class::Final),
            (400, "BadDigest", none, Class::Damaged),
            (400, "ExpiredToken", none, Class::Expired),
            (403, "InvalidAccessKeyId", none, Class::Final),
            (403, "SignatureDoesNotMatch", none, Class::Final),
            (403, "SignatureDoesNotMatch", Facts { skewed: true, ..none }, Class::Clock),
            (403, "AccessDenied", Facts { skewed: true, ..none }, Class::Clock),
            (403, "AccessDenied", none, Class::Final),
            (403, "RequestTimeTooSkewed", none, Class::Clock),
            (301, "PermanentRedirect", Facts { region_named: true, ..none }, Class::Region),
            (301, "PermanentRedirect", none, Class::Final),
            (307, "TemporaryRedirect", Facts { region_named: true, ..none }, Class::Region),
            (400, "AuthorizationHeaderMalformed", Facts { region_named: true, ..none }, Class::Region),
            (400, "", Facts { region_named: true, ..none }, Class::Region),
            (400, "", Facts { temporary_keys: true, ..none }, Class::Expired),
            (400, "", none, Class::Final),
            (404, "NoSuchKey", none, Class::Final),
            (412, "PreconditionFailed", none, Class::Final),
            (501, "NotImplemented", none, Class::Final),
        ] {
            assert_eq!(classify(&refusal(status, code), facts), class, "{status} {code} {facts:?}");
        }
        let refused = Error::new(ErrorKind::Unavailable, "");
        assert_eq!(classify(&refused, Facts { unreached: true, ..none }), Class::Unreachable);
    }

    fn judge(class: Class, history: History, replay: Replay, ambiguous: bool) -> Verdict {
        verdict(class, &history, replay, ambiguous, Duration::from_secs(60), (1.0, None))
    }

    #[test]
    fn what_may_have_been_applied_is_not_sent_again_unless_it_may() {
        let (once, look) = (Replay::Idempotent, Replay::LookFirst);
        let history = History { failures: 1, ..History::default() };
        let again = Verdict::Again(Duration::from_millis(50));
        assert_eq!(judge(Class::Transient, history, once, true), again);
        assert_eq!(judge(Class::Transient, history, look, false), again);
        assert_eq!(judge(Class::Transient, history, look, true), Verdict::Stop);
        assert_eq!(judge(Class::Throttled, history, look, false), Verdict::Again(Duration::from_secs(1)));
    }

    #[test]
    fn corrections_are_made_once() {
        let fresh = History { failures: 1, ..History::default() };
        let all = History { renewed: true, resigned: true, redirected: true, ..fresh };
        for (class, verdict) in [
            (Class::Expired, Verdict::Renew),
            (Class::Clock, Verdict::Resign),
            (Class::Region, Verdict::Redirect),
        ] {
            assert_eq!(judge(class, fresh, Replay::LookFirst, false), verdict);
            assert_eq!(judge(class, all, Replay::LookFirst, false), Verdict::Stop);
        }
        let damaged = History { damaged: DAMAGED_MAX, ..fresh };
        assert_eq!(judge(Class::Damaged, damaged, Replay::Idempotent, false), Verdict::Stop);
    }

    #[test]
    fn pauses_grow_to_a_bound_and_the_deadline_ends_them() {
        let at = |class, failures| pause(class, failures, 1.0, None);
        assert_eq!(at(Class::Transient, 1), Duration::from_millis(50));
        assert_eq!(at(Class::Transient, 3), Duration::from_millis(200));
        assert_eq!(at(Class::Transient, 99), PAUSE_MAX);
        assert_eq!(at(Class::Unreachable, 99), UNREACHABLE_PAUSE_MAX);
        assert_eq!(pause(Class::Throttled, 2, 0.25, None), Duration::from_millis(500));
        let after =
            |seconds| History { failures: 12, idle: Duration::from_secs(seconds), ..History::default() };
        let judge = |seconds| judge(Class::Transient, after(seconds), Replay::Idempotent, false);
        assert_eq!(judge(10), Verdict::Again(PAUSE_MAX));
        assert_eq!(judge(50), Verdict::Again(Duration::from_secs(4)), "one more try before the deadline");
        assert_eq!(judge(54), Verdict::Stop);
    }

    #[test]
    fn the_store_may_ask_for_a_longer_pause_within_reason() {
        let seconds = Duration::from_secs;
        assert_eq!(pause(Class::Throttled, 1, 0.0, Some(seconds(3))), seconds(3));
        assert_eq!(pause(Class::Throttled, 1, 0.0, Some(seconds(600))), RETRY_AFTER_MAX);
        assert_eq!(pause(Class::Throttled, 3, 1.0, Some(seconds(1))), seconds(5));
        assert_eq!(
            pause(Class::Transient, 1, 1.0, Some(seconds(4))),
            seconds(6),
            "spread over half as long again"
        );
        let headers = |name: &'static str, value: &'static str| {
            http::HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )])
        };
        assert_eq!(retry_after(&headers("retry-after", "7")), Some(seconds(7)));
        assert_eq!(retry_after(&headers("x-amz-retry-after", "1500")), Some(Duration::from_millis(1500)));
        assert_eq!(retry_after(&headers("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")), None);
    }
}
