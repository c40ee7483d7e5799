//! `-o opt,opt`: options of ours, and the generic ones that mount(8) and fstab(5) hand to every file system.

use crate::fuse::MountFlags;

use super::{Assignment, Definition, Error, Source};

/// What a list of `-o` options means.
#[derive(Clone, Debug, Default)]
pub struct MountOptions {
    pub assignments: Vec<Assignment>,
    /// Flags of the kernel's mount; source, read-only and allow-other are filled in elsewhere.
    pub flags: MountFlags,
}

/// For mount(8), systemd and fstab, not for us: when to mount, who may, and what FUSE does anyway.
const NOT_FOR_US: [&str; 24] = [
    "auto",
    "noauto",
    "defaults",
    "_netdev",
    "nofail",
    "user",
    "nouser",
    "users",
    "nousers",
    "owner",
    "group",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "diratime",
    "nodiratime",
    "lazytime",
    "nolazytime",
    "silent",
    "loud",
    "default_permissions",
    "comment",
    "uhelper",
];

/// Reads one `-o` argument: options separated by commas; `\,` is a comma within a value.
pub fn from_mount_options(list: &str) -> Result<MountOptions, Error> {
    let mut options = MountOptions::default();
    for option in split(list) {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option.as_str(), None),
        };
        if !name.is_empty() && !kernel_flag(&mut options.flags, name) && !is_not_for_us(name) {
            options.assignments.push(assignment(name, value)?);
        }
    }
    Ok(options)
}

fn split(list: &str) -> Vec<String> {
    let marked = list.replace("\\,", "\0");
    marked.split(',').map(|option| option.trim().replace('\0', ",")).collect()
}

fn is_not_for_us(name: &str) -> bool {
    NOT_FOR_US.contains(&name) || name.starts_with("x-") || name.starts_with("X-")
}

fn kernel_flag(flags: &mut MountFlags, name: &str) -> bool {
    match name {
        "suid" => flags.allow_suid = true,
        "nosuid" => flags.allow_suid = false,
        "dev" => flags.allow_dev = true,
        "nodev" => flags.allow_dev = false,
        "exec" => flags.no_exec = false,
        "noexec" => flags.no_exec = true,
        "atime" => flags.no_atime = false,
        "noatime" => flags.no_atime = true,
        "sync" => flags.synchronous = true,
        "async" => flags.synchronous = false,
        "dirsync" => flags.dir_synchronous = true,
        _ => return false,
    }
    true
}

fn assignment(name: &str, value: Option<&str>) -> Result<Assignment, Error> {
    let (name, value) = match name {
        "ro" => ("read-only".into(), Some("true")),
        "rw" => ("read-only".into(), Some("false")),
        other => (other.replace('_', "-"), value),
    };
    let definition = Definition::named(&name)
        .ok_or_else(|| Error(format!("-o {name}: there is no such option; see holdfs mount --help.")))?;
    let value = match (value, definition.value) {
        (Some(value), _) => value.to_owned(),
        (None, None) => "true".to_owned(),
        (None, Some(placeholder)) => return Err(Error(format!("-o {name}: expected {name}={placeholder}."))),
    };
    Ok(Assignment { definition, value, source: Source::MountOption })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Options;

    fn options(list: &str) -> Options {
        let given = from_mount_options(list).expect("good options");
        Options::resolve(given.assignments).expect("good values")
    }

    #[test]
    fn a_line_of_fstab_mixes_generic_options_with_ours() {
        let options = options(
            "rw,noauto,_netdev,nofail,x-systemd.automount,allow_other,uid=7,gid=8,file_mode=600,ttl=1m",
        );
        assert!(options.allow_other && !options.read_only);
        assert_eq!((options.uid, options.gid, options.file_mode), (7, 8, 0o600));
        assert_eq!(options.ttl.as_secs(), 60);
    }

    #[test]
    fn flags_of_the_kernel_go_to_the_kernel() {
        let given = from_mount_options("suid,dev,noexec,noatime,dirsync,ro").expect("good options");
        let flags = given.flags;
        assert!(
            flags.allow_suid && flags.allow_dev && flags.no_exec && flags.no_atime && flags.dir_synchronous
        );
        assert!(Options::resolve(given.assignments).expect("good values").read_only);
        let last_wins = from_mount_options("suid,nosuid,noexec,exec").expect("good options").flags;
        assert_eq!(last_wins, MountFlags::default());
    }

    #[test]
    fn unknown_options_and_missing_values_are_refused() {
        for (list, expected) in [
            ("turbo", "there is no such option"),
            ("ttl", "expected ttl=TIME"),
            ("allow_root", "there is no such option"),
            ("cache_size=1G", "there is no such option"),
        ] {
            let error = from_mount_options(list).map(|_| ()).expect_err("an error").to_string();
            assert!(error.contains(expected), "{list}: {error}");
        }
    }

    #[test]
    fn an_escaped_comma_belongs_to_the_value() {
        assert_eq!(options(r"state=/a\,b,ro").state, std::path::PathBuf::from("/a,b"));
    }
}
