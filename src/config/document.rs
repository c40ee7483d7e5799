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

Credentials are no options. They come from the standard AWS places: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
`AWS_SESSION_TOKEN`, the profile files, the container, the instance. No flag takes a secret.

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
