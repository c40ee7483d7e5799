//! Keys for a word that somebody else gave us: an identity provider's token, a directory's password, a client
//! certificate. Such requests are not signed, for there is nothing yet to sign them with.
//!
//! AWS knows [`Grant::WebIdentity`]; a MinIO server knows them all, at its own address.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::sts::{Role, Service, seconds};
use super::{Fetching, Source};
use crate::base::secret::Secret;
use crate::s3::{Error, ErrorKind};

const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Keys in exchange for a grant.
#[derive(Clone, Debug)]
pub struct Federated {
    /// Who gives the keys.
    pub service: Service,
    /// What is asked for.
    pub role: Role,
    /// What is shown for it.
    pub grant: Grant,
}

/// What is shown to the token service.
#[derive(Clone)]
pub enum Grant {
    /// AssumeRoleWithWebIdentity: a token of OpenID Connect.
    WebIdentity(Arc<dyn TokenSource>),
    /// AssumeRoleWithClientGrants: an access token that an identity provider gave a program.
    ClientGrants(Arc<dyn TokenSource>),
    /// AssumeRoleWithCustomToken: whatever the identity plug-in of a MinIO server understands; needs a role's ARN.
    CustomToken(Arc<dyn TokenSource>),
    /// AssumeRoleWithLDAPIdentity.
    Ldap {
        /// As the directory knows them.
        user: String,
        /// Theirs.
        password: Secret,
        /// Which keys of theirs to withdraw at once (MinIO).
        revoke_type: Option<String>,
    },
    /// AssumeRoleWithCertificate: over TLS, with the certificate of the service's [`super::Reach`].
    Certificate,
}

/// One token and how long its giver says that it lives.
#[derive(Clone, Debug)]
pub struct Token {
    /// What is sent, as it is.
    pub text: Secret,
    /// From now on; `None` where its giver did not say.
    pub expires_in: Option<Duration>,
}

/// A token on its way.
pub type TokenFetching<'a> = Pin<Box<dyn Future<Output = Result<Token, Error>> + Send + 'a>>;

/// Where tokens come from; asked again for each renewal.
pub trait TokenSource: Send + Sync {
    /// One that is good now; `Credentials` where there is none.
    fn token(&self) -> TokenFetching<'_>;
}

/// A closure that has the token at hand.
impl<F: Fn() -> Result<Token, Error> + Send + Sync> TokenSource for F {
    fn token(&self) -> TokenFetching<'_> {
        Box::pin(async { self() })
    }
}

/// A file, read again each time: it is rotated.
#[derive(Clone, Debug)]
pub struct TokenFile(pub PathBuf);

impl TokenSource for TokenFile {
    fn token(&self) -> TokenFetching<'_> {
        Box::pin(async {
            let text = std::fs::read_to_string(&self.0).map_err(|error| {
                let message = format!("the identity token cannot be read from {}: {error}", self.0.display());
                Error::new(ErrorKind::Credentials, message)
            })?;
            Ok(Token { text: Secret::new(text.trim()), expires_in: None })
        })
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action())
    }
}

impl Grant {
    fn action(&self) -> &'static str {
        match self {
            Self::WebIdentity(_) => "AssumeRoleWithWebIdentity",
            Self::ClientGrants(_) => "AssumeRoleWithClientGrants",
            Self::CustomToken(_) => "AssumeRoleWithCustomToken",
            Self::Ldap { .. } => "AssumeRoleWithLDAPIdentity",
            Self::Certificate => "AssumeRoleWithCertificate",
        }
    }
    fn tokens(&self) -> Option<(&'static str, &dyn TokenSource)> {
        match self {
            Self::WebIdentity(source) => Some(("WebIdentityToken", source.as_ref())),
            Self::ClientGrants(source) | Self::CustomToken(source) => Some(("Token", source.as_ref())),
            Self::Ldap { .. } | Self::Certificate => None,
        }
    }
    fn pairs(&self) -> Vec<(&str, &str)> {
        match self {
            Self::Ldap { user, password, revoke_type } => {
                let mut pairs = vec![("LDAPUsername", user.as_str()), ("LDAPPassword", password.expose())];
                pairs.extend(revoke_type.as_deref().map(|kind| ("TokenRevokeType", kind)));
                pairs
            }
            _ => Vec::new(),
        }
    }
}

impl Federated {
    async fn ask(&self) -> Result<super::Credentials, Error> {
        if matches!(self.grant, Grant::Certificate)
            && (self.service.is_plain() || !self.service.shows_certificate())
        {
            return Err(Error::invalid(
                "a client certificate is shown over https:// only, and one must be given",
            ));
        }
        let tokens = self.grant.tokens();
        let token = match tokens {
            Some((_, source)) => Some(source.token().await?),
            None => None,
        };
        let given = token.as_ref().and_then(|token| token.expires_in);
        let seconds = seconds(self.role.duration.or(given), DURATION_MAX);
        let name = self.role.name(self.service.now());
        let mut form = self.role.pairs(&name, seconds.as_deref());
        form.extend(self.grant.pairs());
        let mut secrets = Vec::new();
        if let (Some((name, _)), Some(token)) = (tokens, &token) {
            form.push((name, token.text.expose()));
            secrets.push(&token.text);
        }
        if let Grant::Ldap { password, .. } = &self.grant {
            secrets.push(password);
        }
        self.service.call(self.grant.action(), form, None, &secrets).await
    }
}

