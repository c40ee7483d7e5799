//! Who we are to the store, and where that comes from.
//!
//! A [`Provider`] hands out one frozen set of [`Credentials`] per request; the fields of two sets are never mixed.
//! Sets that expire are renewed ahead of time: in the last quarter of their life by one caller while the others go
//! on with the old ones, in the last sixth (or when the store calls them expired) by one caller while all wait.
//! Looking for credentials takes seconds at most: a missing metadata service must not hang a mount.
//!
//! [`Chain`] asks the standard places in their order and keeps to the first that answered; `way` is how a profile
//! gets its keys. Each other module is one kind of [`Source`] or one kind of file.
//!
//! ```
//! use holdfs::s3::credentials::{Environment, Fetching, Source};
//! use holdfs::s3::{Credentials, ErrorKind, Provider};
//! use holdfs::base::clock::Clock;
//! use holdfs::base::secret::Secret;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The standard places of this process, or of an environment of one's own.
//! let usual = Provider::standard(None);
//! let variables = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("HOME", "/nowhere")];
//! let environment: Environment =
//!     variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
//! let chain = Provider::standard_in(environment.clone(), None);
//! assert_eq!(chain.credentials().await?.expect("keys").access_key, "AKID");
//!
//! // A profile by name switches all other places off.
//! let chain = Provider::standard_in(environment, Some("work"));
//! assert_eq!(chain.credentials().await.map(drop).unwrap_err().kind(), ErrorKind::NoCredentials);
//!
//! // A place of one's own: asked again ahead of the end of what it gave.
//! struct Vault;
//! impl Source for Vault {
//!     fn fetch(&self) -> Fetching<'_> {
//!         Box::pin(async { Ok(Credentials::new("AKIDVAULT", Secret::new("from the vault"))) })
//!     }
//! }
//! let provider = Provider::from_source(Vault, Clock::system());
//! assert_eq!(provider.credentials().await?.expect("keys").access_key, "AKIDVAULT");
//! # drop(usual);
//! # Ok(())
//! # }
//! ```

mod chain;
mod container;
mod dpop;
pub mod environment;
pub mod federated;
mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod ibm;
mod instance;
mod legacy;
pub mod login;
pub mod minio;
pub mod process;
pub mod profile;
pub mod role;
#[cfg(test)]
mod silence;
pub mod sso;
#[cfg(test)]
mod sso_flow;
pub mod sts;
mod way;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;

use super::{Error, ErrorKind};
use crate::base::clock::Clock;
use crate::base::secret::Secret;

pub use chain::Chain;
pub use environment::Environment;
pub use fetch::Reach;

/// One set of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Empty for a bearer token.
    pub access_key: String,
    /// What signs; of a bearer the token itself.
    pub secret_key: Secret,
    /// Comes with keys that expire, and is sent with every request.
    pub session_token: Option<Secret>,
    /// `None` for those that live until they are withdrawn.
    pub expires: Option<SystemTime>,
    /// How they are used.
    pub proof: Proof,
}

/// How a request proves who sends it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Signature Version 4.
    #[default]
    Signature,
    /// The same with the keys of a directory bucket's session, whose token has a name of its own.
    Session,
    /// The secret key is a token that is sent as it is, over TLS only.
    Bearer,
}

impl Credentials {
    /// A pair that lives until it is withdrawn.
    pub fn new(access_key: impl Into<String>, secret_key: Secret) -> Self {
        let (access_key, proof) = (access_key.into(), Proof::Signature);
        Self { access_key, secret_key, session_token: None, expires: None, proof }
    }
    /// A token that is sent instead of a signature (IBM).
    pub fn bearer(token: Secret) -> Self {
        Self { proof: Proof::Bearer, ..Self::new("", token) }
    }
}

/// Credentials on their way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Credentials, Error>> + Send + 'a>>;

/// A place that has credentials.
pub trait Source: Send + Sync {
    /// Asks the place; within seconds, for requests wait. `NoCredentials` where it has none, `Credentials` where it
    /// should have some and has not.
    fn fetch(&self) -> Fetching<'_>;
}

