//! DL-16: many processes at once in one mount; in the end the store has what the mount shows.
//!
//! Each task has a directory of its own, of which a model says exactly what it must hold, and all of them fight over a
//! few shared names, of which each must hold something that somebody wrote, whole. The seeds are fixed; the order in
//! which tasks meet is not.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use holdfs::embedded::faults::{Action, Ending, Rule, When};
use holdfs::fs::{ErrorKind, SetAttr};

use super::world::{Kind, World};

const TASKS: u64 = 8;
const STEPS: usize = 40;
const OWN_NAMES: u64 = 6;
const SHARED_NAMES: u64 = 5;

/// What a file holds: told apart from every other, and seen to be whole.
fn content(task: u64, step: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    let line = format!("task {task} step {step}\n");
    line.repeat(random.usize(1..200)).into_bytes()
}

fn is_whole(bytes: &[u8]) -> bool {
    let line = bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    line.starts_with(b"task ") && bytes.chunks(line.len()).all(|chunk| chunk == line)
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct File {
    bytes: Vec<u8>,
    color: Option<String>,
}

type Model = BTreeMap<String, File>;

/// Works in `t{task}/`, where nobody else is.
async fn own_step(world: &World, task: u64, step: usize, random: &mut fastrand::Rng, model: &mut Model) {
    let name =
        |random: &mut fastrand::Rng| format!("t{task}/d{}/f{}", random.u64(0..2), random.u64(0..OWN_NAMES));
    let (path, other) = (name(random), name(random));
    let there = model.contains_key(&path);
    match random.u8(0..10) {
        0..4 => {
            let bytes = content(task, step, random);
            world.write(&path, &bytes).await.expect("writes");
            model.entry(path).or_default().bytes = bytes;
        }
        4..6 if there => {
            world.rename(&path, &other).await.expect("renames");
            let file = model.remove(&path).expect("is there");
            model.insert(other, file);
        }
        6 if there => {
            let color = step.to_string();
            world.set_xattr(&path, "user.color", &color).await.expect("sets");
            model.get_mut(&path).expect("is there").color = Some(color);
        }
        7 if there => {
            let half = model[&path].bytes.len() as u64 / 2;
            let cut = SetAttr { size: Some(half), ..SetAttr::default() };
            world.setattr(&path, cut).await.expect("truncates");
            model.get_mut(&path).expect("is there").bytes.truncate(half as usize);
        }
        8 if there => {
            world.unlink(&path).await.expect("removes");
            model.remove(&path);
        }
        9 => {
            // Both directories change places, with all that is in them.
            let at = |place: &str| format!("t{task}/{place}");
            for (from, to) in [("d0", "spare"), ("d1", "d0"), ("spare", "d1")] {
                world.rename(&at(from), &at(to)).await.expect("renames a directory");
            }
            let swapped = model.iter().map(|(path, file)| {
                let path = match path.contains("/d0/") {
                    true => path.replace("/d0/", "/d1/"),
                    false => path.replace("/d1/", "/d0/"),
                };
                (path, file.clone())
            });
            *model = swapped.collect();
        }
        _ => {}
    }
}

/// Works where all do: a name may go or come at any time.
async fn shared_step(world: &World, task: u64, step: usize, random: &mut fastrand::Rng) {
    let path = format!("shared/f{}", random.u64(0..SHARED_NAMES));
    let other = format!("shared/f{}", random.u64(0..SHARED_NAMES));
    let parent = world.existing("shared").await;
    let name = OsStr::new(path.rsplit('/').next().expect("a name"));
    let done = match random.u8(0..6) {
        0..3 => write_shared(world, &path, &content(task, step, random)).await,
        3 => world.rename(&path, &other).await,
        4 => world.fs.unlink(parent, name).await,
        _ => match world.node(&path).await {
            Some(node) => {
                let color = bytes::Bytes::from_static(b"red");
                world.fs.setxattr(node, OsStr::new("user.color"), color, Default::default()).await
            }
            None => Ok(()),
        },
    };
    if let Err(error) = done {
        let expected = [ErrorKind::NotFound, ErrorKind::Stale, ErrorKind::Exists];
        assert!(expected.contains(&error.kind()), "{path}: {:?} {error}", error.kind());
    }
}

/// To a name of its own, and then renamed: the way to replace a file that others read.
async fn write_shared(world: &World, path: &str, bytes: &[u8]) -> Result<(), holdfs::fs::Error> {
    let draft = format!("{path}.{}", fastrand::u64(..));
    world.write(&draft, bytes).await?;
    world.rename(&draft, path).await
}

async fn task(world: Arc<World>, task: u64) -> Model {
    let mut random = fastrand::Rng::with_seed(task);
    let mut model = Model::new();
    for step in 0..STEPS {
        own_step(&world, task, step, &mut random, &mut model).await;
        shared_step(&world, task, step, &mut random).await;
    }
    model
}

async fn storm(world: World) {
    world.mkdir("shared").await.expect("makes");
    for n in 0..TASKS {
        for directory in [format!("t{n}"), format!("t{n}/d0"), format!("t{n}/d1")] {
            world.mkdir(&directory).await.expect("makes");
        }
    }
    let world = Arc::new(world);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..TASKS {
        tasks.spawn(task(world.clone(), n));
    }
    let mut model = Model::new();
    while let Some(done) = tasks.join_next().await {
        model.extend(done.expect("no task fails"));
    }
    world.server.faults().clear();
    assert_eq!(world.fs.drain(Duration::from_secs(5)).await, 0);
    check_own(&world, &model).await;
    check_shared(&world).await;
    check_leftovers(&world, &model).await;
}

async fn check_own(world: &World, model: &Model) {
    for (path, file) in model {
        assert_eq!(world.read(path).await.expect("reads"), file.bytes, "{path} on the mount");
        assert_eq!(world.get(path).await.as_deref(), Some(&file.bytes[..]), "{path} at the store");
        let color = world.head(path).await.and_then(|headers| headers.metadata.get("color").cloned());
        assert_eq!(color, file.color, "{path}");
    }
    for task in 0..TASKS {
        for directory in [format!("t{task}/d0"), format!("t{task}/d1")] {
            let prefix = format!("{directory}/");
            let expected: Vec<_> = model.keys().filter_map(|path| path.strip_prefix(&prefix)).collect();
            assert_eq!(world.list(&directory).await, expected, "{directory}");
        }
    }
}

async fn check_shared(world: &World) {
    for name in world.list("shared").await {
        let path = format!("shared/{name}");
        let stored = world.get(&path).await.unwrap_or_else(|| panic!("{path} is at the store"));
        assert!(is_whole(&stored), "{path}: {:?}", String::from_utf8_lossy(&stored));
        assert_eq!(world.read(&path).await.expect("reads"), stored, "{path}");
    }
}

/// Files at the store: those of the model, those that the mount shows, and no other.
async fn check_leftovers(world: &World, model: &Model) {
    let mut expected: Vec<String> = model.keys().cloned().collect();
    expected.extend(world.list("shared").await.into_iter().map(|name| format!("shared/{name}")));
    expected.sort();
    let mut keys = world.keys().await;
    keys.retain(|key| !key.ends_with('/') && !key.ends_with(".holdfs"));
    assert_eq!(keys, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_16_a_storm_leaves_at_the_store_what_the_mount_shows() {
    storm(World::new(Kind::Plain).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dl_16_a_storm_on_a_versioned_bucket_that_stalls_and_loses_answers() {
    let world = World::new(Kind::Versioned).await;
    let faults = world.server.faults();
    for (seed, operation) in ["PutObject", "CopyObject", "DeleteObject"].into_iter().enumerate() {
        let lost = Action::Drop { when: When::After, ending: Ending::Reset };
        // Not of markers: who asks "only if it is absent" and hears nothing cannot know whose it is then.
        faults.add(Rule::new(lost).on(operation).key("*/f*").probability(0.03, seed as u64));
        faults.add(Rule::new(Action::Delay { milliseconds: 30 }).on(operation).probability(0.2, seed as u64));
    }
    storm(world).await;
}
