//! `Client::send`: encode, sign, transport, judge, retry, decode. What all clones of a client share is here; what
//! one operation goes through is in `exchange`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use http::header::HOST;
use http::{HeaderName, HeaderValue};

use super::credentials::{Credentials, Proof};
use super::dialect::{Dialect, Vendor};
use super::endpoint::{self, Address, DEFAULT_REGION, Endpoint, Purpose};
use super::envelope;
use super::exchange;
use super::heed::{self, Care, Question};
use super::operation::{Request, RequestChecksum};
use super::ops::{CustomerKeys, HeadBucket, lambda};
use super::pace::Pace;
use super::post::{PostForm, PostPolicy};
use super::region::Regions;
use super::session::{self, Sessions};
use super::sign::key::KeyCache;
use super::sign::{Signer, presign};
use super::skew::Skew;
use super::transport::http::HttpTransport;
use super::transport::{Transport, Watch};
use super::{Config, Deadlines, Error, ErrorKind, Limits, Operation, names};
use crate::base::checksum::Algorithm;
use crate::base::tasks::Stop;

/// Cheap to clone; all clones share the connection pool, credentials, learnt regions, skew and rate.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    deadlines: Deadlines,
    watch: Option<Watch>,
    stop: Option<Stop>,
    customer: CustomerKeys,
    checksum: Option<Algorithm>,
}

pub(super) struct Shared {
    pub config: Config,
    pub endpoint: Endpoint,
    name: String,
    pub user_agent: HeaderValue,
    pub transport: Box<dyn Transport>,
    pub regions: Regions,
    pub sessions: Sessions,
    pub skew: Skew,
    pub pace: Pace,
    pub keys: KeyCache,
    pub dialect: Dialect,
    pub counters: Arc<Counters>,
}

#[derive(Default)]
pub(super) struct Counters {
    pub requests: AtomicU64,
    pub retries: AtomicU64,
    pub throttled: AtomicU64,
    pub bytes_sent: AtomicU64,
    pub bytes_received: AtomicU64,
}

/// What a client has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Attempts included.
    pub requests: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Replies that asked to slow down.
    pub throttled: u64,
    /// Bytes of request bodies.
    pub bytes_sent: u64,
    /// Bytes of reply bodies.
    pub bytes_received: u64,
}

impl Client {
    /// Fails on what can be told without the network: a bad endpoint, an unreadable certificate file.
    pub fn new(config: Config) -> Result<Self, Error> {
        let endpoint = Endpoint::of(&config)?;
        let transport = HttpTransport::new(&config, endpoint.scheme)?;
        Self::over(Box::new(transport), endpoint, config)
    }
    pub(super) fn over(
        transport: Box<dyn Transport>,
        endpoint: Endpoint,
        config: Config,
    ) -> Result<Self, Error> {
        let user_agent = HeaderValue::from_str(&config.user_agent)
            .map_err(|_| Error::invalid("the user agent has characters that no header can carry"))?;
        let region = config.region.as_deref().map(|region| endpoint.plain_region(region).to_owned());
        let config = Config { region, ..config };
        let deadlines = config.deadlines;
        let shared = Shared {
            name: endpoint.to_string(),
            dialect: Dialect::new(config.checksum_mode),
            endpoint,
            user_agent,
            transport,
            regions: Regions::default(),
            sessions: Sessions::default(),
            skew: Skew::default(),
            pace: Pace::default(),
            keys: KeyCache::default(),
            counters: Arc::default(),
            config,
        };
        Ok(Self {
            shared: Arc::new(shared),
            deadlines,
            watch: None,
            stop: None,
            customer: CustomerKeys::default(),
            checksum: None,
        })
    }