/// Where credentials come from. Cheap to clone; clones share what was fetched.
#[derive(Clone)]
pub struct Provider(Kind);

#[derive(Clone)]
enum Kind {
    Anonymous,
    Fixed(Arc<Credentials>),
    Renewed(Arc<Renewed>),
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Anonymous => "anonymous",
            Kind::Fixed(_) => "fixed",
            Kind::Renewed(_) => "renewed",
        })
    }
}

impl Provider {
    /// Always these.
    pub fn fixed(credentials: Credentials) -> Self {
        Self(Kind::Fixed(Arc::new(credentials)))
    }
    /// Requests go unsigned.
    pub fn anonymous() -> Self {
        Self(Kind::Anonymous)
    }
    /// The standard places in their order: environment, profile files, files of other tools, container, instance
    /// metadata. A profile that is named here switches all others off.
    pub fn standard(profile: Option<&str>) -> Self {
        Self::standard_in(Environment::process(), profile)
    }
    /// The same in an environment of one's own, such as one that was [told](Environment::told) more.
    pub fn standard_in(environment: Environment, profile: Option<&str>) -> Self {
        Self::from_source(Chain::new(environment, profile), Clock::system())
    }
    /// Keys of a source, kept and renewed ahead of their end by `clock`.
    pub fn from_source(source: impl Source + 'static, clock: Clock) -> Self {
        Self(Kind::Renewed(Arc::new(Renewed::new(Box::new(source), clock))))
    }
    /// The keys to sign the next request with; `None` when anonymous.
    pub async fn credentials(&self) -> Result<Option<Arc<Credentials>>, Error> {
        match &self.0 {
            Kind::Anonymous => Ok(None),
            Kind::Fixed(credentials) => Ok(Some(credentials.clone())),
            Kind::Renewed(renewed) => renewed.current().await.map(Some),
        }
    }
    /// The store called these keys expired: fetch others, unless somebody did so already.
    pub async fn renew(&self, expired: Option<&Credentials>) -> Result<(), Error> {
        match &self.0 {
            Kind::Renewed(renewed) => renewed.replace(expired).await,
            Kind::Anonymous | Kind::Fixed(_) => {
                Err(Error::new(ErrorKind::Credentials, "these keys were given and cannot be renewed"))
            }
        }
    }
}

/// A source with what it gave last.
struct Renewed {
    source: Box<dyn Source>,
    clock: Clock,
    latest: RwLock<Option<Latest>>,
    /// Held by the one who fetches.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Latest {
    credentials: Arc<Credentials>,
    fetched: SystemTime,
    /// After a renewal ahead of time failed: not before this.
    next_try: SystemTime,
}

/// How urgent a renewal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    None,
    /// Somebody should, nobody has to wait.
    Advisory,
    /// Before the next request.
    Mandatory,
}

const ADVISORY_MAX: Duration = Duration::from_secs(15 * 60);
const MANDATORY_MAX: Duration = Duration::from_secs(10 * 60);
const RETRY_ADVISORY_AFTER: Duration = Duration::from_secs(10);
/// For a source that has no limit of its own; the longest that has one is a command that asks people for a code.
const FETCH_MAX: Duration = Duration::from_secs(90);

/// `life` is from fetch to expiry, `left` what remains of it.
fn need(life: Duration, left: Duration) -> Need {
    if left <= MANDATORY_MAX.min(life / 6) {
        Need::Mandatory
    } else if left <= ADVISORY_MAX.min(life / 4) {
        Need::Advisory
    } else {
        Need::None
    }
}

impl Renewed {
    fn new(source: Box<dyn Source>, clock: Clock) -> Self {
        Self { source, clock, latest: RwLock::new(None), turn: tokio::sync::Mutex::new(()) }
    }

