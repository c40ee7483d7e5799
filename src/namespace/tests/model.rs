//! KY-09: the tree that lookups and listings show is the tree that the keys mean, for any set of keys around the
//! slash, any size of page and any changes of our own.

use proptest::prelude::*;

use super::*;

/// What a set of keys must look like: path → is it a directory.
fn tree_of(keys: &BTreeSet<String>) -> BTreeMap<String, bool> {
    let mut tree = BTreeMap::new();
    for key in keys {
        let mut path = String::new();
        let mut segments: Vec<&str> = key.split('/').collect();
        let is_marker = segments.last() == Some(&"");
        if is_marker {
            segments.pop();
        }
        for (index, segment) in segments.iter().enumerate() {
            if name::nameable(segment).is_err() {
                break;
            }
            path = if path.is_empty() { (*segment).to_owned() } else { format!("{path}/{segment}") };
            let is_directory = is_marker || index + 1 < segments.len();
            // The directory wins.
            *tree.entry(path.clone()).or_insert(false) |= is_directory;
        }
    }
    tree
}

/// The same by listings, from the root down.
async fn listed(mount: &Mount) -> BTreeMap<String, bool> {
    let mut tree = BTreeMap::new();
    let mut open = vec![(String::new(), mount.names.root())];
    while let Some((path, node)) = open.pop() {
        let directory = mount.open(&node);
        let mut cookie = 0;
        loop {
            let batch = directory.entries(cookie).await.expect("listed");
            for entry in &batch.entries {
                cookie = entry.cookie;
                let below =
                    if path.is_empty() { entry.name.to_string() } else { format!("{path}/{}", entry.name) };
                let child = directory.materialize(entry).expect("there");
                assert_eq!(child.kind(), entry.kind);
                assert!(tree.insert(below.clone(), child.is_directory()).is_none(), "{below} twice");
                if child.is_directory() {
                    open.push((below, child));
                }
            }
            if batch.end {
                break;
            }
        }
    }
    tree
}

/// Every path over the alphabet that is not too long: there exactly if it is in the tree.
async fn check_lookups(mount: &Mount, expected: &BTreeMap<String, bool>) {
    for (path, is_directory) in expected {
        let found = mount.find(path).await.unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!(found.is_directory(), *is_directory, "{path}");
    }
    for name in ["-", "0", "a", "a-", "a0", "0a", "-a", "aa"] {
        assert_eq!(mount.find(name).await.is_some(), expected.contains_key(name), "{name}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Make(String),
    Remove(usize),
    ForeignPut(String),
    ForeignDelete(usize),
    Wait,
}

fn any_key() -> impl Strategy<Value = String> {
    "[-./0a]{1,6}"
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        "[-0a]{1,2}".prop_map(Step::Make),
        any::<usize>().prop_map(Step::Remove),
        any_key().prop_map(Step::ForeignPut),
        any::<usize>().prop_map(Step::ForeignDelete),
        Just(Step::Wait),
    ]
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(test);
}

proptest! {
    #[test]
    fn keys_mean_one_tree(keys in prop::collection::btree_set(any_key(), 0..24), page_keys in 1u32..6) {
        run(async {
            let list: Vec<&str> = keys.iter().map(String::as_str).collect();
            let options = Options { page_keys, virtual_names: Vec::new(), ..Options::default() };
            let mount = mount_with(&list, options);
            let expected = tree_of(&keys);
            check_lookups(&mount, &expected).await;
            mount.clock.advance(Duration::from_secs(60));
            assert_eq!(listed(&mount).await, expected);
            check_lookups(&mount, &expected).await;
        });
    }

    #[test]
    fn our_own_changes_show_at_once_and_foreign_ones_after_the_ttl(
        keys in prop::collection::btree_set(any_key(), 0..12),
        steps in prop::collection::vec(any_step(), 1..12),
        page_keys in 1u32..4,
    ) {
        run(async {
            let list: Vec<&str> = keys.iter().map(String::as_str).collect();
            let options = Options { page_keys, virtual_names: Vec::new(), ..Options::default() };
            let mount = mount_with(&list, options);
            let mut keys = keys.clone();
            for step in steps {
                apply(&mount, &mut keys, step).await;
            }
            mount.clock.advance(Duration::from_secs(60));
            let expected = tree_of(&keys);
            assert_eq!(listed(&mount).await, expected);
            check_lookups(&mount, &expected).await;
        });
    }
}

async fn apply(mount: &Mount, keys: &mut BTreeSet<String>, step: Step) {
    let root = mount.names.root();
    match step {
        Step::Make(name) => {
            if mount.find(&name).await.is_some() {
                return;
            }
            mount.bucket.put(&name);
            keys.insert(name.clone());
            let new = NewNode { object: Some(mount.bucket.object(&name)), ..mount.new_file() };
            mount.names.inserted(&root, &name, new, Standing::Stored);
            assert!(mount.ls_root().await.contains(&name), "{name} was made");
            assert_eq!(mount.known(&root, &name), "file");
        }
        Step::Remove(index) => {
            let shown = mount.ls_root().await;
            let mut files = shown.iter().filter(|name| !name.ends_with('/'));
            let Some(name) = files.nth(index % shown.len().max(1)) else { return };
            mount.bucket.delete(name);
            keys.remove(name);
            mount.names.removed(&root, name, Standing::Stored);
            assert!(!mount.ls_root().await.contains(name), "{name} was removed");
            assert_eq!(mount.known(&root, name), "absent");
        }
        Step::ForeignPut(key) => {
            mount.bucket.put(&key);
            keys.insert(key);
        }
        Step::ForeignDelete(index) => {
            let Some(key) = keys.iter().nth(index % keys.len().max(1)).cloned() else { return };
            mount.bucket.delete(&key);
            keys.remove(&key);
        }
        Step::Wait => mount.clock.advance(Duration::from_secs(2)),
    }
}
