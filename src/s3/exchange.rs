//! One operation from its first attempt to its last: attempts here, what follows a failed one in `setback`.

mod setback;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::header::{CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, Method as Verb, StatusCode};

use self::setback::{Setback, Step, unanswered, unconfirmed_trailer};

use super::body::ByteStream;
use super::checksum::{self, Digests, Method, Wanted};
use super::client::{Shared, resource_of};
use super::credentials::{Credentials, Proof};
use super::dialect::Vendor;
use super::endpoint::arn::{is_arn, is_multi_region};
use super::envelope::{self, Chunks, Circumstances, Protection, Sealing, Voucher};
use super::operation::{Payload, Replay, Reply, ReplyBody, Request, RequestChecksum};
use super::region;
use super::retry::{self, Facts, History};
use super::skew::{self, Trip};
use super::transport::{Incoming, Watch};
use super::{Deadlines, Error, ErrorKind, Operation, judge};
use crate::base::timestamp;
use crate::telemetry::metrics;

/// Of a reply that is read to its end: a page of a listing with a thousand long keys has less than 4 MiB.
const COLLECTED_BYTES_MAX: usize = 16 << 20;
const REFUSAL_BYTES_MAX: usize = 256 << 10;

/// An operation without its types.
struct Call<'a> {
    name: &'static str,
    streamed: bool,
    payload: Payload,
    replay: Replay,
    signed: bool,
    request: &'a Request,
    watch: Option<&'a Watch>,
}

/// What makes an output of a good reply.
type Decode<'a> = dyn FnMut(Reply) -> Result<(), Error> + Send + 'a;

/// `request` is that of the operation.
pub async fn perform<O: Operation>(
    shared: &Shared,
    deadlines: Deadlines,
    operation: &O,
    request: &Request,
    watch: Option<&Watch>,
) -> Result<O::Output, Error> {
    let call = Call {
        name: O::NAME,
        streamed: O::STREAMED,
        payload: operation.payload(),
        replay: operation.replay(),
        signed: operation.is_signed(),
        request,
        watch,
    };
    let mut output = None;
    let decode = &mut |reply| {
        output = Some(operation.decode(reply)?);
        Ok(())
    };
    Exchange::new(shared, deadlines, call).run(decode).await?;
    output.ok_or_else(|| Error::new(ErrorKind::Bug, "a reply was judged good but not decoded"))
}

struct Exchange<'a> {
    shared: &'a Shared,
    deadlines: Deadlines,
    call: Call<'a>,
    resource: String,
    started: Instant,
    /// Time in which bodies moved.
    moving: Duration,
    history: History,
    /// An earlier attempt may have been applied.
    ambiguous: bool,
    /// Exactly those that were wanted last.
    digests: Digests,
    digested: Option<Wanted>,
    method: Method,
    region: String,
    /// Those of the latest attempt.
    credentials: Option<Arc<Credentials>>,
    skew_seconds: i64,
}

impl<'a> Exchange<'a> {
    fn new(shared: &'a Shared, deadlines: Deadlines, call: Call<'a>) -> Self {
        Self {
            deadlines,
            resource: resource_of(call.request),
            started: Instant::now(),
            moving: Duration::ZERO,
            history: History::default(),
            ambiguous: false,
            digests: Digests::default(),
            digested: None,
            method: shared.dialect.checksum(),
            region: shared.region_of(call.request.bucket.as_deref()),
            credentials: None,
            skew_seconds: 0,
            shared,
            call,
        }
    }

    async fn run(mut self, decode: &mut Decode<'_>) -> Result<(), Error> {
        loop {
            let setback = match self.attempt(decode).await {
                Ok(()) => return Ok(()),
                Err(setback) => setback,
            };
            metrics::REQUEST_ERRORS.add(self.call.name, 1);
            let setback = self.with_region(setback).await;
            match self.next_step(setback).await {
                Step::Again => {
                    self.shared.counters.retries.fetch_add(1, Ordering::Relaxed);
                    metrics::RETRIES.add(1);
                }
                Step::Fail(error) => return Err(error.about(self.call.name, &self.resource)),
            }
        }
    }

