//! Does a process still have a file open, by another descriptor than the one it closes?
//!
//! FLUSH says that some descriptor was closed, not whether it was the last. Linux tells through
//! `/proc/PID/fdinfo`, whose `ino:` line (5.14 and newer) costs no request to us, unlike a stat of `/proc/PID/fd`.

use std::fs;

use super::NodeId;

/// More descriptors than a shell has: not worth the search.
const DESCRIPTORS_MAX: usize = 64;

/// False where that cannot be told.
pub fn process_has_open(pid: u32, node: NodeId) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
        return false;
    };
    let infos = entries.take(DESCRIPTORS_MAX).filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    infos.into_iter().any(|info| inode_of(&info) == Some(node.0))
}

fn inode_of(info: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix("ino:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn an_open_file_is_seen_until_it_is_closed() {
        let file = tempfile::tempfile().expect("a temporary file");
        let node = NodeId(file.metadata().expect("its inode").ino());
        assert!(process_has_open(std::process::id(), node));
        drop(file);
        assert!(!process_has_open(std::process::id(), node));
    }

    #[test]
    fn a_process_that_is_not_there_has_nothing_open() {
        assert!(!process_has_open(u32::MAX, NodeId(7)));
        assert_eq!(inode_of("pos:\t0\nflags:\t02\nmnt_id:\t31\nino:\t42\n"), Some(42));
    }
}
