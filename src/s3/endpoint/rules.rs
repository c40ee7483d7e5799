//! AWS's own rules for addresses: the test cases of its SDKs.

use serde::Deserialize;

use super::*;
use crate::s3::Provider;
use crate::s3::suites::{Found, compare_numbered};

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

/// Cases and what is otherwise here: the numbers of the cases by the reason. All others agree, and these do not.
struct Suite {
    text: &'static str,
    cases: usize,
    otherwise: &'static [(&'static str, &'static [usize])],
}

const SUITES: [Suite; 2] = [
    Suite {
        text: include_str!("../../../tests/fixtures/aws/endpoint-tests.json"),
        cases: 297,
        otherwise: &[
            (
                "names that no bucket ever had are refused instead of sent in a path",
                &[
                    24, 25, 90, 91, 92, 93, 96, 100, 102, 103, 105, 110, 112, 113, 115, 118, 123, 140, 142,
                    143,
                ],
            ),
            ("an endpoint is a host and a port: no S3 server is known to answer below a path", &[27, 79, 83]),
            ("without a region it is the default one", &[39]),
            ("the manual has no host s3-accelerate.dualstack.us-east-1, only one without a region", &[117]),
            ("stores that are not AWS's may call their regions as they like", &[126, 127]),
            ("a region is one label", &[258]),
            ("directory buckets have got dual-stack hosts, see the newer cases", &[292]),
        ],
    },
    // What the newest rules have besides.
    Suite {
        text: include_str!("../../../tests/fixtures/aws/endpoint-tests-newer.json"),
        cases: 106,
        otherwise: &[],
    },
];

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
            global: params.use_global_endpoint,
            ..AwsAddress::default()
        },
        ..Config::new(Provider::anonymous())
    };
    let endpoint = Endpoint::of(&config)?;
    let region = params.region.as_deref().unwrap_or(DEFAULT_REGION);
    if params.use_object_lambda_endpoint {
        return endpoint.object_lambda(ROUTE, region);
    }
    let purpose = match params.bucket.as_deref() {
        Some(bucket) if is_arn(bucket) && params.disable_access_points => Purpose::Make,
        _ if params.use_s3_express_control_endpoint => Purpose::Control,
        _ => Purpose::Data,
    };
    endpoint.address(Asked { bucket: params.bucket.as_deref(), key: None, region, purpose })
}

/// The rules say nothing of what WriteGetObjectResponse puts before the host and into the path.
const ROUTE: &str = "route";

fn agrees(case: &Case) -> Found {
    let found = address(&case.params);
    let agrees = match (&found, &case.url) {
        (Err(_), None) => true,
        (Ok(address), Some(url)) => {
            let host = address.authority.strip_prefix("route.").unwrap_or(&address.authority);
            let path = address.path.strip_prefix("/WriteGetObjectResponse").unwrap_or(&address.path);
            let found = format!("{}://{host}{path}", address.scheme.name());
            found.trim_end_matches('/') == url
                && case.region.as_ref().is_none_or(|region| *region == address.region)
                && case.service.as_ref().is_none_or(|service| service == address.service)
        }
        _ => false,
    };
    match agrees {
        true => Ok(()),
        false => Err(format!(
            "{:?}: {found:?}, not {:?} {:?} {:?} {:?}",
            case.params, case.url, case.service, case.region, case.error
        )),
    }
}

#[test]
fn the_rules_of_the_sdks_agree() {
    for suite in SUITES {
        let cases: Vec<Case> = serde_json::from_str(suite.text).expect("the fixture");
        assert_eq!(cases.len(), suite.cases);
        compare_numbered(cases.iter().map(agrees).collect(), suite.otherwise);
    }
}