    async fn current(&self) -> Result<Arc<Credentials>, Error> {
        let latest = self.latest.read().clone();
        let Some(latest) = latest else { return self.fetch_unless(Option::is_some).await };
        match self.need_of(&latest) {
            Need::None => {}
            Need::Advisory => {
                // The others go on with the old keys while one fetches.
                if let Ok(_turn) = self.turn.try_lock()
                    && let Err(error) = self.fetch().await
                {
                    self.postpone(&error);
                }
            }
            Need::Mandatory => return self.replace_expiring().await,
        }
        Ok(self.latest.read().as_ref().map_or(latest.credentials, |latest| latest.credentials.clone()))
    }
    fn need_of(&self, latest: &Latest) -> Need {
        let Some(expires) = latest.credentials.expires else { return Need::None };
        let now = self.clock.wall();
        let life = expires.duration_since(latest.fetched).unwrap_or_default();
        let left = expires.duration_since(now).unwrap_or_default();
        match need(life, left) {
            Need::Advisory if now < latest.next_try => Need::None,
            need => need,
        }
    }
    async fn replace_expiring(&self) -> Result<Arc<Credentials>, Error> {
        let fresh = |latest: &Option<Latest>| {
            latest.as_ref().is_some_and(|latest| self.need_of(latest) < Need::Mandatory)
        };
        match self.fetch_unless(fresh).await {
            Err(error) => self.still_valid().ok_or(error),
            renewed => renewed,
        }
    }
    /// Keys in their last minutes are better than none.
    fn still_valid(&self) -> Option<Arc<Credentials>> {
        let now = self.clock.wall();
        let latest = self.latest.read().clone()?;
        latest.credentials.expires.is_none_or(|expires| expires > now).then_some(latest.credentials)
    }
    async fn replace(&self, expired: Option<&Credentials>) -> Result<(), Error> {
        let others = |latest: &Option<Latest>| {
            latest.as_ref().is_some_and(|latest| Some(latest.credentials.as_ref()) != expired)
        };
        self.fetch_unless(others).await.map(|_| ())
    }
    /// Single flight: who waited for the turn looks first whether it still has to.
    async fn fetch_unless(&self, done: impl Fn(&Option<Latest>) -> bool) -> Result<Arc<Credentials>, Error> {
        let _turn = self.turn.lock().await;
        let latest = self.latest.read().clone();
        match latest {
            Some(current) if done(&Some(current.clone())) => Ok(current.credentials),
            _ => self.fetch().await,
        }
    }
    async fn fetch(&self) -> Result<Arc<Credentials>, Error> {
        let found = tokio::time::timeout(FETCH_MAX, self.source.fetch()).await.unwrap_or_else(|_| {
            let message = format!("credentials did not come within {} s", FETCH_MAX.as_secs());
            Err(Error::new(ErrorKind::TimedOut, message))
        });
        let credentials = Arc::new(found?);
        let now = self.clock.wall();
        if credentials.expires.is_some_and(|expires| expires <= now) {
            return Err(Error::new(
                ErrorKind::Credentials,
                "the credentials that were found have already expired",
            ));
        }
        let latest = Latest { credentials: credentials.clone(), fetched: now, next_try: now };
        *self.latest.write() = Some(latest);
        Ok(credentials)
    }
    fn postpone(&self, error: &Error) {
        tracing::warn!("credentials could not be renewed ahead of time: {error}");
        if let Some(latest) = self.latest.write().as_mut() {
            latest.next_try = self.clock.wall() + RETRY_ADVISORY_AFTER;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A secret that [`assert_silent`] knows.
    pub fn canary(text: &str) -> Secret {
        Secret::new(format!("canary-{text}"))
    }
    pub fn assert_silent(shown: &impl fmt::Debug) {
        let text = format!("{shown:?} {shown:#?}");
        assert!(!text.contains("canary"), "{text}");
    }

    /// Numbered keys that live for `life`; fails while `broken`.
    struct Numbered {
        clock: Clock,
        life: Duration,
        fetched: Arc<AtomicU32>,
        broken: Arc<std::sync::atomic::AtomicBool>,
    }

    impl Source for Numbered {
        fn fetch(&self) -> Fetching<'_> {
            Box::pin(async move {
                let number = self.fetched.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(10)).await;
                if self.broken.load(Ordering::SeqCst) {
                    return Err(Error::new(ErrorKind::Unavailable, "no metadata service"));
                }
                let expires = Some(self.clock.wall() + self.life);
                Ok(Credentials { expires, ..Credentials::new(format!("key{number}"), Secret::new("s")) })
            })
        }
    }

