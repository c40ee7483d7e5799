//! What follows a failed attempt: what it brought to light, and the step that `retry` decides.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::Method as Verb;

use super::{Exchange, perform};
use crate::s3::checksum::Method;
use crate::s3::credentials::Proof;
use crate::s3::endpoint::arn::is_arn;
use crate::s3::envelope::Chunks;
use crate::s3::operation::Replay;
use crate::s3::ops::HeadBucket;
use crate::s3::retry::{self, Class, Facts, Verdict};
use crate::s3::transport::{Failure, Reached};
use crate::s3::{Error, ErrorKind, Operation, judge};

/// Why an attempt failed, and what it brought to light.
pub(super) struct Setback {
    pub(super) error: Error,
    pub(super) facts: Facts,
    pub(super) retry_after: Option<Duration>,
    /// The region that the store named.
    pub(super) region: Option<String>,
}

impl From<Error> for Setback {
    fn from(error: Error) -> Self {
        Self { error, facts: Facts::default(), retry_after: None, region: None }
    }
}

pub(super) enum Step {
    Again,
    Fail(Error),
}

impl Exchange<'_> {
    /// AWS refuses HeadObject in a wrong region with a bare 400, and may leave it to HeadBucket to name the right one.
    pub(super) async fn with_region(&self, setback: Setback) -> Setback {
        let (request, error) = (self.call.request, &setback.error);
        let is_mute = request.method == Verb::HEAD && error.status() == 400 && error.code().is_empty();
        let bucket = request.bucket.clone().filter(|bucket| !is_arn(bucket) && request.key.is_some());
        let bucket = bucket.filter(|bucket| is_mute && self.shared.regions.of(bucket).is_none());
        let (Some(bucket), None) = (bucket.filter(|_| self.shared.endpoint.is_aws()), &setback.region) else {
            return setback;
        };
        let head = HeadBucket { bucket: bucket.clone() };
        let Ok(request) = head.encode() else { return setback };
        // An operation within an operation: without the box its future would contain itself.
        let asking = Box::pin(perform(self.shared, self.deadlines, &head, &request, None));
        if asking.await.is_err() {
            return setback;
        }
        match self.shared.regions.of(&bucket).filter(|region| *region != self.region) {
            None => {
                // Not asked again.
                self.shared.regions.learn(&bucket, &self.region);
                setback
            }
            region => Setback { facts: Facts { region_named: true, ..setback.facts }, region, ..setback },
        }
    }

    pub(super) async fn next_step(&mut self, setback: Setback) -> Step {
        let Setback { error, facts, retry_after, region } = setback;
        let ambiguous = !facts.unreached && judge::is_ambiguous(self.call.request, &error);
        let error = error.with_ambiguity(ambiguous);
        self.note(&error, facts);
        tracing::debug!(
            operation = self.call.name,
            failures = self.history.failures,
            "attempt failed: {error}"
        );
        if let Some(lower) = self.lower_method(&error) {
            self.method = lower;
            return Step::Again;
        }
        let class = retry::classify(&error, facts);
        let verdict = retry::verdict(
            class,
            &self.history,
            self.call.replay,
            error.is_ambiguous(),
            self.deadlines.total_without_progress,
            (fastrand::f64(), retry_after),
        );
        self.ambiguous |= error.is_ambiguous();
        self.carry_out(verdict, class, error, region).await
    }

    fn note(&mut self, error: &Error, facts: Facts) {
        self.history.failures += 1;
        self.history.idle = self.idle();
        match retry::classify(error, facts) {
            Class::Damaged => self.history.damaged += 1,
            Class::Throttled if error.status() != 0 => {
                self.shared.counters.throttled.fetch_add(1, Ordering::Relaxed);
                self.shared.pace.throttled(Instant::now());
            }
            _ => {}
        }
        if error.kind() == ErrorKind::NoSuchBucket
            && let Some(bucket) = &self.call.request.bucket
        {
            self.shared.regions.forget(bucket);
        }
    }

    async fn carry_out(
        &mut self,
        verdict: Verdict,
        class: Class,
        error: Error,
        region: Option<String>,
    ) -> Step {
        match (verdict, region) {
            (Verdict::Again(pause), _) => {
                tokio::time::sleep(pause).await;
                Step::Again
            }
            (Verdict::Resign, _) => {
                self.history.resigned = true;
                Step::Again
            }
            (Verdict::Renew, _) => {
                self.history.renewed = true;
                match self.renew().await {
                    Ok(()) => Step::Again,
                    Err(why) => Step::Fail(self.give_up(error.explain(&why.to_string()), class)),
                }
            }
            (Verdict::Redirect, Some(region)) => {
                self.history.redirected = true;
                if let Some(bucket) = &self.call.request.bucket {
                    self.shared.regions.learn(bucket, &region);
                }
                self.region = region;
                Step::Again
            }
            (Verdict::Redirect, None) | (Verdict::Stop, _) => Step::Fail(self.give_up(error, class)),
        }
    }

    async fn renew(&self) -> Result<(), Error> {
        match self.credentials.as_deref() {
            Some(keys) if keys.proof == Proof::Session => {
                self.shared.sessions.forget(keys);
                Ok(())
            }
            keys => self.shared.config.credentials.renew(keys).await,
        }
    }

    /// The last word on this operation. An answer such as 412 after an attempt that may have been applied can be
    /// the echo of our own success.
    fn give_up(&self, error: Error, class: Class) -> Error {
        let error = error.with_ambiguity(self.ambiguous && self.call.request.method != Verb::GET);
        match class {
            Class::Throttled | Class::Unreachable | Class::Transient | Class::Damaged
                if self.history.failures > 1 =>
            {
                let seconds = self.started.elapsed().as_secs_f32();
                error.explain(&format!("gave up after {} attempts in {seconds:.1} s", self.history.failures))
            }
            Class::Region => error.explain("give the bucket's region as --region or AWS_REGION"),
            _ => error,
        }
    }

    /// The next way to protect the body, where this refusal may be about the present one.
    fn lower_method(&self, error: &Error) -> Option<Method> {
        if !self.uses_checksum() || error.is_ambiguous() && self.call.replay == Replay::LookFirst {
            return None;
        }
        let chunked = self.protection().chunks != Chunks::None;
        let blamed = match (error.status(), error.code()) {
            (_, UNCONFIRMED) => true,
            (_, "BadDigest") => self.history.damaged > 1,
            (403, "SignatureDoesNotMatch" | "AccessDenied") => chunked,
            (400 | 411 | 501, code) => REFUSED_METHOD.contains(&code),
            _ => false,
        };
        if blamed { self.shared.dialect.below(self.method) } else { None }
    }
}

/// Codes by which stores refuse a kind of checksum or a kind of body that they do not know; many other faults have
/// them too, so the lower method is remembered only once a request has succeeded with it.
const REFUSED_METHOD: &[&str] = &[
    "",
    "InvalidArgument",
    "InvalidDigest",
    "InvalidRequest",
    "IncompleteBody",
    "MissingContentLength",
    "NotImplemented",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
];
const UNCONFIRMED: &str = "UnconfirmedTrailer";

pub(super) fn unconfirmed_trailer() -> Error {
    Error::new(ErrorKind::Corrupt, "the store did not confirm the checksum behind the body")
        .with_status(200)
        .with_code(UNCONFIRMED)
}

pub(super) fn unanswered(failure: Failure) -> Setback {
    let unreached = failure.reached == Reached::No;
    let facts = Facts { unreached, ..Facts::default() };
    Setback { facts, ..Error::new(failure.kind, failure.message).into() }
}
