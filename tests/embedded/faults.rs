//! Every fault does what it says, and only where it was told.

use std::time::{Duration, Instant};

use holdfs::embedded::faults::{Action, Ending, Rule, When};

use super::raw::Store;

const BODY: &[u8] = b"0123456789";

fn store() -> Store {
    let store = Store::in_memory();
    assert_eq!(store.put("/bkt/k", BODY).status, 200);
    store
}

#[test]
fn a_status_is_answered_once_and_counted() {
    let store = store();
    let headers = vec![("Retry-After".to_owned(), "1".to_owned())];
    let action = Action::Status { status: 503, code: "SlowDown".into(), headers, when: When::Before };
    let rule = store.faults().add(Rule::new(action).on("GetObject").key("k").once());
    assert_eq!(store.put("/bkt/k", BODY).status, 200, "another operation");
    let hit = store.get("/bkt/k");
    assert_eq!((hit.status, hit.code().as_str(), hit.header("retry-after")), (503, "SlowDown", Some("1")));
    assert_eq!(store.get("/bkt/k").body, BODY);
    assert_eq!(store.faults().fired(rule), 1);
}

#[test]
fn before_and_after_differ_by_what_was_done() {
    let store = store();
    for (when, expected) in [(When::Before, 404), (When::After, 200)] {
        let rule =
            store.faults().add(Rule::new(Action::Drop { when, ending: Ending::Fin }).on("PutObject").once());
        assert!(store.send("PUT", "/bkt/new", &[], b"x").is_err(), "no reply");
        assert_eq!((store.get("/bkt/new").status, store.faults().fired(rule)), (expected, 1), "{when:?}");
    }
    let action = Action::ErrorIn200 { code: "InternalError".into(), blanks: 3, when: When::After };
    store.faults().add(Rule::new(action).on("CopyObject").once());
    let reply = store.with("PUT", "/bkt/copy", &[("x-amz-copy-source", "bkt/k")], b"");
    assert_eq!((reply.status, reply.code().as_str()), (200, "InternalError"));
    assert!(reply.text().starts_with("   <"));
    assert_eq!(store.get("/bkt/copy").body, BODY);
}

#[test]
fn bodies_are_cut_at_the_byte() {
    let store = store();
    for at in [0, 1, 5, 9] {
        for ending in [Ending::Fin, Ending::Reset] {
            store.faults().add(Rule::new(Action::Cut { at, ending }).on("GetObject").once());
            let reply = store.get("/bkt/k");
            assert_eq!((reply.status, reply.header("content-length")), (200, Some("10")));
            assert_eq!(reply.body, BODY[..at as usize], "{ending:?} at {at}");
        }
    }
    assert!(store.get("/bkt/k").is_whole());
}

#[test]
fn bodies_are_changed() {
    let store = store();
    let once = |action| store.faults().add(Rule::new(action).on("GetObject").once());
    once(Action::FlipBit { at: 3 });
    assert_eq!(store.get("/bkt/k").body, b"0122456789");
    once(Action::ReplaceBody { body: "<Error/>".into() });
    let replaced = store.get("/bkt/k");
    assert_eq!((replaced.status, replaced.text().as_str(), replaced.is_whole()), (200, "<Error/>", true));
    once(Action::IgnoreRange);
    let whole = store.with("GET", "/bkt/k", &[("range", "bytes=2-3")], b"");
    assert_eq!((whole.status, whole.body.as_slice()), (200, BODY));
    let set = vec![("ETag".to_owned(), None), ("Content-Encoding".to_owned(), Some("gzip".to_owned()))];
    once(Action::Headers { set });
    let dressed = store.get("/bkt/k");
    assert_eq!((dressed.header("etag"), dressed.header("content-encoding")), (None, Some("gzip")));
    assert_eq!(store.get("/bkt/k").body, BODY);
}

