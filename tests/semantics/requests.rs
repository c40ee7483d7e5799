//! What work costs: requests are money and, at 30 ms each, time.

use std::time::Duration;

use holdfs::fs::{DirectoryEntryPlus, Fill, NodeId};

use super::world::{Kind, World};

/// Every entry of the root as READDIRPLUS hands it out.
async fn walk(world: &World) -> Vec<String> {
    let handle = world.fs.opendir(NodeId::ROOT).expect("opens").handle;
    let (mut names, mut cookie) = (Vec::new(), 0);
    loop {
        let (before, after) = (names.len(), cookie);
        let mut sink = |entry: &DirectoryEntryPlus<'_>| {
            cookie = entry.cookie;
            names.push(entry.name.to_owned());
            Fill::Added
        };
        world.fs.readdirplus(NodeId::ROOT, handle, after, &mut sink).await.expect("lists");
        if names.len() == before {
            break;
        }
    }
    world.fs.releasedir(handle);
    names.retain(|name| name != "." && name != "..");
    names
}

fn total(requests: &[(String, u64)]) -> u64 {
    requests.iter().map(|(_, count)| count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn ls_of_many_files_costs_a_request_a_thousand() {
    let world = World::new(Kind::Plain).await;
    for n in 0..1500 {
        world.put(&format!("f{n:04}"), "x").await;
    }
    let (names, requests) = world
        .requests(async {
            let names = walk(&world).await;
            for name in &names {
                assert_eq!(world.stat(name).await.attr.size, 1);
            }
            names
        })
        .await;
    assert_eq!(names.len(), 1500);
    assert!(total(&requests) <= 3, "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_small_files_in_order_costs_a_request_a_file() {
    let world = World::new(Kind::Plain).await;
    for n in 0..300 {
        world.put(&format!("f{n:03}"), format!("content {n}")).await;
    }
    let names = walk(&world).await;
    let ((), requests) = world
        .requests(async {
            for (n, name) in names.iter().enumerate() {
                assert_eq!(world.read(name).await.expect("reads"), format!("content {n}"));
            }
        })
        .await;
    assert!(total(&requests) <= 310, "{requests:?}");
}

/// `cp -r` looks every name up before it makes it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_into_a_new_directory_costs_a_request_each() {
    let world = World::new(Kind::Plain).await;
    world.mkdir("d").await.expect("makes");
    let ((), requests) = world
        .requests(async {
            for n in 0..20 {
                world.write(&format!("d/f{n}"), b"x").await.expect("writes");
            }
            assert!(world.node("d/sub").await.is_none());
            world.mkdir("d/sub").await.expect("makes");
            world.write("d/sub/f", b"x").await.expect("writes");
            assert_eq!(world.list("d").await.len(), 21);
        })
        .await;
    assert_eq!(requests, [("PutObject".to_owned(), 22)]);
    assert_eq!(world.keys().await.len(), 23);
}

/// What others put there is seen when the time to live is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_directory_is_believed_to_be_ours_alone_for_the_time_to_live() {
    let ttl = Duration::from_millis(1500);
    let world = World::with(Kind::Plain, |options| options.ttl = ttl).await;
    world.mkdir("d").await.expect("makes");
    world.put("d/theirs", "x").await;
    tokio::time::sleep(ttl).await;
    assert!(world.node("d/theirs").await.is_some());
    assert_eq!(world.list("d").await, ["theirs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_a_new_file_costs_one_request_beside_its_lookup() {
    let world = World::new(Kind::Plain).await;
    world.mkdir("d").await.expect("makes");
    assert!(world.node("d/f").await.is_none());
    let (written, requests) = world
        .requests(async {
            let open = world.create("d/f", libc::O_WRONLY).await?;
            world.write_at(open, 0, b"x").await?;
            world.close(open).await
        })
        .await;
    written.expect("writes");
    assert_eq!(requests, [("PutObject".to_owned(), 1)]);
}
