//! The namespace over the S3 client and an embedded server: what is said on the wire, and what goes wrong there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use holdfs::base::clock::Clock;
use holdfs::base::tasks::Tasks;
use holdfs::embedded::faults::{Action, Ending, Rule, When};
use holdfs::embedded::{self, Server};
use holdfs::namespace::{self, Directory, Known, Namespace, Node, Options};
use holdfs::s3::ops::{CreateBucket, DeleteObject, PutObject};
use holdfs::s3::{Client, Config, Credentials, Deadlines, ErrorKind, Provider};

const BUCKET: &str = "bucket";

struct World {
    server: Server,
    client: Client,
    names: Arc<Namespace>,
}

impl World {
    async fn new(keys: &[&str]) -> Self {
        Self::with(keys, "", Options { page_keys: 3, ..Options::default() }).await
    }

    async fn with(keys: &[&str], prefix: &str, options: Options) -> Self {
        let server = Server::start(embedded::Options::default()).await.expect("the server starts");
        let pair = server.key_pair().clone();
        // Short enough for a test to wait until the client gives up.
        let deadlines = Deadlines {
            connect: Duration::from_secs(2),
            response_header: Duration::from_millis(500),
            no_progress: Duration::from_millis(500),
            total_without_progress: Duration::from_secs(2),
        };
        let credentials = Credentials::new(pair.access_key, pair.secret_key);
        let endpoint = Some(server.endpoint());
        let config = Config { endpoint, deadlines, ..Config::new(Provider::fixed(credentials)) };
        let client = Client::new(config).expect("a client");
        let create = CreateBucket { bucket: BUCKET.into(), ..CreateBucket::default() };
        client.send(&create).await.expect("a bucket");
        for key in keys {
            client.send(&PutObject::new(BUCKET, *key, "x")).await.expect("stored");
        }
        let tasks = Tasks::new(tokio::runtime::Handle::current());
        let names = Namespace::new(client.clone(), BUCKET, prefix, options, Clock::system(), tasks);
        Self { server, client, names }
    }

    fn fault(&self, operation: &str, action: Action) -> u64 {
        self.server.faults().add(Rule::new(action).on(operation))
    }

