//! Where botocore's own tests send its requests: to the same addresses, for the same regions and services.

use std::time::Duration;

use futures_util::future::join_all;

use crate::base::secret::Secret;
use crate::s3::ops::{GetObject, ListObjects, PutObject};
use crate::s3::scripted::Wire;
use crate::s3::{AwsAddress, Client, Config, Credentials, Error, Operation, Provider, Style};

#[derive(Debug, serde::Deserialize)]
struct Case {
    kind: Kind,
    region: Option<String>,
    bucket: String,
    #[serde(default)]
    key: String,
    endpoint: Option<String>,
    #[serde(default)]
    unsigned: bool,
    #[serde(default)]
    fips: bool,
    style: Option<String>,
    #[serde(default)]
    accelerate: bool,
    #[serde(default)]
    dualstack: bool,
    arn_region: Option<bool>,
    #[serde(default)]
    no_multi_region: bool,
    #[serde(default)]
    regional: bool,
    /// `None`: it is refused, and nothing is sent.
    url: Option<String>,
    signed_region: Option<String>,
    signed_service: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Get,
    Put,
    List,
    Presign,
}

/// What is otherwise here: the numbers of the cases by the reason. All others agree, and these do not.
const OTHERWISE: &[(&str, &[usize])] = &[
    ("AWS is asked over TLS where no endpoint says otherwise", &[3, 7, 8, 41, 55, 64, 82]),
    ("hosts of AWS's whose kind is not known have the bucket in their name", &[42, 44, 61, 62, 63]),
    ("what does not go together is refused, as the newest rules have it", &[46, 59, 65, 88, 155]),
    ("without a region it is the default one", &[91]),
    (
        "a URL names the host of its region, as those of the other SDKs do",
        &[112, 113, 114, 116, 117, 118, 124, 200],
    ),
];

/// Address without the query, signed region and service.
#[derive(Debug)]
struct Asked {
    url: String,
    region: String,
    service: String,
}

async fn ask(case: &Case) -> Result<Asked, Error> {
    let keys = Credentials::new("AKIDEXAMPLE", Secret::new("wJalrXUtnFEMI"));
    let config = Config {
        region: case.region.clone(),
        endpoint: case.endpoint.clone(),
        style: match case.style.as_deref() {
            Some("path") => Style::Path,
            Some("virtual") => Style::Virtual,
            _ => Style::Auto,
        },
        aws_address: AwsAddress {
            fips: case.fips,
            dualstack: case.dualstack,
            accelerate: case.accelerate,
            follow_arn_region: case.arn_region != Some(false),
            multi_region: !case.no_multi_region,
            global: !case.regional,
            ..AwsAddress::default()
        },
        ..Config::new(if case.unsigned { Provider::anonymous() } else { Provider::fixed(keys) })
    };
    let wire = Wire::answering(|_, _| (200, "<ListBucketResult></ListBucketResult>".to_owned()));
    let client = wire.try_client(config)?;
    let (bucket, key) = (case.bucket.clone(), case.key.clone());
    match case.kind {
        Kind::Presign => {
            let get = GetObject { bucket, key, ..GetObject::default() };
            let url = client.presign(&get, Duration::from_secs(900)).await?;
            let (address, query) = url.split_once('?').unwrap_or((&url, ""));
            let value =
                |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
            let scope = value("X-Amz-Credential=").replace("%2F", "/");
            Ok(asked(address, &scope, &value("X-Amz-Region-Set=").replace("%2A", "*")))
        }
        Kind::Get => sent(&wire, &client, &GetObject { bucket, key, ..GetObject::default() }).await,
        Kind::Put => sent(&wire, &client, &PutObject::new(bucket, key, "data")).await,
        Kind::List => sent(&wire, &client, &ListObjects { bucket, ..ListObjects::default() }).await,
    }
}

async fn sent<O: Operation>(wire: &Wire, client: &Client, operation: &O) -> Result<Asked, Error> {
    if let Err(error) = client.send(operation).await {
        assert!(wire.heard().is_empty(), "{error}");
        return Err(error);
    }
    let heard = &wire.heard()[0];
    let header =
        |name: &str| heard.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = header("authorization").split("Credential=").nth(1).and_then(|rest| rest.split(',').next());
    let address = heard.url.split('?').next().unwrap_or_default();
    Ok(asked(address, scope.unwrap_or_default(), header("x-amz-region-set")))
}

/// The scope is key, day, region (not with a set of regions), service and a word.
fn asked(url: &str, scope: &str, region_set: &str) -> Asked {
    let fields: Vec<&str> = scope.split('/').collect();
    let (region, service) = match fields[..] {
        [_, _, region, service, _] => (region, service),
        [_, _, service, _] => (region_set, service),
        _ => ("", ""),
    };
    Asked { url: url.to_owned(), region: region.to_owned(), service: service.to_owned() }
}

fn agrees(case: &Case, found: Result<Asked, Error>) -> super::Found {
    let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    let agrees = match (&found, &case.url) {
        (Err(_), None) => true,
        (Ok(asked), Some(url)) => {
            asked.url == *url
                && same(&case.signed_region, &asked.region)
                && same(&case.signed_service, &asked.service)
        }
        _ => false,
    };
    if agrees { Ok(()) } else { Err(format!("{case:?}: {found:?}")) }
}

#[tokio::test]
async fn requests_go_where_those_of_botocore_go() {
    let text = include_str!("../../../tests/fixtures/aws/addressing.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the fixture");
    assert_eq!(cases.len(), 207);
    let found = join_all(cases.iter().map(async |case| agrees(case, ask(case).await))).await;
    super::compare_numbered(found, OTHERWISE);
}
