//! What botocore and the Rust SDK ask a store that answers so and so, and what they make of it.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::base::secret::Secret;
use crate::s3::ops::*;
use crate::s3::scripted::{Said, Wire};
use crate::s3::{
    AwsAddress, Body, Client, Config, Credentials, Deadlines, Error, Operation, Provider, Style, VersionId,
};

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    client: Settings,
    /// Operation → what it is about.
    ask: BTreeMap<String, Names>,
    #[serde(default = "once")]
    times: usize,
    /// The last one for ever.
    answers: Vec<Answer>,
    /// Of the requests, without their queries; any where there is none. `None`: as many as it takes.
    urls: Option<Vec<Option<String>>>,
    /// The code of the error, or any.
    fails: Option<String>,
    #[serde(default)]
    says: BTreeMap<String, Option<serde_json::Value>>,
    /// Parts of headers of the last request.
    #[serde(default)]
    sends: BTreeMap<String, String>,
}

fn once() -> usize {
    1
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    region: String,
    style: String,
    endpoint: Option<String>,
    fips: bool,
    global: bool,
    accelerate: bool,
    /// Until it gives up.
    seconds: Option<u64>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, serde::Deserialize)]
struct Answer {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

/// What is otherwise here, with the reason. All others agree, and these do not.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "redirects/an access point is where its ARN says",
        "an access point by path is refused, as the newest rules have it; the case with FIPS is without a path",
    ),
    ("200/another document is no error", "a copy whose answer has no result was not seen to happen"),
    ("not UTF-8/an expiration that cannot be read is an error", "no header that few need hides an object"),
    ("not UTF-8/or it is passed over", "what is not UTF-8 is Latin-1, and read"),
    ("not UTF-8/of the last answer", "what is not UTF-8 is Latin-1, and read"),
    ("metadata/not ASCII is refused", "it travels in words of RFC 2047"),
    (
        "bodies/an answer is awaited before they are sent",
        "a refusal is heard while the body is sent, without a round trip for every good one",
    ),
];

impl Answer {
    /// Headers are Latin-1.
    fn said(&self) -> Said {
        let header = |(name, value): (&String, &String)| {
            let bytes: Vec<u8> = value.chars().map(|char| u8::try_from(char).expect("Latin-1")).collect();
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_bytes(&bytes).expect("a value"))
        };
        let headers: HeaderMap = self.headers.iter().map(header).collect();
        Said { status: self.status, headers, body: self.body.clone() }
    }
}

impl Case {
    fn config(&self) -> Config {
        let Settings { region, style, endpoint, fips, global, accelerate, seconds } = &self.client;
        let (fips, global, accelerate) = (*fips, *global, *accelerate);
        let keys = Credentials::new("AKIDEXAMPLE", Secret::new("wJalrXUtnFEMI"));
        Config {
            region: Some(region.clone()),
            style: if style == "path" { Style::Path } else { Style::Auto },
            endpoint: endpoint.clone(),
            aws_address: AwsAddress { fips, global, accelerate, ..AwsAddress::default() },
            deadlines: Deadlines {
                total_without_progress: Duration::from_secs(seconds.unwrap_or(10)),
                ..Deadlines::default()
            },
            ..Config::new(Provider::fixed(keys))
        }
    }