    fn numbered(life_seconds: u64) -> (Provider, Clock, Arc<AtomicU32>, Arc<std::sync::atomic::AtomicBool>) {
        let (clock, fetched) = (Clock::manual(), Arc::new(AtomicU32::new(0)));
        let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let life = Duration::from_secs(life_seconds);
        let source =
            Numbered { clock: clock.clone(), life, fetched: fetched.clone(), broken: broken.clone() };
        (Provider::from_source(source, clock.clone()), clock, fetched, broken)
    }

    async fn key(provider: &Provider) -> String {
        provider.credentials().await.expect("keys").expect("not anonymous").access_key.clone()
    }

    #[test]
    fn renewal_is_due_by_parts_of_a_life_and_at_most_minutes_ahead() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        for (life, left, expected) in [
            (minutes(360), minutes(16), Need::None),
            (minutes(360), minutes(15), Need::Advisory),
            (minutes(360), minutes(10), Need::Mandatory),
            (minutes(60), minutes(15), Need::Advisory),
            (minutes(60), minutes(10), Need::Mandatory),
            (Duration::from_secs(3), Duration::from_secs(2), Need::None),
            (Duration::from_secs(4), Duration::from_secs(1), Need::Advisory),
            (Duration::from_secs(3), Duration::ZERO, Need::Mandatory),
        ] {
            assert_eq!(need(life, left), expected, "{life:?} {left:?}");
        }
    }

    #[tokio::test]
    async fn many_callers_cause_one_fetch() {
        let (provider, _, fetched, _) = numbered(3600);
        let keys = futures_util::future::join_all((0..50).map(|_| key(&provider))).await;
        assert!(keys.iter().all(|key| key == "key0"));
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn ahead_of_expiry_one_renews_while_the_others_go_on() {
        let (provider, clock, fetched, _) = numbered(3600);
        assert_eq!(key(&provider).await, "key0");
        clock.advance(Duration::from_secs(3600 - 14 * 60));
        let keys = futures_util::future::join_all((0..5).map(|_| key(&provider))).await;
        assert_eq!(keys.iter().filter(|key| *key == "key1").count(), 1, "{keys:?}");
        assert_eq!((key(&provider).await.as_str(), fetched.load(Ordering::SeqCst)), ("key1", 2));
    }

    #[tokio::test]
    async fn a_failed_renewal_keeps_the_old_keys_until_they_end() {
        let (provider, clock, fetched, broken) = numbered(3600);
        key(&provider).await;
        broken.store(true, Ordering::SeqCst);
        clock.advance(Duration::from_secs(3600 - 12 * 60));
        assert_eq!(key(&provider).await, "key0");
        assert_eq!(key(&provider).await, "key0", "not asked again at once");
        assert_eq!(fetched.load(Ordering::SeqCst), 2);
        clock.advance(Duration::from_secs(11 * 60));
        assert_eq!(key(&provider).await, "key0", "mandatory, but still valid");
        clock.advance(Duration::from_secs(120));
        assert!(provider.credentials().await.is_err(), "expired");
        broken.store(false, Ordering::SeqCst);
        assert_eq!(key(&provider).await, "key4");
    }

    #[tokio::test]
    async fn keys_that_the_store_calls_expired_are_fetched_once_for_all() {
        let (provider, _, fetched, _) = numbered(3600);
        let old = provider.credentials().await.expect("keys").expect("some");
        let renewals = futures_util::future::join_all((0..10).map(|_| provider.renew(Some(&old)))).await;
        assert!(renewals.iter().all(Result::is_ok));
        assert_eq!(fetched.load(Ordering::SeqCst), 2);
        assert!(Provider::fixed((*old).clone()).renew(Some(&old)).await.is_err());
    }

    #[test]
    fn secrets_do_not_show() {
        let keys = Credentials {
            session_token: Some(Secret::new("tokentoken")),
            ..Credentials::new("AKIA", Secret::new("secretsecret"))
        };
        let shown = format!("{keys:?} {:?}", Provider::fixed(keys.clone()));
        assert!(!shown.contains("secretsecret") && !shown.contains("tokentoken"), "{shown}");
    }
}
