//! Who may change which names right now.
//!
//! An operation that changes what a key holds claims the key first; one that moves or removes a directory claims
//! everything below it. Claims that overlap wait for each other, in the order in which they came; others do not
//! meet. All keys of an operation are claimed in one step, so that no two can each hold what the other waits for.
//!
//! Reads never claim, and no claim is held while a changed file is being uploaded: that can take hours, and the
//! write engine itself copes with a rename or a removal in the middle.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// What an operation works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Key(Arc<str>),
    /// Every key that begins with this prefix, which ends with a slash.
    Below(Arc<str>),
}

/// Does the operation go together with others of its kind on the same key?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Shared,
    Exclusive,
}

#[derive(Default)]
pub struct Claims {
    table: Arc<Mutex<Table>>,
}

/// Held while the operation runs.
pub struct Claim {
    table: Arc<Mutex<Table>>,
    ticket: u64,
}

#[derive(Default)]
struct Table {
    next_ticket: u64,
    held: Vec<Wish>,
    waiting: VecDeque<(Wish, oneshot::Sender<()>)>,
}

struct Wish {
    ticket: u64,
    mode: Mode,
    scopes: Vec<Scope>,
}

impl Claims {
    pub async fn key(&self, key: impl Into<Arc<str>>) -> Claim {
        self.claim(Mode::Exclusive, vec![Scope::Key(key.into())]).await
    }

    /// Together with others that only share, such as seals.
    pub async fn shared(&self, key: impl Into<Arc<str>>) -> Claim {
        self.claim(Mode::Shared, vec![Scope::Key(key.into())]).await
    }

    pub async fn claim(&self, mode: Mode, scopes: Vec<Scope>) -> Claim {
        let (ticket, turn) = self.table.lock().enter(mode, scopes);
        // Dropped while it waits, the claim takes its wish back.
        let claim = Claim { table: self.table.clone(), ticket };
        if let Some(turn) = turn {
            turn.await.ok();
        }
        claim
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.table.lock().leave(self.ticket);
    }
}

impl Table {
    /// A receiver where the wish has to wait for its turn.
    fn enter(&mut self, mode: Mode, scopes: Vec<Scope>) -> (u64, Option<oneshot::Receiver<()>>) {
        self.next_ticket += 1;
        let wish = Wish { ticket: self.next_ticket, mode, scopes };
        let ticket = wish.ticket;
        if !self.is_blocked(&wish, self.waiting.len()) {
            self.held.push(wish);
            return (ticket, None);
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.push_back((wish, sender));
        (ticket, Some(receiver))
    }

    fn leave(&mut self, ticket: u64) {
        self.held.retain(|wish| wish.ticket != ticket);
        self.waiting.retain(|(wish, _)| wish.ticket != ticket);
        self.admit();
    }

    fn admit(&mut self) {
        let mut position = 0;
        while position < self.waiting.len() {
            if self.is_blocked(&self.waiting[position].0, position) {
                position += 1;
            } else if let Some((wish, turn)) = self.waiting.remove(position) {
                self.held.push(wish);
                // A waiter that went away leaves by itself when its claim is dropped.
                turn.send(()).ok();
            }
        }
    }

    /// By what is held, or by one of the first `ahead` that wait.
    fn is_blocked(&self, wish: &Wish, ahead: usize) -> bool {
        let waiting = self.waiting.iter().take(ahead).map(|(other, _)| other);
        self.held.iter().chain(waiting).any(|other| conflict(wish, other))
    }
}

fn conflict(one: &Wish, other: &Wish) -> bool {
    let exclusive = one.mode == Mode::Exclusive || other.mode == Mode::Exclusive;
    exclusive && one.scopes.iter().any(|a| other.scopes.iter().any(|b| overlap(a, b)))
}

fn overlap(one: &Scope, other: &Scope) -> bool {
    match (one, other) {
        (Scope::Key(a), Scope::Key(b)) => a == b,
        (Scope::Key(key), Scope::Below(prefix)) | (Scope::Below(prefix), Scope::Key(key)) => {
            key.starts_with(&**prefix)
        }
        (Scope::Below(a), Scope::Below(b)) => a.starts_with(&**b) || b.starts_with(&**a),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn key(key: &str) -> Scope {
        Scope::Key(key.into())
    }

    fn below(prefix: &str) -> Scope {
        Scope::Below(prefix.into())
    }

    #[test]
    fn scopes_overlap_where_a_key_can_be_in_both() {
        for (one, other, expected) in [
            (key("a"), key("a"), true),
            (key("a"), key("b"), false),
            (key("a/b"), below("a/"), true),
            (key("a"), below("a/"), false),
            (below("a/"), below("a/b/"), true),
            (below("a/"), below("ab/"), false),
            (below(""), key("x"), true),
        ] {
            assert_eq!(overlap(&one, &other), expected, "{one:?} {other:?}");
            assert_eq!(overlap(&other, &one), expected, "{other:?} {one:?}");
        }
    }

    #[test]
    fn a_claim_waits_for_those_before_it_and_for_no_other() {
        let claims = Claims::default();
        let held = claims.claim(Mode::Exclusive, vec![below("d/")]).now_or_never().expect("free");
        let mut inside = Box::pin(claims.key("d/f"));
        assert!((&mut inside).now_or_never().is_none(), "waits for the directory");
        assert!(claims.key("e").now_or_never().is_some(), "is elsewhere");
        let mut whole = Box::pin(claims.claim(Mode::Exclusive, vec![below("d/")]));
        assert!((&mut whole).now_or_never().is_none());
        drop(held);
        assert!((&mut whole).now_or_never().is_none(), "came after the key");
        let inside = (&mut inside).now_or_never().expect("its turn");
        drop(inside);
        assert!((&mut whole).now_or_never().is_some());
    }

    #[test]
    fn those_who_share_go_together() {
        let claims = Claims::default();
        let one = claims.shared("f").now_or_never().expect("free");
        let other = claims.shared("f").now_or_never().expect("shared");
        let mut exclusive = Box::pin(claims.key("f"));
        assert!((&mut exclusive).now_or_never().is_none());
        assert!(claims.shared("f").now_or_never().is_none(), "comes after one that does not share");
        drop((one, other));
        assert!((&mut exclusive).now_or_never().is_some());
    }

    #[test]
    fn who_gives_up_waiting_is_in_nobodys_way() {
        let claims = Claims::default();
        let held = claims.key("f").now_or_never().expect("free");
        let mut waiting = Box::pin(claims.key("f"));
        assert!((&mut waiting).now_or_never().is_none());
        drop(waiting);
        drop(held);
        assert!(claims.key("f").now_or_never().is_some());
        assert!(claims.table.lock().held.is_empty() && claims.table.lock().waiting.is_empty());
    }
}
