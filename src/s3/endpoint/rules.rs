//! AWS's own rules for addresses: the test cases of its SDKs.

use serde::Deserialize;

use super::*;
use crate::s3::Provider;

#[derive(Deserialize)]
struct Case {
    params: Params,
    url: Option<String>,
    service: Option<String>,
    region: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Params {
    region: Option<String>,
    bucket: Option<String>,
    endpoint: Option<String>,
    accelerate: bool,
    force_path_style: bool,
    use_dual_stack: bool,
    #[serde(rename = "UseFIPS")]
    use_fips: bool,
    use_arn_region: Option<bool>,
    use_global_endpoint: bool,
    use_object_lambda_endpoint: bool,
    #[serde(rename = "UseS3ExpressControlEndpoint")]
    use_s3_express_control_endpoint: bool,
    disable_access_points: bool,
    disable_multi_region_access_points: bool,
}

/// What we do otherwise, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// As the rules say.
    Agree,
    /// The rules allow it, we do not: endpoints with a path, names that no bucket has.
    Stricter,
    /// Not comparable: regions that are none (other stores may call theirs as they like), the old global host, operations and aliases that we do not have,
    /// buckets of two letters (old ones exist), dual-stack for directory buckets (newer than these rules).
    Elsewhere,
}

fn stand(case: &Case) -> Stand {
    let params = &case.params;
    let (bucket, url) =
        (params.bucket.as_deref().unwrap_or_default(), case.url.as_deref().unwrap_or_default());
    let region = params.region.as_deref().unwrap_or("aws-global");
    let pseudo = ["aws-global", "s3-external-1"].contains(&region)
        || params.endpoint.is_some() && region.contains('!');
    let global = params.use_global_endpoint && url.contains("s3.amazonaws.com");
    let alias = bucket.ends_with("--op-s3");
    let newer = params.use_dual_stack && bucket.ends_with("--x-s3");
    let unbound = bucket.is_empty() && params.use_s3_express_control_endpoint;
    if pseudo || global || alias || newer || unbound || params.use_object_lambda_endpoint || bucket == "aa" {
        return Stand::Elsewhere;
    }
    let path = params.endpoint.as_deref().is_some_and(|endpoint| endpoint.matches('/').count() > 2);
    let odd = bucket.contains(['!', '#', ' ']);
    match case.error {
        None if path || odd => Stand::Stricter,
        _ => Stand::Agree,
    }
}

fn address(params: &Params) -> Result<Address, Error> {
    let config = Config {
        endpoint: params.endpoint.clone(),
        style: match (params.force_path_style, &params.endpoint) {
            (true, _) => Style::Path,
            // The rules take every host for one with sub-domains.
            (false, Some(_)) => Style::Virtual,
            (false, None) => Style::Auto,
        },
        aws_address: AwsAddress {
            fips: params.use_fips,
            dualstack: params.use_dual_stack,
            accelerate: params.accelerate,
            follow_arn_region: params.use_arn_region != Some(false),
            multi_region: !params.disable_multi_region_access_points,
            ..AwsAddress::default()
        },
        ..Config::new(Provider::anonymous())
    };
    let purpose = match params.bucket.as_deref() {
        Some(bucket) if is_arn(bucket) && params.disable_access_points => Purpose::Make,
        Some(_) if params.use_s3_express_control_endpoint => Purpose::Control,
        _ => Purpose::Data,
    };
    let region = params.region.as_deref().expect("a region");
    Endpoint::of(&config)?.address(Asked { bucket: params.bucket.as_deref(), key: None, region, purpose })
}

#[test]
fn the_rules_of_the_sdks_agree() {
    let text = include_str!("../../../tests/fixtures/aws/endpoint-tests.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the fixture");
    assert_eq!(cases.len(), 297);
    let (mut compared, mut faults) = (0, Vec::new());
    for case in &cases {
        let stand = stand(case);
        if stand == Stand::Elsewhere {
            continue;
        }
        compared += 1;
        let params = &case.params;
        match (address(params), &case.url) {
            (Err(_), None) => {}
            (Err(_), Some(_)) if stand == Stand::Stricter => {}
            (Ok(address), Some(url)) if stand == Stand::Agree => {
                let found = format!("{}://{}{}", address.scheme.name(), address.authority, address.path);
                let region = case.region.as_ref().is_none_or(|region| *region == address.region);
                let service = case.service.as_ref().is_none_or(|service| service == address.service);
                if found.trim_end_matches('/') != url || !region || !service {
                    faults.push(format!(
                        "{params:?}: {address:?}, not {url} {:?} {:?}",
                        case.service, case.region
                    ));
                }
            }
            (Ok(address), expected) => {
                faults.push(format!("{params:?}: {address:?}, not {expected:?} {:?}", case.error))
            }
            (Err(error), Some(url)) => faults.push(format!("{params:?}: {error}, not {url}")),
        }
    }
    assert!(faults.is_empty(), "{} of {compared}:\n{}", faults.len(), faults.join("\n"));
    assert!(compared >= 200, "{compared}");
}