impl Source for Federated {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.ask())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::credentials::tests::{assert_silent, canary};
    use crate::s3::scripted::{Answer, Heard, Server};

    /// Answers every action with its own document.
    fn obliging(_: usize, heard: &Heard) -> Answer {
        let form = String::from_utf8_lossy(&heard.body).into_owned();
        let action = form.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
        let keys = "<AccessKeyId>AK</AccessKeyId><SecretAccessKey>canary-s</SecretAccessKey><SessionToken>canary-t\
                    </SessionToken><Expiration>2099-01-02T03:04:05Z</Expiration>";
        Answer::new(
            200,
            &[],
            format!(
                "<{action}Response><{action}Result><Credentials>{keys}</Credentials></{action}Result></{action}Response>"
            ),
        )
    }

    fn federated(server: &Server, grant: Grant, role: Role) -> Federated {
        Federated { service: Service::at(&format!("http://{}", server.address)).expect("good"), role, grant }
    }

    fn token() -> Arc<dyn TokenSource> {
        Arc::new(|| Ok(Token { text: canary("a+b"), expires_in: Some(Duration::from_secs(3000)) }))
    }

    #[tokio::test]
    async fn every_grant_is_an_unsigned_form_of_its_own() {
        let named = Role { arn: Some("arn:r".into()), session_name: Some("n".into()), ..Role::default() };
        let ldap = Grant::Ldap { user: "u".into(), password: canary("p&w"), revoke_type: Some("t".into()) };
        let minutes =
            Role { duration: Some(Duration::from_secs(1)), policy: Some("{}".into()), ..Role::default() };
        for (grant, role, form) in [
            (
                Grant::WebIdentity(token()),
                named.clone(),
                "Action=AssumeRoleWithWebIdentity&DurationSeconds=3000&RoleArn=arn%3Ar&RoleSessionName=n&\
                 Version=2011-06-15&WebIdentityToken=canary-a%2Bb",
            ),
            (
                Grant::ClientGrants(token()),
                minutes.clone(),
                "Action=AssumeRoleWithClientGrants&DurationSeconds=900&Policy=%7B%7D&Token=canary-a%2Bb&Version=2011-06-15",
            ),
            (
                Grant::CustomToken(token()),
                named,
                "Action=AssumeRoleWithCustomToken&DurationSeconds=3000&RoleArn=arn%3Ar&RoleSessionName=n&\
                 Token=canary-a%2Bb&Version=2011-06-15",
            ),
            (
                ldap,
                minutes,
                "Action=AssumeRoleWithLDAPIdentity&DurationSeconds=900&LDAPPassword=canary-p%26w&LDAPUsername=u&\
                 Policy=%7B%7D&TokenRevokeType=t&Version=2011-06-15",
            ),
        ] {
            let server = Server::start(obliging).await;
            let source = federated(&server, grant, role);
            let found = source.fetch().await.expect("keys");
            assert_eq!((found.access_key.as_str(), found.secret_key.expose()), ("AK", "canary-s"));
            let heard = &server.heard()[0];
            assert_eq!(String::from_utf8_lossy(&heard.body), form);
            assert_eq!((heard.target.as_str(), heard.header("authorization")), ("/", ""));
            assert_silent(&(source, found));
        }
    }

    #[tokio::test]
    async fn a_refusal_repeats_no_token_and_no_password() {
        let echo = "<ErrorResponse><Error><Code>InvalidParameterValue</Code><Message>canary-a+b canary-pw</Message>\
                    </Error></ErrorResponse>";
        for grant in [
            Grant::WebIdentity(token()),
            Grant::Ldap { user: "u".into(), password: canary("pw"), revoke_type: None },
        ] {
            let server = Server::answering([Answer::new(400, &[], echo)]).await;
            let wanted = match &grant {
                Grant::Ldap { .. } => "canary-a+b [redacted]",
                _ => "[redacted] canary-pw",
            };
            let error = federated(&server, grant, Role::default()).fetch().await.expect_err("refused");
            assert!(error.to_string().ends_with(wanted), "{error}");
        }
    }

    #[tokio::test]
    async fn a_token_file_is_read_each_time_and_its_absence_is_said() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let server = Server::start(obliging).await;
        let grant = Grant::WebIdentity(Arc::new(TokenFile(file.path().to_owned())));
        let source = federated(&server, grant, Role::default());
        for text in ["one\n", "two"] {
            std::fs::write(file.path(), text).expect("written");
            source.fetch().await.expect("keys");
        }
        let bodies: Vec<_> =
            server.heard().iter().map(|heard| String::from_utf8_lossy(&heard.body).into_owned()).collect();
        assert!(
            bodies[0].ends_with("WebIdentityToken=one") && bodies[1].ends_with("WebIdentityToken=two"),
            "{bodies:?}"
        );
        file.close().expect("removed");
        let error = source.fetch().await.expect_err("no file");
        assert!(error.to_string().contains("cannot be read from"), "{error}");
    }

    #[tokio::test]
    async fn a_certificate_is_not_for_plain_http() {
        let server = Server::start(obliging).await;
        let error =
            federated(&server, Grant::Certificate, Role::default()).fetch().await.expect_err("refused");
        assert_eq!((error.kind(), server.heard().len()), (ErrorKind::Invalid, 0));
    }
}
