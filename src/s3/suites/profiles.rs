//! What botocore takes of a profile and the environment, besides keys (its class `TestS3ClientConfigResolution`).
//!
//! Not among them: a word for us-east-1's kind of address that is none counts as not said, and what is given outright is
//! told from what is not by its being other than the default.

use crate::s3::{AwsAddress, Config, PayloadSigning, Provider};

/// Properties of the profile, variables, what is given outright, what comes of it.
type Case = (&'static str, &'static [(&'static str, &'static str)], AwsAddress, &'static str);

const GIVEN: AwsAddress = AwsAddress {
    fips: false,
    dualstack: false,
    accelerate: false,
    follow_arn_region: true,
    express_sessions: true,
    multi_region: true,
    global: false,
};
const NO_ARN: AwsAddress = AwsAddress { follow_arn_region: false, ..GIVEN };
const LEGACY: AwsAddress = AwsAddress { global: true, ..GIVEN };

const ARN: &str = "AWS_S3_USE_ARN_REGION";
const US_EAST_1: &str = "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT";

const CASES: [Case; 25] = [
    ("", &[], GIVEN, "arn regional"),
    ("s3 =\n    use_dualstack_endpoint = True", &[], GIVEN, "arn regional dualstack"),
    ("s3 =\n    use_dualstack_endpoint = true", &[], GIVEN, "arn regional dualstack"),
    ("s3 =\n    use_accelerate_endpoint = True", &[], GIVEN, "arn regional accelerate"),
    ("s3 =\n    use_accelerate_endpoint = true", &[], GIVEN, "arn regional accelerate"),
    ("s3 =\n    payload_signing_enabled = True", &[], GIVEN, "arn regional signed"),
    ("s3 =\n    payload_signing_enabled = true", &[], GIVEN, "arn regional signed"),
    ("s3 =\n    payload_signing_enabled = false", &[], GIVEN, "arn regional"),
    ("s3 =\n    unmodeled = unmodeled_val", &[], GIVEN, "arn regional"),
    (
        "s3 =\n    payload_signing_enabled = true\n    unmodeled = unmodeled_val",
        &[],
        GIVEN,
        "arn regional signed",
    ),
    ("", &[(ARN, "true")], GIVEN, "arn regional"),
    ("s3_use_arn_region = true", &[], GIVEN, "arn regional"),
    ("s3_use_arn_region = false", &[], GIVEN, "regional"),
    ("s3 =\n    use_arn_region = true", &[], GIVEN, "arn regional"),
    ("s3 =\n    use_arn_region = false", &[(ARN, "True")], GIVEN, "arn regional"),
    ("s3 =\n    use_arn_region = true", &[(ARN, "false")], GIVEN, "regional"),
    ("", &[(ARN, "true")], NO_ARN, "regional"),
    ("s3 =\n    use_arn_region = true", &[], NO_ARN, "regional"),
    ("", &[(US_EAST_1, "regional")], GIVEN, "arn regional"),
    ("s3_us_east_1_regional_endpoint = regional", &[], GIVEN, "arn regional"),
    ("s3_us_east_1_regional_endpoint = legacy", &[], GIVEN, "arn"),
    ("s3 =\n    us_east_1_regional_endpoint = regional", &[], GIVEN, "arn regional"),
    ("s3 =\n    us_east_1_regional_endpoint = legacy", &[], GIVEN, "arn"),
    ("s3 =\n    us_east_1_regional_endpoint = legacy", &[(US_EAST_1, "regional")], GIVEN, "arn regional"),
    ("", &[(US_EAST_1, "regional")], LEGACY, "arn"),
];

fn facts(config: &Config) -> String {
    let address = config.aws_address;
    let facts = [
        ("arn", address.follow_arn_region),
        ("regional", !address.global),
        ("dualstack", address.dualstack),
        ("accelerate", address.accelerate),
        ("signed", config.payload_signing == PayloadSigning::Always),
    ];
    facts.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

#[test]
fn profiles_and_variables_set_what_they_set_in_botocore() {
    for (properties, variables, given, expected) in CASES {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), format!("[default]\n{properties}\n")).expect("written");
        let path = file.path().display().to_string();
        let variables = variables.iter().copied().chain([("AWS_CONFIG_FILE", path.as_str())]);
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let config = Config { aws_address: given, ..Config::new(Provider::anonymous()) };
        let found = facts(&config.with_profile(&environment, None));
        assert_eq!(found, expected, "{properties:?} {given:?}");
    }
}
