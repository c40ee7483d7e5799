//! Where things live on this machine, by the XDG base directory specification.

use std::env;
use std::path::{Path, PathBuf};

use crate::base::digest;

pub fn user_id() -> u32 {
    // SAFETY: geteuid cannot fail and touches no memory.
    unsafe { libc::geteuid() }
}

pub fn group_id() -> u32 {
    // SAFETY: getegid cannot fail and touches no memory.
    unsafe { libc::getegid() }
}

/// The default of `--state`.
pub fn default_state() -> PathBuf {
    in_home("XDG_STATE_HOME", ".local/state", "/var/lib/holdfs")
}

/// The configuration file that is read when it exists.
pub fn default_file() -> PathBuf {
    in_home("XDG_CONFIG_HOME", ".config", "/etc/holdfs").join("config")
}

/// `$variable/holdfs`, else `~/below_home/holdfs`; `for_root` for root, whose home is not the place.
fn in_home(variable: &str, below_home: &str, for_root: &str) -> PathBuf {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match absolute(variable) {
        Some(base) => base.join("holdfs"),
        None if user_id() == 0 => for_root.into(),
        None => match absolute("HOME") {
            Some(home) => home.join(below_home).join("holdfs"),
            None => for_root.into(),
        },
    }
}

/// Where one mount keeps its journal and staged data: `BUCKET-HASH`, HASH being 16 hex digits of
/// SHA-256(`scheme://host:port` NUL bucket NUL prefix).
pub fn of_mount(state: &Path, endpoint: &str, bucket: &str, prefix: &str) -> PathBuf {
    let digest = digest::sha256(format!("{}\0{bucket}\0{prefix}", endpoint.to_ascii_lowercase()).as_bytes());
    state.join(format!("{bucket}-{}", digest::hex(&digest[..8])))
}

/// Where running mounts answer `holdfs status`: short, since the path of a socket has 107 bytes at most, and gone
/// after a restart of the machine.
pub fn runtime(user: u32) -> PathBuf {
    match user {
        0 => "/run/holdfs".into(),
        user => PathBuf::from(format!("/run/user/{user}/holdfs")),
    }
}

/// This host in names of conflict copies: the first label of its name, as far as it fits into a key.
pub fn host_id() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host_label(&name)
}

fn host_label(name: &str) -> String {
    let first = name.trim().split('.').next().unwrap_or_default();
    let label: String = first.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(63).collect();
    if label.is_empty() { "host".into() } else { label }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_by_its_first_label() {
        for (name, label) in [("web-1.example.org\n", "web-1"), ("", "host"), ("a b/c", "abc")] {
            assert_eq!(host_label(name), label);
        }
    }
}
