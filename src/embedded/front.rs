//! Between HTTP and `s3s`: every request passes the fault rules, waits as long as a distant store would take, and
//! is logged; every reply gets the ids of a service and suffers what the faults have in store for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use s3s::service::S3Service;
use s3s::{S3Error, S3ErrorCode, StdError};

use super::admin;
use super::api::{Ignored, Required, Written, check_document, finish, token_after, wrong_region};
use super::body::{Dropped, Reply, Upload};
use super::faults::{Action, EtagSpelling, Faults, When};
use super::form::read_ahead;
use super::log::{Log, Record};
use super::operation::{self, Query, Target};
use super::storage::refusal::Refusal;
use super::wire::Control;

pub struct Front {
    pub service: S3Service,
    pub faults: Faults,
    pub log: Log,
    pub latency: Duration,
    pub region: String,
}

/// What happens to one request.
struct Story {
    target: Target,
    record: Record,
    actions: Vec<(u64, Action)>,
    control: Control,
}

type Answer = Response<s3s::Body>;

impl Front {
    pub async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        control: Control,
    ) -> Result<Response<Reply>, StdError> {
        if let Some(path) = request.uri().path().strip_prefix(admin::PATH) {
            let path = path.to_owned();
            let answer = admin::answer(&self.faults, &self.log, &path, request).await;
            return Ok(answer.map(|body| Reply::unlogged(body.into(), control)));
        }
        let target = operation::target(request.method(), request.uri(), request.headers());
        let record = self.log.begin(&target, request.uri(), request.headers());
        let actions = self.faults.strike(&target);
        actions.iter().for_each(|(number, _)| record.fault(*number));
        let story = Story { target, record, actions, control };
        self.tell(request, story).await
    }

    async fn tell(&self, request: Request<Incoming>, story: Story) -> Result<Response<Reply>, StdError> {
        tokio::time::sleep(self.latency + story.delay()).await;
        let uri = request.uri().clone();
        let expects = request.headers().contains_key(header::EXPECT);
        let empty = request.body().is_end_stream();
        let before = match story.refusal(request.headers()) {
            None => story.verdict(When::Before, &uri).await?,
            refusal => refusal,
        };
        let mut answer = match before {
            Some(answer) => answer,
            None => self.serve(request, &story).await?,
        };
        if let Some(instead) = story.verdict(When::After, &uri).await? {
            answer = instead;
        }
        story.dress(&mut answer);
        // A body that was held back is not taken any more: what comes next on this connection could be either.
        if expects && (empty || answer.status().as_u16() >= 300) {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let error = error_code(&answer);
        story.record.answered(answer.status(), error);
        let Story { record, actions, control, .. } = story;
        Ok(answer.map(|body| Reply::new(body, record, &actions, control)))
    }

    async fn serve(&self, request: Request<Incoming>, story: &Story) -> Result<Answer, StdError> {
        if let Some(refusal) = too_long_lived(&request) {
            return refuse(refusal);
        }
        if let Some(answer) = wrong_region(&self.region, request.headers(), request.uri()) {
            return Ok(answer);
        }
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(story.ignored());
        parts.extensions.insert(story.target.clone());
        let upload = Upload::new(body, story.record.clone(), &story.actions, story.control.clone());
        let body = match document(story.target.operation) {
            None if story.target.operation == "PostObject" => {
                let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                match read_ahead(kind.unwrap_or_default(), upload).await? {
                    Ok((form, body)) => {
                        parts.extensions.insert(form);
                        s3s::Body::http_body(body)
                    }
                    Err(refusal) => return refuse(refusal),
                }
            }
            None => s3s::Body::http_body(upload),
            Some(required) => match collect(upload, &parts.headers, required).await? {
                Ok(bytes) => {
                    parts.extensions.insert(Written(bytes.clone()));
                    s3s::Body::from(bytes)
                }
                Err(refusal) => return refuse(refusal),
            },
        };
        let answer = self.service.call(Request::from_parts(parts, body)).await.map_err(StdError::from)?;
        Ok(finish(story.target.operation, answer))
    }
}

/// Operations whose bodies `s3s` parses, and whether S3 wants a digest of them.
fn document(operation: &str) -> Option<Required> {
    match operation {
        "DeleteObjects"
        | "PutBucketProtectionConfiguration"
        | "PutBucketReplicationReattempt"
        | "PutObjectLegalHold"
        | "PutObjectLockConfiguration"
        | "PutObjectRetention"
        | "UpdateObjectEncryption" => Some(Required::Yes),
        "CreateBucket" | "PutBucketAbac" | "PutBucketVersioning" | "PutObjectAcl" | "PutObjectTagging" => {
            Some(Required::No)
        }
        name if name.contains("BucketMetadata") => Some(Required::No),
        put => operation::SETTINGS.iter().any(|setting| setting.put == put).then_some(Required::No),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>: up to 2 MB.
const DOCUMENT_BYTES_MAX: usize = 2 << 20;

async fn collect(
    upload: Upload<Incoming>,
    headers: &HeaderMap,
    required: Required,
) -> Result<Result<Bytes, Refusal>, StdError> {
    let bytes = match Limited::new(upload, DOCUMENT_BYTES_MAX).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let message = "Your request was too big.";
            return Ok(Err(Refusal::new(400, "MaxMessageLengthExceeded", message)));
        }
        Err(error) => return Err(error),
    };
    Ok(check_document(headers, &bytes, required).map(|()| bytes))
}

fn refuse(refusal: Refusal) -> Result<Answer, StdError> {
    Ok(S3Error::from(refusal).to_http_response().map_err(Box::new)?)
}

