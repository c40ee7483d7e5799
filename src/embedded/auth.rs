//! The one key pair, and the short-lived ones that CreateSession gives out. Whoever signs with another hears
//! InvalidAccessKeyId, as at AWS.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use super::KeyPair;
use crate::base::secret::Secret;

/// A session lives so long.
pub const SESSION: Duration = Duration::from_secs(300);
/// Older ones make room.
const SESSIONS_MAX: usize = 10_000;

/// A key pair that is good for one bucket.
#[derive(Clone, Debug)]
pub struct Session {
    pub pair: KeyPair,
    pub bucket: String,
    pub writes: bool,
    pub expires: SystemTime,
}

/// Cheap to clone; clones share the sessions.
#[derive(Clone)]
pub struct Keys {
    own: KeyPair,
    sessions: Arc<Mutex<VecDeque<Session>>>,
}

impl Keys {
    pub fn new(own: KeyPair) -> Self {
        Self { own, sessions: Arc::default() }
    }

    pub fn begin(&self, bucket: &str, writes: bool) -> Session {
        let letters = |count: usize| (0..count).map(|_| fastrand::alphanumeric()).collect::<String>();
        let access_key = format!("SESSION{}", letters(13).to_uppercase());
        let pair = KeyPair { access_key, secret_key: Secret::new(letters(40)) };
        let session =
            Session { pair, bucket: bucket.to_owned(), writes, expires: SystemTime::now() + SESSION };
        let mut sessions = self.sessions.lock();
        let now = SystemTime::now();
        sessions.retain(|session| session.expires > now);
        if sessions.len() == SESSIONS_MAX {
            sessions.pop_front();
        }
        sessions.push_back(session.clone());
        session
    }

    /// A session token, which goes with the one pair.
    pub fn check_token(&self, token: &str) -> S3Result<()> {
        super::token::check(&self.own, token)
    }

    /// The session that has this access key; `None` for the one pair.
    pub fn session(&self, access_key: &str) -> Option<Session> {
        let sessions = self.sessions.lock();
        let now = SystemTime::now();
        sessions.iter().find(|it| it.pair.access_key == access_key && it.expires > now).cloned()
    }
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.own.access_key {
            return Ok(SecretKey::from(self.own.secret_key.expose()));
        }
        match self.session(access_key) {
            Some(session) => Ok(SecretKey::from(session.pair.secret_key.expose())),
            None => Err(s3_error!(InvalidAccessKeyId, "The access key does not exist in our records.")),
        }
    }
}