    /// Sends one operation and retries it by class of failure until it succeeds, fails for good or its deadline
    /// passes.
    pub async fn send<O: Operation>(&self, operation: &O) -> Result<O::Output, Error> {
        let request = self.prepare(operation)?;
        self.take_care(&request).await.map_err(|error| error.about(O::NAME, &resource_of(&request)))?;
        let was_unknown = self.dialect().vendor() == Vendor::Unknown;
        let output = self.exchange(operation, &request).await?;
        if was_unknown && self.dialect().misunderstands(&request) {
            return self.exchange(operation, &self.prepare(operation)?).await;
        }
        Ok(output)
    }

    /// Spares a store what it would misunderstand.
    async fn take_care(&self, request: &Request) -> Result<(), Error> {
        match heed::care(request) {
            Care::Nothing => Ok(()),
            _ if self.heeds_everything() => Ok(()),
            Care::Asked(question) => {
                let asked = self.prepare(&question)?;
                let answer = self.exchange(&question, &asked).await;
                if self.heeds_everything() { Ok(()) } else { Question::is_heeded(answer) }
            }
            Care::Known { subresource, otherwise } => {
                // The headers of any answer tell the make.
                let bucket = HeadBucket { bucket: request.bucket.clone().unwrap_or_default() };
                let asked = self.prepare(&bucket)?;
                match self.exchange(&bucket, &asked).await {
                    _ if self.heeds_everything() => Ok(()),
                    Err(error) if error.status() == 0 => Err(error),
                    _ => Err(heed::refuse(subresource, otherwise)),
                }
            }
        }
    }

    fn heeds_everything(&self) -> bool {
        self.shared.endpoint.is_aws() || matches!(self.dialect().vendor(), Vendor::Aws | Vendor::Holdfs)
    }

    async fn exchange<O: Operation>(&self, operation: &O, request: &Request) -> Result<O::Output, Error> {
        let done = exchange::perform(&self.shared, self.deadlines, operation, request, self.watch.as_ref());
        done.await.or_else(|error| operation.recover(&error).ok_or(error))
    }

