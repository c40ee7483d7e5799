//! The namespace over a bucket in memory that fails, lags and holds its answers back at will.

mod bucket;
mod changes;
mod directories;
mod lookups;
mod model;
mod nodes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::bucket::Bucket;
use super::*;

/// A namespace over a bucket with these keys; the clock stands still until it is moved.
struct Mount {
    bucket: Arc<Bucket>,
    names: Arc<Namespace>,
    clock: Clock,
}

fn mount(keys: &[&str]) -> Mount {
    mount_with(keys, Options::default())
}

fn mount_with(keys: &[&str], options: Options) -> Mount {
    let bucket = Arc::new(Bucket::default());
    keys.iter().for_each(|key| bucket.put(key));
    let clock = Clock::manual();
    let tasks = Tasks::new(tokio::runtime::Handle::current());
    let names = Namespace::over(bucket.clone(), "b", "", options, clock.clone(), tasks);
    Mount { bucket, names, clock }
}

impl Mount {
    async fn find(&self, path: &str) -> Option<Arc<Node>> {
        let mut at = self.names.root();
        for name in path.split('/') {
            at = self.names.lookup(&at, name).await.expect("the store answers")?;
        }
        Some(at)
    }

    async fn at(&self, path: &str) -> Arc<Node> {
        self.find(path).await.unwrap_or_else(|| panic!("{path} is there"))
    }

    fn known(&self, parent: &Arc<Node>, name: &str) -> &'static str {
        match self.names.known(parent, name) {
            Known::Present(node, _) if node.is_directory() => "directory",
            Known::Present(..) => "file",
            Known::Absent(_) => "absent",
            Known::Unknown => "unknown",
        }
    }

    fn open(&self, directory: &Arc<Node>) -> Directory {
        self.names.open_directory(directory).expect("a directory")
    }

    /// Names as `ls -F` shows them.
    async fn ls(&self, directory: &Arc<Node>) -> Vec<String> {
        read_all(&self.open(directory)).await
    }

    async fn ls_root(&self) -> BTreeSet<String> {
        self.ls(&self.names.root()).await.into_iter().collect()
    }

    fn new_file(&self) -> NewNode {
        self.new_node(FileKind::File)
    }

    fn new_node(&self, kind: FileKind) -> NewNode {
        let defaults = Defaults { uid: 0, gid: 0, file_mode: 0o644, dir_mode: 0o755 };
        let attributes = Attributes::of(kind, 0, self.clock.wall(), &Posix::default(), &defaults);
        NewNode { attributes, object: None }
    }
}

async fn read_all(directory: &Directory) -> Vec<String> {
    let (mut names, mut cookie) = (Vec::new(), 0);
    loop {
        let batch = directory.entries(cookie).await.expect("the store answers");
        for entry in &batch.entries {
            assert!(entry.cookie > cookie, "cookies ascend");
            cookie = entry.cookie;
            names.push(shown(entry));
        }
        if batch.end {
            return names;
        }
        assert!(!batch.entries.is_empty(), "an empty batch is the end");
    }
}

fn shown(entry: &DirectoryEntry) -> String {
    format!("{}{}", entry.name, if entry.kind == FileKind::Directory { "/" } else { "" })
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}
