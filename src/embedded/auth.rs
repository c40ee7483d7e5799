//! One key pair; whoever signs with another hears InvalidAccessKeyId, as at AWS.

use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use super::KeyPair;

pub struct OnePair(pub KeyPair);

#[async_trait::async_trait]
impl S3Auth for OnePair {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match access_key == self.0.access_key {
            true => Ok(SecretKey::from(self.0.secret_key.expose())),
            false => Err(s3_error!(InvalidAccessKeyId, "The access key does not exist in our records.")),
        }
    }
}