    async fn find(&self, path: &str) -> namespace::Result<Option<Arc<Node>>> {
        let mut at = self.names.root();
        for name in path.split('/') {
            match self.names.lookup(&at, name).await? {
                Some(node) => at = node,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    async fn at(&self, path: &str) -> Arc<Node> {
        self.find(path).await.expect("an answer").unwrap_or_else(|| panic!("{path} is there"))
    }

    async fn ls(&self, path: &str) -> Vec<String> {
        let node = if path.is_empty() { self.names.root() } else { self.at(path).await };
        read_all(&self.names.open_directory(&node).expect("a directory")).await.expect("a listing")
    }
}

async fn read_all(directory: &Directory) -> namespace::Result<Vec<String>> {
    let (mut names, mut cookie) = (Vec::new(), 0);
    loop {
        let batch = directory.entries(cookie).await?;
        names.extend(batch.entries.iter().map(|entry| entry.name.to_string()));
        cookie = batch.entries.last().map_or(cookie, |entry| entry.cookie);
        if batch.end {
            return Ok(names);
        }
    }
}

fn status(status: u16, code: &str) -> Action {
    Action::Status { status, code: code.into(), headers: Vec::new(), when: When::Before }
}

fn kind_of<T>(answer: namespace::Result<T>) -> ErrorKind {
    match answer {
        Err(namespace::Error::Store(error)) => error.kind(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("an error was expected"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ky_09_a_tree_of_keys_around_the_slash_is_seen_as_it_is() {
    let keys = ["a", "a-", "a-/x", "a/", "a/b", "a0", "a.b/c", "b/", "c", "c//d", "é/ü", "e +%&=?#\u{1}\n"];
    let world = World::new(&keys).await;
    assert_eq!(world.ls("").await, ["a-", "a.b", "a", "a0", "b", "c", "e +%&=?#\u{1}\n", "é"]);
    assert_eq!(world.ls("a").await, ["b"]);
    assert_eq!(world.ls("é").await, ["ü"]);
    assert_eq!(world.ls("c").await, Vec::<String>::new());
    assert!(world.at("a-").await.is_directory());
    assert_eq!(world.at("e +%&=?#\u{1}\n").await.attributes().size, 1);
    let hidden: u64 = world.names.report().hidden.iter().map(|hidden| hidden.keys).sum();
    assert_eq!(hidden, 4, "the files a, a- and c beside directories, and c//");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_a_world_of_its_own() {
    let world = World::with(&["in/a", "in/d/b", "out"], "in/", Options::default()).await;
    assert_eq!(world.ls("").await, ["a", "d"]);
    assert_eq!(&*world.at("d/b").await.key(), "in/d/b");
    assert!(world.find("out").await.expect("an answer").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_22_what_goes_wrong_at_the_store_is_never_absence() {
    let world = World::new(&["d/x"]).await;
    let root = world.names.root();
    let cases = [
        (status(503, "SlowDown"), ErrorKind::Throttled),
        (status(500, "InternalError"), ErrorKind::Unavailable),
        (Action::Silence { when: When::Before }, ErrorKind::TimedOut),
        (Action::Drop { when: When::Before, ending: Ending::Reset }, ErrorKind::Unavailable),
    ];
    for (action, kind) in cases {
        for operation in ["HeadObject", "ListObjectsV2"] {
            let rule = world.fault(operation, action.clone());
            assert_eq!(kind_of(world.names.lookup(&root, "new").await), kind, "{operation}: {action:?}");
            assert!(world.server.faults().fired(rule) > 0);
            assert!(matches!(world.names.known(&root, "new"), Known::Unknown));
            world.server.faults().clear();
        }
    }
    assert!(world.find("new").await.expect("an answer").is_none(), "only now it is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_22_without_permissions_a_name_is_denied_not_absent() {
    let world = World::new(&["f", "d/x"]).await;
    let root = world.names.root();
    world.fault("HeadObject", status(403, "AccessDenied"));
    assert_eq!(kind_of(world.names.lookup(&root, "new").await), ErrorKind::Denied);
    assert!(world.at("d").await.is_directory(), "its listing says so");
    assert!(!world.at("f").await.is_directory(), "its listing shows it");
    world.server.faults().clear();
    world.fault("ListObjectsV2", status(403, "AccessDenied"));
    assert_eq!(kind_of(world.names.lookup(&root, "new").await), ErrorKind::Denied);
    assert!(!world.at("f").await.is_directory(), "files can be opened without permission to list");
    let directory = world.names.open_directory(&root).expect("a directory");
    assert_eq!(kind_of(read_all(&directory).await), ErrorKind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_22_an_empty_page_that_says_there_is_more_is_followed() {
    let world = World::new(&["d/a", "d/b", "e"]).await;
    let rule = world.server.faults().add(Rule::new(Action::EmptyPage).on("ListObjectsV2").times(2));
    assert!(world.at("d").await.is_directory());
    assert_eq!(world.server.faults().fired(rule), 2);
    world.server.faults().clear();
    let rule = world.server.faults().add(Rule::new(Action::EmptyPage).on("ListObjectsV2").times(1));
    assert_eq!(world.ls("").await, ["d", "e"]);
    assert_eq!(world.server.faults().fired(rule), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_21_an_error_while_looking_for_children_is_not_emptiness() {
    let world = World::new(&["d/"]).await;
    let directory = world.at("d").await;
    world.fault("ListObjectsV2", status(503, "SlowDown"));
    assert_eq!(kind_of(world.names.contents(&directory).await), ErrorKind::Throttled);
    world.server.faults().clear();
    assert_eq!(world.names.contents(&directory).await.expect("a listing").child, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_fault_is_not_seen_at_all() {
    let world = World::new(&["a", "b", "c", "d", "e", "f", "g"]).await;
    for operation in ["HeadObject", "ListObjectsV2"] {
        world.server.faults().add(Rule::new(status(503, "SlowDown")).on(operation).once());
        world
            .server
            .faults()
            .add(Rule::new(Action::Cut { at: 40, ending: Ending::Fin }).on(operation).once());
    }
    assert_eq!(world.ls("").await.len(), 7);
    assert!(world.find("a").await.expect("an answer").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn ls_costs_a_request_a_page_and_stat_after_it_nothing() {
    let keys: Vec<String> = (0..2500).map(|index| format!("d/{index:04}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let world = World::with(&keys, "", Options::default()).await;
    let directory = world.at("d").await;
    world.server.log().reset();
    assert_eq!(world.ls("d").await.len(), 2500);
    // One lookup of `d` by the helper, and three pages.
    assert_eq!(world.server.log().count("ListObjectsV2"), 4);
    world.server.log().reset();
    for name in ["0000", "1000", "2499"] {
        assert!(matches!(world.names.known(&directory, name), Known::Present(..)), "{name}");
    }
    assert_eq!(world.server.log().counters().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_writers_come_and_go_while_a_directory_is_read() {
    let keys: Vec<String> = (0..200).map(|index| format!("k{index:03}")).collect();
    let world = World::with(
        &keys.iter().map(String::as_str).collect::<Vec<_>>(),
        "",
        Options { page_keys: 10, ..Options::default() },
    )
    .await;
    let directory = world.names.open_directory(&world.names.root()).expect("a directory");
    let (mut seen, mut cookie, mut step) = (Vec::new(), 0, 0);
    loop {
        let batch = directory.entries(cookie).await.expect("a listing");
        seen.extend(batch.entries.iter().map(|entry| entry.name.to_string()));
        cookie = batch.entries.last().map_or(cookie, |entry| entry.cookie);
        if batch.end {
            break;
        }
        let gone =
            DeleteObject { bucket: BUCKET.into(), key: format!("k{:03}", step * 20), ..Default::default() };
        world.client.send(&gone).await.expect("removed");
        let new = PutObject::new(BUCKET, format!("n{step:03}"), "x");
        world.client.send(&new).await.expect("stored");
        step += 1;
    }
    let unique: BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "nothing twice");
    let stayed = keys.iter().enumerate().filter(|(index, _)| index % 20 != 0);
    assert!(stayed.into_iter().all(|(_, key)| unique.contains(key)), "nothing lost");
}
