//! How much memory is ours to use: the machine's, or what the tightest enclosing cgroup leaves of it.
//!
//! A limit may sit on any ancestor of our cgroup (a pod above a container, a slice above a unit), so every
//! directory from our own up to the root of each mounted hierarchy is asked. Both versions may be mounted at
//! once (`cgroups(7)`); v1 reports "no limit" as a huge number, v2 as `max`.

use std::fs::read_to_string;
use std::path::{Component, Path, PathBuf};

const CAPACITY_BYTES_MAX: u64 = 256 << 20;
const CAPACITY_BYTES_MIN: u64 = 16 << 20;

/// A quarter of what may be used: the rest is for page cache, staging and everything that is not file bytes.
pub fn capacity_bytes(root: &Path) -> u64 {
    let limit = memory_bytes(root).unwrap_or(4 * CAPACITY_BYTES_MAX);
    (limit / 4).clamp(CAPACITY_BYTES_MIN, CAPACITY_BYTES_MAX)
}

/// The smallest of the machine's memory and all limits of enclosing cgroups. `root` is `/`, but for tests.
fn memory_bytes(root: &Path) -> Option<u64> {
    let machine = read_to_string(root.join("proc/meminfo")).ok().and_then(|text| mem_total_bytes(&text));
    let groups = read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mounts = read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    let limits =
        mounts.lines().filter_map(Hierarchy::parse).flat_map(|hierarchy| hierarchy.limits(root, &groups));
    machine.into_iter().chain(limits).min()
}

fn mem_total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

enum Version {
    V1,
    V2,
}

/// A mounted cgroup hierarchy that may control memory.
struct Hierarchy {
    version: Version,
    /// What of the hierarchy is mounted (not `/` in containers without a cgroup name space).
    top: PathBuf,
    mounted_at: PathBuf,
}

impl Hierarchy {
    /// A line of mountinfo: `36 35 98:0 /top /mounted/at options… - type source super-options`.
    fn parse(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut file_system = file_system.split(' ');
        let version = match (file_system.next()?, file_system.nth(1)) {
            ("cgroup2", _) => Version::V2,
            ("cgroup", Some(options)) if options.split(',').any(|name| name == "memory") => Version::V1,
            _ => return None,
        };
        let mut mount = mount.split(' ').skip(3);
        Some(Self { version, top: unescape(mount.next()?), mounted_at: unescape(mount.next()?) })
    }

    fn limits(self, root: &Path, groups: &str) -> Vec<u64> {
        let below = self.own_group(groups).unwrap_or_default();
        let base = root.join(self.mounted_at.strip_prefix("/").unwrap_or(&self.mounted_at));
        let files: &[&str] = match self.version {
            Version::V1 => &["memory.limit_in_bytes"],
            Version::V2 => &["memory.max", "memory.high"],
        };
        let limit = |file: PathBuf| read_to_string(file).ok()?.trim().parse::<u64>().ok();
        below
            .ancestors()
            .flat_map(|group| files.iter().map(move |file| group.join(file)))
            .filter_map(|file| limit(base.join(file)))
            .collect()
    }

    /// Our group's path below the mount point; `None` where it lies outside of what is mounted, and then the
    /// mount point is as near as one gets.
    fn own_group(&self, groups: &str) -> Option<PathBuf> {
        let path = groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let ours = match self.version {
                Version::V1 => controllers.split(',').any(|name| name == "memory"),
                Version::V2 => id == "0" && controllers.is_empty(),
            };
            ours.then(|| PathBuf::from(path))
        })?;
        let below = path.strip_prefix(&self.top).ok()?;
        below.components().all(|part| matches!(part, Component::Normal(_))).then(|| below.to_path_buf())
    }
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &str) -> PathBuf {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(field.to_owned(), |text, (from, to)| text.replace(from, to)).into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MIB: u64 = 1 << 20;
    const V2_MOUNT: &str = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
    const V1_MOUNT: &str = "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";

    /// A machine of 64 GiB with these mounts, this membership and these files below /sys/fs/cgroup.
    fn machine(mounts: &str, groups: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("proc/meminfo", "MemTotal:       67108864 kB\nMemFree: 1 kB\n");
        put("proc/self/mountinfo", mounts);
        put("proc/self/cgroup", groups);
        files.iter().for_each(|(path, text)| put(&format!("sys/fs/cgroup/{path}"), text));
        root
    }

    fn seen_mib(mounts: &str, groups: &str, files: &[(&str, &str)]) -> u64 {
        memory_bytes(machine(mounts, groups, files).path()).unwrap() / MIB
    }

    #[test]
    fn without_limits_it_is_the_machine() {
        assert_eq!(seen_mib("", "", &[]), 65536);
        assert_eq!(seen_mib(V2_MOUNT, "0::/a\n", &[("a/memory.max", "max\n")]), 65536);
        assert_eq!(
            seen_mib(
                V1_MOUNT,
                "4:memory:/a\n",
                &[("memory/a/memory.limit_in_bytes", "9223372036854771712\n")]
            ),
            65536
        );
    }

    #[test]
    fn the_tightest_ancestor_counts() {
        let files = [
            ("pod/memory.max", "314572800\n"),
            ("pod/box/memory.max", "max\n"),
            ("pod/box/unit/memory.max", "8589934592\n"),
        ];
        assert_eq!(seen_mib(V2_MOUNT, "0::/pod/box/unit\n", &files), 300);
        let files = [
            ("memory/pod/memory.limit_in_bytes", "104857600\n"),
            ("memory/pod/box/memory.limit_in_bytes", "209715200\n"),
        ];
        assert_eq!(seen_mib(V1_MOUNT, "5:cpu,memory:/pod/box\n0::/\n", &files), 100);
    }

    #[test]
    fn a_throttling_limit_counts_as_one() {
        let files = [("a/memory.max", "8589934592"), ("a/memory.high", "1073741824")];
        assert_eq!(seen_mib(V2_MOUNT, "0::/a\n", &files), 1024);
    }

    #[test]
    fn a_container_that_sees_only_its_own_part_finds_its_limit() {
        // Docker on v1 without a cgroup name space: the mount's top is our own group.
        let mount = "31 24 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        let files = [("memory/memory.limit_in_bytes", "536870912\n")];
        assert_eq!(seen_mib(mount, "4:memory:/docker/abc\n", &files), 512);
        // With a name space whose root is below the mount's top, or a group outside of the mount.
        assert_eq!(seen_mib(V1_MOUNT, "4:memory:/../..\n", &files), 512);
    }

    #[test]
    fn both_versions_at_once_are_both_asked() {
        let mounts = format!("{V1_MOUNT}\n30 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw");
        let files = [("memory/a/memory.limit_in_bytes", "1073741824"), ("unified/b/memory.max", "536870912")];
        assert_eq!(seen_mib(&mounts, "4:memory:/a\n0::/b\n", &files), 512);
    }

    #[test]
    fn a_quarter_is_taken_within_bounds() {
        let limited =
            |max: &str| capacity_bytes(machine(V2_MOUNT, "0::/a\n", &[("a/memory.max", max)]).path()) / MIB;
        assert_eq!([limited("314572800"), limited("max"), limited("1048576")], [75, 256, 16]);
    }

    #[test]
    fn this_machine_has_some() {
        assert!(memory_bytes(Path::new("/")).unwrap() > 64 * MIB);
    }
}