    /// The same client, whose operations give up after this long without progress.
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        let deadlines = Deadlines { total_without_progress: deadline, ..self.deadlines };
        Self { deadlines, ..self.clone() }
    }

    /// The same client, whose requests tell `watch` of every frame of a body that the socket takes.
    pub fn watched_by(&self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..self.clone() }
    }

    /// The same client, whose managed transfers end when `stop` asks: what they have begun in parts is aborted at the
    /// store before they fail. Single requests go on to their end.
    pub fn stopped_by(&self, stop: Stop) -> Self {
        Self { stop: Some(stop), ..self.clone() }
    }

    /// The same client, whose reads and writes of objects carry a customer's own keys (SSE-C). Only over TLS.
    pub fn with_customer_keys(&self, customer: CustomerKeys) -> Self {
        Self { customer, ..self.clone() }
    }

    /// The same client, whose writes of objects (PutObject, uploads in parts, copies) go with a checksum of this
    /// algorithm, which the store checks and keeps, instead of the usual one. A store that does not know it refuses.
    pub fn with_checksum(&self, algorithm: Option<Algorithm>) -> Self {
        Self { checksum: algorithm, ..self.clone() }
    }

    /// What [`Client::with_checksum`] was given.
    pub fn checksum(&self) -> Option<Algorithm> {
        self.checksum
    }

    /// The same client, whose own key of a customer is also that of what it copies from: an object that is made of
    /// itself.
    pub fn with_one_customer_key(&self) -> Self {
        let own = self.customer.own.clone();
        self.with_customer_keys(CustomerKeys { source: own.clone(), own })
    }

    /// The same client as it reads what it copies from.
    pub fn at_source(&self) -> Self {
        self.with_customer_keys(CustomerKeys { own: self.customer.source.clone(), source: None })
    }

    /// The same client, which is stopped together with `other`.
    pub fn stopped_with(&self, other: &Self) -> Self {
        Self { stop: other.stop.clone(), ..self.clone() }
    }

    /// Whether [`Client::stopped_by`]'s stop was asked for.
    pub fn is_stopped(&self) -> bool {
        self.stop.clone().is_some_and(|mut stop| stop.asked().now_or_never().is_some())
    }

    /// `work`, or `ErrorKind::Source` when the client is asked to stop before it is done.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(mut stop) = self.stop.clone() else { return work.await };
        tokio::select! {
            done = work => done,
            () = stop.asked() => Err(Error::new(ErrorKind::Source, "It was interrupted.")),
        }
    }

    /// A URL that lets its bearer do this operation until it expires: between one second and seven days. Headers
    /// that the operation sets are signed: the bearer must send them as they are.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use holdfs::s3::ops::{CreateBucket, GetObject, PutObject};
    /// # use holdfs::s3::{Client, Config, Credentials, Provider};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = holdfs::embedded::Server::start(holdfs::embedded::Options::default()).await?;
    /// # let pair = server.key_pair();
    /// # let keys = Credentials::new(&pair.access_key, pair.secret_key.clone());
    /// # let config = Config { endpoint: Some(server.endpoint()), ..Config::new(Provider::fixed(keys)) };
    /// # let client = Client::new(config)?;
    /// # client.send(&CreateBucket { bucket: "photos".into(), ..CreateBucket::default() }).await?;
    /// # let _ = rustls::crypto::ring::default_provider().install_default();
    /// let web = reqwest::Client::new();
    /// let put = PutObject::new("photos", "a.txt", "");
    /// let url = client.presign(&put, Duration::from_secs(60)).await?;
    /// let upload = web.put(url).header("content-length", 5).body("hello");
    /// assert!(upload.send().await?.status().is_success());
    ///
    /// let get = GetObject { bucket: "photos".into(), key: "a.txt".into(), ..GetObject::default() };
    /// let url = client.presign(&get, Duration::from_secs(60)).await?;
    /// assert_eq!(web.get(url).send().await?.text().await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn presign<O: Operation>(&self, operation: &O, expires: Duration) -> Result<String, Error> {
        let request = self.encode(operation)?;
        let about = |error: Error| error.about(O::NAME, &resource_of(&request));
        let region = self.shared.region_of(request.bucket.as_deref());
        let address = self.shared.address(&request, &region).map_err(about)?;
        let query = match self.shared.credentials_for(&request, self.deadlines).await.map_err(about)? {
            None => envelope::query_of(&request),
            Some(credentials) if credentials.proof == Proof::Bearer => {
                let why =
                    "a URL cannot be signed with a bearer token: use HMAC keys of the service credentials";
                return Err(about(Error::invalid(why)));
            }
            Some(credentials) => {
                let mut headers = request.headers.clone();
                let host = HeaderValue::from_str(&address.authority)
                    .map_err(|_| Error::new(ErrorKind::Bug, "the host cannot be written into a header"))?;
                headers.insert(HOST, host);
                let time = self.shared.skew.apply(self.shared.config.clock.wall());
                let target = presign::Target {
                    method: &request.method,
                    path: &address.path,
                    query: &request.query,
                    headers: &headers,
                    payload_hash: envelope::UNSIGNED,
                };
                presign::sign(&self.shared.signer(&credentials, &address, time), &target, expires)
                    .map_err(about)?
            }
        };
        let separator = if query.is_empty() { "" } else { "?" };
        Ok(format!("{}://{}{}{separator}{query}", address.scheme.name(), address.authority, address.path))
    }

    /// A form that lets a browser without keys upload one object, as the policy allows.
    pub async fn presign_post(&self, policy: &PostPolicy) -> Result<PostForm, Error> {
        let request = self.encode(&HeadBucket { bucket: policy.bucket.clone() })?;
        let about = |error: Error| error.about("PostObject", &resource_of(&request));
        let region = self.shared.region_of(request.bucket.as_deref());
        let address = self.shared.address(&request, &region).map_err(about)?;
        let credentials = self.shared.config.credentials.credentials().await.map_err(about)?;
        let Some(credentials) = credentials.filter(|keys| keys.proof != Proof::Bearer) else {
            let why = "a form must be signed: it needs an access key and a secret key";
            return Err(about(Error::new(ErrorKind::NoCredentials, why)));
        };
        let time = self.shared.skew.apply(self.shared.config.clock.wall());
        let fields = policy.sign(&self.shared.signer(&credentials, &address, time)).map_err(about)?;
        let url = format!("{}://{}{}", address.scheme.name(), address.authority, address.path);
        Ok(PostForm { url, fields })
    }

    /// What it and its clones have done so far.
    pub fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        Stats {
            requests: read(&counters.requests),
            retries: read(&counters.retries),
            throttled: read(&counters.throttled),
            bytes_sent: read(&counters.bytes_sent),
            bytes_received: read(&counters.bytes_received),
        }
    }
    /// What the store accepts.
    pub fn limits(&self) -> &Limits {
        &self.shared.config.limits
    }
    /// `scheme://host:port`, the port always given: names the store in state directories and messages.
    pub fn endpoint(&self) -> &str {
        &self.shared.name
    }
    /// Requests a second that a store which said "slow down" gets; `None` while it has not.
    pub fn rate(&self) -> Option<f64> {
        self.shared.pace.rate()
    }
    /// Seconds by which the store's clock is ahead of ours, as its latest reply showed; 0 before the first.
    pub fn clock_skew_seconds(&self) -> i64 {
        self.shared.skew.seconds()
    }
    /// What the store has shown it can do.
    pub fn dialect(&self) -> &Dialect {
        &self.shared.dialect
    }

    /// As it is sent; what is signed for others names no owner, or they would have to send that header, too.
    fn prepare<O: Operation>(&self, operation: &O) -> Result<Request, Error> {
        let mut request = self.encode(operation)?;
        self.shared.name_owner(&mut request)?;
        Ok(request)
    }

    fn encode<O: Operation>(&self, operation: &O) -> Result<Request, Error> {
        let mut request = operation.encode().map_err(|error| error.about(O::NAME, ""))?;
        self.customer.encode(O::NAME, &mut request.headers).map_err(|error| error.about(O::NAME, ""))?;
        if let Some(algorithm) = self.checksum
            && request.checksum == RequestChecksum::Usual
            && WITH_CHECKSUM.contains(&O::NAME)
        {
            request.checksum = RequestChecksum::Computed(algorithm);
        }
        self.shared.dialect.accommodate(&mut request);
        self.shared.name_service_instance(&mut request)?;
        let checked = match (&request.bucket, &request.key) {
            (Some(bucket), Some(key)) => {
                names::check_bucket(bucket).and_then(|()| names::check_key(key, self.limits()))
            }
            (Some(bucket), None) => names::check_bucket(bucket),
            (None, Some(_)) => Err(Error::new(ErrorKind::Bug, "a key without a bucket")),
            (None, None) => Ok(()),
        };
        checked.map_err(|error| error.about(O::NAME, &resource_of(&request)))?;
        Ok(request)
    }
}