#[test]
fn a_stalled_body_and_a_silent_server_say_nothing_more() {
    let store = store();
    store.faults().add(Rule::new(Action::Stall { at: 4 }).on("GetObject").once());
    let began = Instant::now();
    let reply = store.get("/bkt/k");
    assert_eq!(reply.body, BODY[..4]);
    assert!(began.elapsed() >= Duration::from_secs(4), "the client gave up, not the server");
    store.faults().add(Rule::new(Action::Silence { when: When::Before }).on("HeadObject").once());
    assert!(store.send("HEAD", "/bkt/k", &[], b"").is_err());
    assert_eq!(store.get("/bkt/k").body, BODY, "others are served");
}

#[test]
fn a_slow_body_comes_in_pieces() {
    let store = store();
    store
        .faults()
        .add(Rule::new(Action::Trickle { bytes: 2, every_milliseconds: 20 }).on("GetObject").once());
    let began = Instant::now();
    assert_eq!(store.get("/bkt/k").body, BODY);
    assert!(began.elapsed() >= Duration::from_millis(80), "{:?}", began.elapsed());
    store.faults().add(Rule::new(Action::Delay { milliseconds: 60 }).on("GetObject").once());
    let began = Instant::now();
    assert_eq!(store.get("/bkt/k").body, BODY);
    assert!(began.elapsed() >= Duration::from_millis(60));
}

#[test]
fn uploads_are_cut_and_leave_nothing() {
    let store = store();
    store.faults().add(Rule::new(Action::CutUpload { at: 1, ending: Ending::Reset }).on("PutObject").once());
    let cut = store.send("PUT", "/bkt/cut", &[], &vec![1; 4 << 20]);
    assert!(cut.is_err() || cut.is_ok_and(|reply| reply.status >= 400));
    assert_eq!(store.get("/bkt/cut").status, 404);
}

#[test]
fn conditions_can_be_ignored() {
    let store = store();
    store.faults().add(Rule::new(Action::IgnoreConditions).on("PutObject").once());
    assert_eq!(store.with("PUT", "/bkt/k", &[("if-none-match", "*")], b"x").status, 200);
    assert_eq!(store.with("PUT", "/bkt/k", &[("if-none-match", "*")], b"x").status, 412);
}

#[test]
fn an_empty_page_says_there_is_more() {
    let store = store();
    store.faults().add(Rule::new(Action::EmptyPage).on("ListObjectsV2").once());
    let page = store.get("/bkt?list-type=2");
    assert_eq!(page.element("IsTruncated").as_deref(), Some("true"));
    let token = page.element("NextContinuationToken").expect("a token");
    let next = store.get(&format!("/bkt?continuation-token={token}&list-type=2"));
    assert_eq!(
        (next.element("Key").as_deref(), next.element("IsTruncated").as_deref()),
        (Some("k"), Some("false"))
    );
}

#[test]
fn rules_are_armed_over_http() {
    let store = store();
    let rules = br#"[{"operation": "GetObject", "times": 1, "action": {"flip-bit": {"at": 0}}},
                     {"key": "k*", "skip": 5, "action": "ignore-range"}]"#;
    let armed = store.unsigned("PUT", "/_holdfs/faults", rules);
    assert_eq!((armed.status, armed.text().trim()), (200, "[1,2]"));
    assert_eq!(store.get("/bkt/k").body, b"1123456789");
    let list = store.unsigned("GET", "/_holdfs/faults", b"").text();
    assert!(list.contains(r#""fired":1"#), "{list}");
    assert_eq!(store.unsigned("DELETE", "/_holdfs/faults/1", b"").status, 200);
    assert_eq!(store.faults().armed().len(), 1);
    assert_eq!(store.unsigned("DELETE", "/_holdfs/faults", b"").status, 200);
    assert!(store.faults().armed().is_empty());
    assert_eq!(store.unsigned("PUT", "/_holdfs/faults", b"{}").status, 400);
}