/// A presigned URL lives a week at most; `s3s` has no limit.
fn too_long_lived<B>(request: &Request<B>) -> Option<Refusal> {
    let expires = Query(request.uri().query()?).get("X-Amz-Expires")?;
    let lives = expires.parse::<u64>().is_ok_and(|seconds| (1..=604_800).contains(&seconds));
    let message = "X-Amz-Expires must be between 1 and 604800 seconds (a week)";
    (!lives).then(|| Refusal::new(400, "AuthorizationQueryParametersError", message))
}

/// The `Code` of an error document.
fn error_code(answer: &Answer) -> Option<String> {
    if answer.status().as_u16() < 400 {
        return None;
    }
    let bytes = answer.body().bytes()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code.to_owned())
}

impl Story {
    fn actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().map(|(_, action)| action)
    }

    fn delay(&self) -> Duration {
        let delays = self.actions().map(|action| match action {
            Action::Delay { milliseconds } => Duration::from_millis(*milliseconds),
            _ => Duration::ZERO,
        });
        delays.sum()
    }

    fn ignored(&self) -> Ignored {
        Ignored {
            conditions: self.actions().any(|action| *action == Action::IgnoreConditions),
            range: self.actions().any(|action| *action == Action::IgnoreRange),
            last_slash: self.actions().any(|action| *action == Action::TakeMarkers),
        }
    }

    /// What a store answers that does not know the checksums of today.
    fn refusal(&self, headers: &HeaderMap) -> Option<Answer> {
        let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let chunked = of("x-amz-content-sha256").starts_with("STREAMING-");
        let checked = headers.keys().any(|name| {
            name.as_str().starts_with("x-amz-checksum-") && name.as_str() != "x-amz-checksum-mode"
        });
        self.actions().find_map(|action| match action {
            Action::RefuseChecksums { status, code, chunked_only } if chunked || checked && !chunked_only => {
                Some(error_answer(*status, code, 0, &[]))
            }
            _ => None,
        })
    }

    /// The answer that a fault gives in the server's stead, at this point of the request.
    async fn verdict(&self, now: When, uri: &http::Uri) -> Result<Option<Answer>, StdError> {
        for action in self.actions() {
            match action {
                Action::Drop { when, ending } if *when == now => {
                    self.control.end(*ending);
                    return Err(Box::new(Dropped));
                }
                Action::Silence { when } if *when == now => std::future::pending().await,
                Action::Status { status, code, headers, when } if *when == now => {
                    return Ok(Some(error_answer(*status, code, 0, headers)));
                }
                Action::ErrorIn200 { code, blanks, when } if *when == now => {
                    return Ok(Some(error_answer(200, code, *blanks, &[])));
                }
                Action::EmptyPage if now == When::Before => return Ok(Some(empty_page(uri))),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Ids and server name, then what faults do to the head.
    fn dress(&self, answer: &mut Answer) {
        let id = format!("{:016X}", fastrand::u64(..));
        set(answer.headers_mut(), "x-amz-id-2", &format!("holdfs/{id}"));
        set(answer.headers_mut(), "x-amz-request-id", &id);
        set(answer.headers_mut(), "server", "holdfs");
        for action in self.actions() {
            match action {
                Action::ReplaceBody { body } => {
                    answer.headers_mut().remove(header::CONTENT_LENGTH);
                    *answer.body_mut() = s3s::Body::from(body.clone());
                }
                Action::Headers { set: changes } => {
                    changes
                        .iter()
                        .for_each(|(name, value)| change(answer.headers_mut(), name, value.as_deref()));
                }
                Action::RepeatHeader { name, value } => repeat(answer.headers_mut(), name, value),
                Action::Etags { spelling } => respell(answer.headers_mut(), *spelling),
                _ => {}
            }
        }
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn change(headers: &mut HeaderMap, name: &str, value: Option<&str>) {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        return;
    };
    match value.map(HeaderValue::from_str) {
        None => {
            headers.remove(name);
        }
        Some(Ok(value)) => {
            headers.insert(name, value);
        }
        Some(Err(_)) => {}
    }
}

fn repeat(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        headers.append(name, value);
    }
}

fn respell(headers: &mut HeaderMap, spelling: EtagSpelling) {
    let etag = headers.get(header::ETAG).and_then(|etag| etag.to_str().ok());
    let spelled = etag.map(|etag| match spelling {
        EtagSpelling::Weak => format!("W/{etag}"),
        EtagSpelling::Bare => etag.trim_matches('"').to_owned(),
    });
    change(headers, "etag", spelled.as_deref());
}

fn error_answer(status: u16, code: &str, blanks: usize, headers: &[(String, String)]) -> Answer {
    let error = S3Error::with_message(S3ErrorCode::Custom(code.into()), "A fault of the embedded server.");
    let document = error.to_http_response().ok().and_then(|answer| answer.body().bytes()).unwrap_or_default();
    let body = [" ".repeat(blanks).into_bytes(), document.to_vec()].concat();
    let mut answer = Response::new(s3s::Body::from(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    change(answer.headers_mut(), "content-type", Some("application/xml"));
    headers.iter().for_each(|(name, value)| change(answer.headers_mut(), name, Some(value)));
    answer
}

/// Nothing, but more to come: the next page begins where this one did.
fn empty_page(uri: &http::Uri) -> Answer {
    let query = Query(uri.query().unwrap_or_default());
    let token = match (query.get("continuation-token"), query.get("start-after")) {
        (Some(token), _) => token.to_owned(),
        (None, Some(key)) => token_after(&percent_decode_str(key).collect::<Vec<u8>>()),
        // No key comes before it.
        (None, None) => token_after(b"\0"),
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><KeyCount>0</KeyCount>\
         <IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>"
    );
    let mut answer = Response::new(s3s::Body::from(body));
    change(answer.headers_mut(), "content-type", Some("application/xml"));
    answer
}