    async fn attempt(&mut self, decode: &mut Decode<'_>) -> Result<(), Setback> {
        self.wait_for_turn().await?;
        if self.call.signed {
            self.credentials = self.shared.credentials_for(self.call.request, self.deadlines).await?;
        }
        let protection = self.protection();
        if self.digested != Some(protection.wanted) {
            self.digests = checksum::digests(&self.call.request.body, protection.wanted).await?;
            self.digested = Some(protection.wanted);
        }
        let sent_at = self.shared.config.clock.wall();
        self.skew_seconds = self.shared.skew.seconds();
        let sealed = self.seal(protection, sent_at)?;
        let progress = sealed.progress;
        if let Some(watch) = self.call.watch {
            progress.watched_by(watch);
        }
        self.count_request();
        let deadlines = self.deadlines_left();
        let outcome = self.shared.transport.send(sealed.request, deadlines).await;
        self.moving += progress.moving();
        self.count_sent(progress.bytes());
        let reply = outcome.map_err(unanswered)?;
        let trip = Trip { sent: sent_at, received: self.shared.config.clock.wall() };
        self.learn(reply.headers(), trip);
        self.receive(reply, protection, decode).await?;
        if self.method != self.shared.dialect.checksum() && self.uses_checksum() {
            self.shared.dialect.settle_for(self.method);
        }
        Ok(())
    }

    /// A store that said "slow down" is asked at the rate that it takes.
    async fn wait_for_turn(&mut self) -> Result<(), Error> {
        let turn = self.shared.pace.reserve(Instant::now());
        if turn.is_zero() {
            return Ok(());
        }
        if self.idle() + turn > self.deadlines.total_without_progress {
            return Err(Error::new(
                ErrorKind::Throttled,
                "the store takes too few requests: no turn before the deadline",
            )
            .with_status(503));
        }
        tokio::time::sleep(turn).await;
        Ok(())
    }

    /// MinIO wants a checksum of every part of an upload that announced one, but makes none of the parts that it
    /// copies: there an upload with copies must not announce any, and its parts are checked one by one.
    fn payload(&self) -> Payload {
        match self.call.payload {
            Payload::UploadWithCopies if self.shared.dialect.vendor() == Vendor::Minio => Payload::Document,
            Payload::UploadWithCopies => Payload::Upload,
            payload => payload,
        }
    }
    fn protection(&self) -> Protection {
        envelope::protection(Circumstances {
            payload: self.payload(),
            needs_checksum: self.call.request.needs_checksum,
            checksum: self.call.request.checksum,
            has_body: !self.call.request.body.is_empty(),
            read_once: envelope::is_read_once(&self.call.request.body),
            method: self.method,
            unsigned: self.credentials.as_ref().is_none_or(|keys| keys.proof == Proof::Bearer),
            scheme: self.shared.endpoint.scheme,
            whole: self.call.request.bucket.as_deref().is_some_and(is_multi_region),
            signing: self.shared.config.payload_signing,
        })
    }
    fn seal(&self, protection: Protection, now: SystemTime) -> Result<envelope::Sealed, Error> {
        let address = self.shared.address(self.call.request, &self.region)?;
        let time = self.shared.skew.apply(now);
        envelope::seal(&Sealing {
            request: self.call.request,
            address: &address,
            protection,
            digests: &self.digests,
            voucher: match self.credentials.as_deref() {
                None => Voucher::Nothing,
                Some(credentials) if credentials.proof == Proof::Bearer => {
                    Voucher::Bearer(&credentials.secret_key)
                }
                Some(credentials) => Voucher::Signature(self.shared.signer(credentials, &address, time)),
            },
            user_agent: &self.shared.user_agent,
        })
    }