    async fn ask(&self, client: &Client) -> Result<Found, Error> {
        let (verb, names) = self.ask.first_key_value().expect("an operation");
        let names = match names {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        };
        let name = |number: usize| names.get(number).cloned().unwrap_or_default();
        let (bucket, key) = (name(0), name(1));
        match verb.as_str() {
            "list" => done(client, &ListObjects { bucket, ..ListObjects::default() }).await,
            "delete" => {
                done(client, &DeleteObjects { bucket, keys: vec![(key, None)], ..DeleteObjects::default() })
                    .await
            }
            "abort" => done(client, &AbortMultipartUpload { bucket, key, upload_id: name(2) }).await,
            "put" => {
                let mut put = PutObject::new(bucket, key, "data");
                put.object.metadata =
                    names.get(2).map(|value| ("name".to_owned(), value.clone())).into_iter().collect();
                done(client, &put).await
            }
            "route" => done(client, &response(name(0))).await,
            "attributes" => {
                let asked = GetObjectAttributes { bucket, key, ..GetObjectAttributes::default() };
                let found = client.send(&asked).await?;
                Ok(found.checksums.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
            "copy" => {
                let version = names.get(4).map(|version| VersionId(version.as_str().into()));
                let source = CopySource { bucket, key, version, ..CopySource::default() };
                let copy = CopyObject { source, bucket: name(2), key: name(3), ..CopyObject::default() };
                let copied = client.send(&copy).await?;
                Ok(copied.etag.map(|etag| ("etag".to_owned(), (*etag.0).into())).into_iter().collect())
            }
            "head" => Ok(headers(client.send(&HeadObject { bucket, key, ..HeadObject::default() }).await?)),
            "get" => {
                let got = client
                    .send(&GetObject { bucket, key, checksum_mode: true, ..GetObject::default() })
                    .await?;
                let mut found = headers(got.headers);
                if let Ok(body) = got.body.collect(1 << 10).await {
                    found.insert("body".into(), String::from_utf8_lossy(&body).into());
                }
                Ok(found)
            }
            other => panic!("{other} is not asked"),
        }
    }
}

type Found = BTreeMap<String, serde_json::Value>;

async fn done<O: Operation>(client: &Client, operation: &O) -> Result<Found, Error> {
    client.send(operation).await.map(|_| Found::new())
}

fn response(route: String) -> WriteGetObjectResponse {
    let (token, status, error) = ("token".to_owned(), Some(200), None);
    let (headers, metadata) = (ObjectHeaders::default(), Metadata::new());
    WriteGetObjectResponse { route, token, status, error, headers, metadata, body: Body::Empty }
}

fn headers(headers: ObjectHeaders) -> Found {
    let ObjectHeaders { size, content, expiration, checksums, .. } = headers;
    let texts = [("expires", content.expires), ("expiration", expiration)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
    let checksums = checksums.into_iter().map(|(name, value)| (name, value.into()));
    texts.chain(checksums).chain([("size".to_owned(), size.into())]).collect()
}

/// In what it differs.
async fn differs(case: &Case) -> super::Found {
    let answers: Vec<Said> = case.answers.iter().map(Answer::said).collect();
    let wire = Wire::answering(move |number, _| answers[number.min(answers.len() - 1)].clone());
    let mut found = Err(Error::invalid("not asked"));
    let client = wire.try_client(case.config());
    for _ in 0..case.times {
        found = match &client {
            Ok(client) => case.ask(client).await,
            Err(error) => Err(Error::invalid(error.to_string())),
        };
    }
    let heard = wire.heard();
    let asked: Vec<&str> = heard.iter().map(|sent| sent.url.split('?').next().unwrap_or_default()).collect();
    if let Some(urls) = &case.urls {
        let same = |(url, asked): (&Option<String>, &&str)| url.as_ref().is_none_or(|url| url == asked);
        if urls.len() != asked.len() || !urls.iter().zip(&asked).all(same) {
            return Err(format!("asked {asked:?}, and found {found:?}"));
        }
    }
    for (name, part) in &case.sends {
        let sent = heard.last().and_then(|sent| sent.headers.get(name)?.to_str().ok()).unwrap_or_default();
        if !sent.contains(part) {
            return Err(format!("sent {name}: {sent}"));
        }
    }
    let said = match (&found, &case.fails) {
        (Ok(found), None) => found.clone(),
        (Err(error), Some(code)) if code.is_empty() || code == error.code() => {
            let ids = [("request_id", error.request_id()), ("host_id", error.host_id())];
            ids.map(|(name, id)| (name.to_owned(), id.into())).into()
        }
        _ => return Err(format!("found {found:?}")),
    };
    match case.says.iter().find(|(name, value)| said.get(*name) != value.as_ref()) {
        Some((name, _)) => Err(format!("found {name} {:?}", said.get(name))),
        None => Ok(()),
    }
}

#[tokio::test]
async fn stores_are_asked_and_understood_as_by_the_sdks() {
    let text = include_str!("../../../tests/fixtures/aws/exchanges.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the fixture");
    assert_eq!(cases.len(), 49);
    let found = futures_util::future::join_all(cases.iter().map(differs)).await;
    super::compare(cases.iter().map(|case| case.name.as_str()).zip(found), OTHERWISE);
}