/// Operations that write the bytes of objects.
const WITH_CHECKSUM: [&str; 4] = ["CopyObject", "CreateMultipartUpload", "PutObject", "UploadPart"];

const BUCKET_OWNER: HeaderName = HeaderName::from_static("x-amz-expected-bucket-owner");
const SOURCE_OWNER: HeaderName = HeaderName::from_static("x-amz-source-expected-bucket-owner");
const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const SERVICE_INSTANCE: HeaderName = HeaderName::from_static("ibm-service-instance-id");

/// Makes a bucket.
fn creates(request: &Request) -> bool {
    request.method == http::Method::PUT
        && request.bucket.is_some()
        && request.key.is_none()
        && request.query.is_empty()
}

/// `bucket/key`, as messages name what they are about.
pub(super) fn resource_of(request: &Request) -> String {
    match (&request.bucket, &request.key) {
        (Some(bucket), Some(key)) => format!("{bucket}/{key}"),
        (Some(bucket), None) => bucket.clone(),
        (None, _) => String::new(),
    }
}

impl Shared {
    /// Learnt, configured, read from the host's name, or the usual.
    pub fn region_of(&self, bucket: Option<&str>) -> String {
        bucket
            .and_then(|bucket| self.regions.of(bucket))
            .or_else(|| self.config.region.clone())
            .or_else(|| self.endpoint.region().map(str::to_owned))
            .unwrap_or_else(|| DEFAULT_REGION.to_owned())
    }
    /// IBM's accounts have many instances of the service: making and listing buckets must say in which.
    fn name_service_instance(&self, request: &mut Request) -> Result<(), Error> {
        let lists = request.bucket.is_none() && request.method == http::Method::GET;
        let Some(instance) = &self.config.service_instance_id else { return Ok(()) };
        if (lists || creates(request)) && !request.headers.contains_key(SERVICE_INSTANCE) {
            let value = HeaderValue::from_str(instance)
                .map_err(|_| Error::invalid("the id of the service instance cannot be sent in a header"))?;
            request.headers.insert(SERVICE_INSTANCE, value);
        }
        Ok(())
    }
    /// Whose bucket is meant, and whose source of a copy, where the operation does not say it itself.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>
    fn name_owner(&self, request: &mut Request) -> Result<(), Error> {
        let Some(owner) = &self.config.expected_bucket_owner else { return Ok(()) };
        if request.bucket.is_none() || creates(request) {
            return Ok(());
        }
        let value = HeaderValue::from_str(owner)
            .map_err(|_| Error::invalid("the account of the bucket's owner cannot be sent in a header"))?;
        request.headers.entry(BUCKET_OWNER).or_insert_with(|| value.clone());
        if request.headers.contains_key(COPY_SOURCE) {
            request.headers.entry(SOURCE_OWNER).or_insert(value);
        }
        Ok(())
    }
    pub fn signer<'a>(
        &'a self,
        credentials: &'a Credentials,
        address: &'a Address,
        time: SystemTime,
    ) -> Signer<'a> {
        let Address { region, service, signature, .. } = address;
        Signer { scheme: *signature, credentials, region, service, time, keys: &self.keys }
    }
    /// Whose name a request goes under: that of a session where a directory bucket wants one.
    pub async fn credentials_for(
        &self,
        request: &Request,
        deadlines: Deadlines,
    ) -> Result<Option<Arc<Credentials>>, Error> {
        let ours = self.config.credentials.credentials().await?;
        match (ours, session::bucket_of(request, self.config.aws_address)) {
            (Some(ours), Some(bucket)) if ours.proof == Proof::Signature => {
                self.sessions.credentials(self, bucket, &ours, deadlines).await.map(Some)
            }
            (ours, _) => Ok(ours),
        }
    }
    pub fn address(&self, request: &Request, region: &str) -> Result<Address, Error> {
        if let Some(route) = request.headers.get(lambda::ROUTE) {
            return self.endpoint.object_lambda(route.to_str().unwrap_or_default(), region);
        }
        self.endpoint.address(endpoint::Asked {
            bucket: request.bucket.as_deref(),
            key: request.key.as_deref(),
            region,
            purpose: purpose_of(request),
        })
    }
}

/// What decides where a request about a bucket goes.
pub(super) fn purpose_of(request: &Request) -> Purpose {
    let names = |wanted: &[&str]| request.query.iter().any(|(name, _)| wanted.contains(name));
    match request.method {
        _ if request.key.is_some() => Purpose::Data,
        _ if request.bucket.is_none() && names(&["max-directory-buckets"]) => Purpose::Control,
        _ if creates(request) || names(&["location"]) => Purpose::Make,
        http::Method::HEAD => Purpose::Data,
        http::Method::GET if request.query.is_empty() => Purpose::Data,
        _ if names(&["list-type", "uploads", "delete", "session", "prefix", "marker"]) => Purpose::Data,
        _ => Purpose::Control,
    }
}

#[cfg(test)]
mod corrections;
#[cfg(test)]
mod herd;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod uploads;