    fn learn(&self, headers: &HeaderMap, trip: Trip) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(timestamp::parse_http_date);
        if let Some(seconds) = skew::measure(trip, date, headers.contains_key(http::header::AGE)) {
            self.shared.skew.learn(seconds);
        }
        self.shared.dialect.observe(headers);
    }

    async fn receive(
        &mut self,
        reply: Incoming,
        protection: Protection,
        decode: &mut Decode<'_>,
    ) -> Result<(), Setback> {
        let (parts, pieces) = reply.into_parts();
        let (status, headers) = (parts.status, parts.headers);
        let expected = promised_length(&self.call.request.method, status, &headers);
        let counters = self.shared.counters.clone();
        let pieces = Box::pin(pieces.inspect_ok(move |piece| {
            counters.bytes_received.fetch_add(piece.len() as u64, Ordering::Relaxed);
            metrics::BYTES_RECEIVED.add(piece.len() as u64);
        }));
        let stream = ByteStream::new(pieces, expected, self.deadlines.no_progress).about(
            self.call.name,
            &self.resource,
            judge::request_ids(&headers),
        );
        if !status.is_success() {
            let body = self.collect(stream, REFUSAL_BYTES_MAX).await.unwrap_or_default();
            return Err(self.refused(status, &headers, &body));
        }
        let body = if self.call.streamed {
            ReplyBody::Stream(stream.verified_by(checksum::verifier(status, &headers)))
        } else {
            let body = self
                .collect(stream, COLLECTED_BYTES_MAX)
                .await
                .map_err(|error| self.after_reply(error, 200))?;
            if let Some((error, _)) = judge::hidden_refusal(self.call.request, &headers, &body) {
                return Err(error.into());
            }
            ReplyBody::Collected(body)
        };
        self.check_integrity(protection, &headers)?;
        let ids = headers.clone();
        decode(Reply { status, headers, body }).map_err(|error| {
            let (request_id, host_id) = judge::request_ids(&ids);
            self.after_reply(error.with_request_ids(request_id, host_id), status.as_u16()).into()
        })
    }

    async fn collect(&mut self, stream: ByteStream, limit_bytes: usize) -> Result<Bytes, Error> {
        let begun = Instant::now();
        let body = stream.collect(limit_bytes).await;
        if body.is_ok() {
            self.moving += begun.elapsed();
        }
        body
    }
    /// A fault found in a reply that had a good status.
    fn after_reply(&self, error: Error, status: u16) -> Error {
        if error.status() == 0 && error.kind() == ErrorKind::Corrupt {
            error.with_status(status)
        } else {
            error
        }
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Setback {
        let (error, document) = judge::refusal(self.call.request, status, headers, body);
        // An access point is where its ARN says.
        let may_move = !self.call.request.bucket.as_deref().is_some_and(is_arn);
        let region = region::named_in(headers, &document.region);
        let region = region.filter(|region| may_move && *region != self.region);
        let facts = Facts {
            unreached: false,
            skewed: skew::is_suspicious(self.shared.skew.seconds() - self.skew_seconds),
            temporary_keys: self
                .credentials
                .as_ref()
                .is_some_and(|keys| keys.session_token.is_some() || keys.proof == Proof::Bearer),
            region_named: region.is_some(),
        };
        Setback { error, facts, retry_after: retry::retry_after(headers), region }
    }

    fn check_integrity(&self, protection: Protection, headers: &HeaderMap) -> Result<(), Error> {
        checksum::check_echo(self.digests.checksum.as_ref(), headers)
            .map_err(|error| error.with_status(200))?;
        // A store that says nothing of a checksum behind the body may have taken the frames for data.
        if protection.chunks != Chunks::None && checksum::echo(protection.algorithm, headers).is_none() {
            return Err(unconfirmed_trailer());
        }
        Ok(())
    }

    /// One that was asked for is not given up, but may be sent ahead of the body instead of behind it.
    fn uses_checksum(&self) -> bool {
        match self.payload() {
            _ if self.call.request.checksum != RequestChecksum::Usual => {
                self.protection().chunks != Chunks::None
            }
            Payload::Document => false,
            Payload::Upload | Payload::UploadWithCopies => self.method.is_crc(),
            Payload::Object => self.method != Method::None,
        }
    }

    /// Time since the start in which nothing moved.
    fn idle(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.moving)
    }
    /// The time-outs of one attempt end with the deadline of the whole.
    fn deadlines_left(&self) -> Deadlines {
        let left = self.deadlines.total_without_progress.saturating_sub(self.idle());
        let response_header = self.deadlines.response_header.min(left);
        Deadlines {
            response_header,
            connect: self.deadlines.connect.min(left - response_header),
            ..self.deadlines
        }
    }
    fn count_request(&self) {
        self.shared.counters.requests.fetch_add(1, Ordering::Relaxed);
        metrics::REQUESTS.add(self.call.name, 1);
    }
    fn count_sent(&self, bytes: u64) {
        self.shared.counters.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
        metrics::BYTES_SENT.add(bytes);
    }
}

/// Bytes that a reply's body must have.
fn promised_length(verb: &Verb, status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    if *verb == Verb::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return None;
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
