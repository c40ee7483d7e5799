//! Many requests in flight at a store that throttles: they come back spread and get fewer, by the store's own count.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;

use crate::s3::ops::GetObject;
use crate::s3::scripted::{Answer, Heard, Server};
use crate::s3::{Client, Config, Deadlines};

const CALLERS: usize = 24;

fn get(key: usize) -> GetObject {
    GetObject { bucket: "bucket".to_owned(), key: key.to_string(), ..GetObject::default() }
}

fn slow_down(retry_after: Option<&str>) -> Answer {
    let headers: Vec<_> = retry_after.map(|seconds| ("retry-after", seconds)).into_iter().collect();
    Answer::new(503, &headers, "<Error><Code>SlowDown</Code></Error>")
}

/// Waits for as long as a machine at work may take.
fn patient(server: &Server) -> Client {
    let deadlines = Deadlines {
        connect: Duration::from_secs(20),
        response_header: Duration::from_secs(20),
        no_progress: Duration::from_secs(20),
        total_without_progress: Duration::from_secs(60),
    };
    Client::new(Config { deadlines, ..server.config() }).expect("a client")
}

/// Pairs that came the other way round: none of a herd that keeps its order, all of one that turns about.
fn swaps(before: &[Heard], after: &[Heard]) -> usize {
    let place =
        |heard: &Heard| before.iter().position(|other| other.target == heard.target).expect("it came before");
    let places: Vec<usize> = after.iter().map(place).collect();
    (0..places.len()).map(|at| places[at..].iter().filter(|place| **place < places[at]).count()).sum()
}

/// Each caller is refused once. Of 276 pairs half are swapped by chance, give or take 20.
async fn refuse_once(retry_after: Option<&'static str>) {
    let known = Mutex::new(BTreeSet::<String>::new());
    let server = Server::start(move |_, heard| match known.lock().insert(heard.target.clone()) {
        true => slow_down(retry_after),
        false => Answer::object("x"),
    })
    .await;
    let client = patient(&server);
    let asked = Instant::now();
    let send = async |key| client.send(&get(key)).await.map(drop);
    let results = join_all((0..CALLERS).map(send)).await;
    assert!(results.iter().all(Result::is_ok), "no error reaches a caller: {results:?}");
    let heard = server.heard();
    assert_eq!(heard.len(), 2 * CALLERS, "nobody came more often");
    assert_eq!(client.stats().throttled, CALLERS as u64);
    let (first, second) = heard.split_at(CALLERS);
    let swaps = swaps(first, second);
    assert!((50..=226).contains(&swaps), "{swaps} of 276 pairs came the other way round");
    let least = retry_after.map_or(0, |seconds| seconds.parse().expect("a number"));
    assert!(asked.elapsed() >= Duration::from_secs(least), "nobody came before the time");
}

#[tokio::test]
async fn s3_03_a_herd_that_is_sent_away_does_not_come_back_as_one() {
    tokio::join!(refuse_once(None), refuse_once(Some("1")));
}

/// Takes `per_second` requests and throttles the others; knows of each which it was.
struct Busy {
    tokens: f64,
    filled: Instant,
    served: Vec<bool>,
}

impl Busy {
    fn ask(&mut self, per_second: f64) -> bool {
        let passed = self.filled.elapsed().as_secs_f64();
        self.filled = Instant::now();
        self.tokens = (self.tokens + passed * per_second).min(per_second / 4.0);
        let serves = self.tokens >= 1.0;
        self.tokens -= if serves { 1.0 } else { 0.0 };
        self.served.push(serves);
        serves
    }
}

#[tokio::test]
async fn s3_03_a_herd_asks_less_and_less_of_a_store_that_is_busy() {
    let busy = Busy { tokens: 0.0, filled: Instant::now(), served: Vec::new() };
    let busy = Arc::new(Mutex::new(busy));
    let server = Server::start({
        let busy = busy.clone();
        move |_, _| if busy.lock().ask(30.0) { Answer::object("x") } else { slow_down(None) }
    })
    .await;
    let client = patient(&server);
    let caller = |number: usize| {
        let client = &client;
        async move {
            for request in 0..4 {
                client.send(&get(number * 4 + request)).await.map(drop)?;
            }
            Ok::<_, crate::s3::Error>(())
        }
    };
    let results = join_all((0..CALLERS).map(caller)).await;
    assert!(results.iter().all(Result::is_ok), "no error reaches a caller: {results:?}");
    let served = std::mem::take(&mut busy.lock().served);
    let refused = |asked: &[bool]| asked.iter().filter(|served| !**served).count();
    let (wanted, all) = (4 * CALLERS, refused(&served));
    assert_eq!(served.len() - all, wanted);
    // Who comes again at once is refused hundreds of times; whoever keeps to a rate, less than once a request.
    assert!(all > 0 && all < wanted, "{all} refusals for {wanted} requests");
    let (early, late) = served.split_at(served.len() / 2);
    assert!(refused(late) < refused(early), "{} refusals, then {}", refused(early), refused(late));
    assert_eq!(client.stats().throttled, all as u64);
}
