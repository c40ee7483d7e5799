//! Keys from the service beside a container (ECS, EKS Pod Identity, and what imitates them).

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::fetch::Reach;
use super::{Credentials, Environment, fetch};
use crate::base::secret::Secret;
use crate::s3::{Error, ErrorKind};

const HOST: &str = "http://169.254.170.2";
const WAIT: Duration = Duration::from_secs(2);
const TRIES: u32 = 3;

pub struct Container {
    uri: String,
    token: Token,
}

enum Token {
    None,
    Text(Secret),
    /// Read again each time: it is rotated.
    File(PathBuf),
}

impl Container {
    pub fn from_environment(environment: &Environment) -> Result<Option<Self>, Error> {
        let relative = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let full = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let uri = match (relative, full) {
            (Some(path), _) => format!("{HOST}{path}"),
            (None, Some(uri)) => allowed(uri)?,
            (None, None) => return Ok(None),
        };
        let file = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        let text = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
        let token = match (file, text) {
            (Some(file), _) => Token::File(file.into()),
            (None, Some(text)) => Token::Text(Secret::new(text)),
            (None, None) => Token::None,
        };
        Ok(Some(Self { uri, token }))
    }

    pub async fn fetch(&self) -> Result<Credentials, Error> {
        let mut last = None;
        for _ in 0..TRIES {
            match fetch::call(&Reach::near(WAIT), Method::GET, &self.uri, self.headers()?, Bytes::new()).await
            {
                Ok(answer) if answer.status == StatusCode::OK => return fetch::parse(&answer.body),
                Ok(answer) if answer.status.is_client_error() => {
                    let message = format!("the container's credentials service refused: {}", answer.status);
                    return Err(Error::new(ErrorKind::Credentials, message));
                }
                Ok(answer) => {
                    let message = format!("the container's credentials service failed: {}", answer.status);
                    last = Some(Error::new(ErrorKind::Unavailable, message));
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::Bug, "no try was made")))
    }
    fn headers(&self) -> Result<HeaderMap, Error> {
        let wrong = |why: &str| Error::new(ErrorKind::Credentials, format!("the container's token {why}"));
        let token = match &self.token {
            Token::None => return Ok(HeaderMap::new()),
            Token::Text(token) => token.clone(),
            Token::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| wrong(&format!("cannot be read from {}: {error}", path.display())))?;
                Secret::new(text.trim_end_matches(['\r', '\n']))
            }
        };
        let mut value = HeaderValue::from_str(token.expose())
            .map_err(|_| wrong("has characters that no header can carry"))?;
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }
}

/// Over plain HTTP a token goes to this machine or to the well-known addresses only.
fn allowed(uri: &str) -> Result<String, Error> {
    let refuse = || {
        Error::invalid(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to this machine, 169.254.170.2, \
             169.254.170.23 or [fd00:ec2::23]",
        )
    };
    let parsed: Uri = uri.parse().map_err(|_| refuse())?;
    let host = parsed.host().ok_or_else(refuse)?;
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let known = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
    let near = host == "localhost"
        || address
            .is_ok_and(|address| address.is_loopback() || known.contains(&address.to_string().as_str()));
    match parsed.scheme_str() {
        Some("https") => Ok(uri.to_owned()),
        Some("http") if near => Ok(uri.to_owned()),
        _ => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::scripted::{Answer, Server};

    const KEYS: &str =
        r#"{"AccessKeyId":"AK","SecretAccessKey":"SK","Token":"T","Expiration":"2030-01-02T03:04:05Z"}"#;

    fn container(server: &Server, token: &[(&str, &str)]) -> Container {
        let uri = format!("http://{}/creds?id=1", server.address);
        let mut variables = vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), uri)];
        variables.extend(token.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Container::from_environment(&variables.into_iter().collect()).expect("allowed").expect("given")
    }

    #[tokio::test]
    async fn keys_come_from_the_service_with_the_token_of_the_file_before_that_of_the_variable() {
        let server = Server::answering([Answer::error(500, "oops"), Answer::new(200, &[], KEYS)]).await;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "from-file\n").expect("written");
        let path = file.path().display().to_string();
        let both = [
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "from-variable"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path.as_str()),
        ];
        let found = container(&server, &both).fetch().await.expect("keys at the second try");
        assert_eq!((found.access_key.as_str(), found.session_token), ("AK", Some(Secret::new("T"))));
        assert!(found.expires.is_some());
        let heard = &server.heard()[1];
        assert_eq!((heard.target.as_str(), heard.header("authorization")), ("/creds?id=1", "from-file"));
    }

    #[tokio::test]
    async fn refusals_and_nonsense_are_errors_that_quote_nothing() {
        let leaky = r#"{"AccessKeyId":"AK","SecretAccessKey":"topsecret","#;
        let failed = r#"{"Code":"Failed","AccessKeyId":"AK","SecretAccessKey":"topsecret"}"#;
        for answer in
            [Answer::new(403, &[], "no"), Answer::new(200, &[], leaky), Answer::new(200, &[], failed)]
        {
            let server = Server::answering([answer]).await;
            let error = container(&server, &[]).fetch().await.expect_err("no keys");
            assert_eq!(error.kind(), ErrorKind::Credentials);
            assert!(!error.to_string().contains("topsecret"), "{error}");
        }
        let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nX-Evil: 1");
        let server = Server::answering([Answer::new(200, &[], KEYS)]).await;
        container(&server, &[token]).fetch().await.expect_err("a token with a line break");
        assert!(server.heard().is_empty());
    }

    #[test]
    fn tokens_go_to_near_hosts_or_over_tls_only() {
        for (uri, ok) in [
            ("https://creds.example/x", true),
            ("http://127.0.0.1:1234/x", true),
            ("http://[::1]/x", true),
            ("http://localhost/x", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://169.254.169.254/x", false),
            ("http://creds.example/x", false),
            ("ftp://127.0.0.1/x", false),
            ("/only/a/path", false),
        ] {
            assert_eq!(allowed(uri).is_ok(), ok, "{uri}");
        }
    }
}
