//! docs/CONFIGURATION.md, written from the table of options.

use std::fmt::Write;

use super::{DEFINITIONS, Definition, Group};

const HEAD: &str = "\
# Configuration

<!-- Made by `holdfs reference`; a test compares. -->

Every option can be given in four ways. The first that speaks wins:

1. as a flag: `--ttl 10s` (`holdfs mount` takes `-o ttl=10s` too, as lines of fstab do);
2. as a variable of the environment: `HOLDFS_TTL=10s`;
3. as a line of the configuration file: `ttl = 10s`. The file is `--config FILE` or `HOLDFS_CONFIG`, else
   `$XDG_CONFIG_HOME/holdfs/config` (`~/.config/holdfs/config`; for root `/etc/holdfs/config`) if there is one;
4. not at all: the default.

Credentials are no options, and no flag takes a secret. The first of these places that has some is kept to; a profile
named by `--profile` is the only place then:

1. the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, MinIO's `MINIO_ACCESS_KEY` and
   `MINIO_SECRET_KEY` (or `MINIO_ROOT_USER` and `MINIO_ROOT_PASSWORD`), IBM's `IBM_API_KEY_ID`;
2. a role with a token in a file: `AWS_ROLE_ARN` and `AWS_WEB_IDENTITY_TOKEN_FILE`;
3. the profile: a role (which goes before 2), a web identity, single sign-on after `aws sso login`,
   keys, a session of `aws login`, `credential_process`, an IBM API key;
4. files of other tools: boto's, an alias of MinIO's `mc` (`MINIO_ALIAS`), IBM's `~/.bluemix/cos_credentials`;
5. the service beside a container, then that of a virtual machine.

Those that expire are renewed ahead of time.

On AWS, `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`, `AWS_S3_USE_ARN_REGION`,
`AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS`, `AWS_S3_US_EAST_1_REGIONAL_ENDPOINT` and
`AWS_S3_DISABLE_EXPRESS_SESSION_AUTH` choose among its addresses, as do `use_accelerate_endpoint` and its kin in the
profile. The ARN of an access point, its parts divided by colons, may stand for a bucket; the alias of one, too.
A store that is not AWS's is its own token service (STS), unless `AWS_ENDPOINT_URL_STS` or the profile names one.

Sizes are bytes, or have a unit: `K`, `M`, `G`, `T` are powers of 1024, `KB`, `MB`, `GB`, `TB` powers of 1000. Times have
a unit: `ms`, `s`, `m`, `h`, `d`; a bare number is seconds.
";

/// The whole page.
pub fn document() -> String {
    let mut page = HEAD.to_owned();
    section(&mut page, "The store", "For every command that talks to a store.", Group::Store);
    section(&mut page, "The mount", "For `holdfs mount`.", Group::Mount);
    page
}

fn section(page: &mut String, title: &str, about: &str, group: Group) {
    let _ = write!(page, "\n## {title}\n\n{about}\n");
    for definition in DEFINITIONS.iter().filter(|definition| definition.group == group) {
        entry(page, definition);
    }
}

fn entry(page: &mut String, definition: &Definition) {
    let value = definition.value.map(|value| format!(" {value}")).unwrap_or_default();
    let also: String = definition.also.iter().map(|name| format!(", then `{name}`")).collect();
    let _ = write!(
        page,
        "\n### `--{}{value}`\n\n{}.\n\nVariable `{}`{also}. Default: {}.\n",
        definition.name,
        definition.help,
        definition.variable(),
        definition.default,
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_in_step_with_the_table() {
        let stored = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md"));
        assert!(
            stored.unwrap_or_default() == super::document(),
            "docs/CONFIGURATION.md is out of step: holdfs reference > docs/CONFIGURATION.md"
        );
    }
}
