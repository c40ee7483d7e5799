//! The life cycle of a staged file. Pure: (state, event) → (state, effects).
//!
//! At most one generation is in *flight*, at most one *waits* behind it, and above both lies what is *open* to
//! writes. Sealing while another waits supersedes the waiting one: the newer generation contains it.
//!
//! ```text
//!   open ──sealed──▶ waiting ──taken──▶ sending ──committing──▶ committing ──committed──▶ (published)
//!    ▲                 ▲  │ ▲              │                        │
//!  changed      sealed─┘  │ └──postponed───┴────────────────────────┤
//!                     retried ◀── failed ◀────────── refused ───────┘
//!
//!   discarded from any state: at once, or after the outcome of a commit that is already under way
//! ```
//!
//! Invariant: nothing that failed waits while something is in flight (`flight != None` implies `waiting != Failed`).

/// What the worker does with the generation it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flight {
    None,
    /// Bytes are being sent; nothing at the key changes yet.
    Sending,
    /// The request that publishes is out: its outcome must be learnt before anything else.
    Committing,
}

/// The generation that is sealed and not in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    None,
    Sealed,
    Failed,
}

/// What was changed since the last seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    Unchanged,
    Changed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Live {
        flight: Flight,
        waiting: Waiting,
        open: Open,
    },
    /// Discarded while committing: the outcome decides whether an object is left to remove.
    Discarding,
    Discarded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A write, truncation or change of metadata.
    Changed,
    Sealed,
    /// A worker is ready for the waiting generation.
    Taken,
    /// The publishing request goes out.
    Committing,
    Committed,
    /// The attempt failed in a way that can pass.
    Postponed,
    /// The attempt failed for good.
    Refused,
    /// Somebody asks for a failed generation to be tried again.
    Retried,
    Discarded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Freeze the open layer and record the seal.
    Freeze,
    /// The generation that waited is part of a newer one: its record goes.
    Supersede,
    /// Offer the file to the workers.
    Enqueue,
    /// Offer it after a pause.
    EnqueueLater,
    /// The waiting generation is in flight now.
    Start,
    /// Record that the outcome at the key is unknown until told otherwise.
    RecordCommitting,
    /// The base is the stored object now; layers below it go.
    Publish,
    /// The generation in flight waits again.
    Return,
    /// Record the failure, keep the data.
    RecordFailure,
    /// Abort the multipart upload.
    Abort,
    /// Record that an object which a commit under way may leave is to be removed.
    RecordRemoval,
    /// Delete data and records.
    Forget,
    /// Wake whoever waits for an outcome.
    Wake,
}

impl State {
    pub const CLEAN: Self =
        Self::Live { flight: Flight::None, waiting: Waiting::None, open: Open::Unchanged };

    /// The next state and what has to happen, in order. Events that mean nothing in a state change nothing.
    pub fn step(self, event: Event) -> (Self, Vec<Effect>) {
        match self {
            Self::Live { flight, waiting, open } => step_live(flight, waiting, open, event),
            Self::Discarding => step_discarding(event),
            Self::Discarded => (self, Vec::new()),
        }
    }
}

fn step_live(flight: Flight, waiting: Waiting, open: Open, event: Event) -> (State, Vec<Effect>) {
    use Effect::{Enqueue, RecordCommitting, Start};
    let live = |flight, waiting, open| State::Live { flight, waiting, open };
    let same = live(flight, waiting, open);
    match event {
        Event::Changed => (live(flight, waiting, Open::Changed), vec![]),
        Event::Sealed if open == Open::Changed => {
            (live(flight, Waiting::Sealed, Open::Unchanged), effects_of_seal(flight, waiting))
        }
        Event::Sealed | Event::Retried if waiting == Waiting::Failed => {
            (live(flight, Waiting::Sealed, open), vec![Enqueue])
        }
        Event::Taken if flight == Flight::None && waiting == Waiting::Sealed => {
            (live(Flight::Sending, Waiting::None, open), vec![Start])
        }
        Event::Committing if flight == Flight::Sending => {
            (live(Flight::Committing, waiting, open), vec![RecordCommitting])
        }
        Event::Committed | Event::Postponed | Event::Refused if flight != Flight::None => {
            let (waiting, effects) = land(waiting, event);
            (live(Flight::None, waiting, open), effects)
        }
        Event::Discarded => discard(flight),
        _ => (same, vec![]),
    }
}

fn effects_of_seal(flight: Flight, waiting: Waiting) -> Vec<Effect> {
    let mut effects = vec![Effect::Freeze];
    if waiting != Waiting::None {
        effects.push(Effect::Supersede);
    }
    if flight == Flight::None {
        effects.push(Effect::Enqueue);
    }
    effects
}

/// What becomes of the generation in flight; `waiting` is what came up behind it.
fn land(waiting: Waiting, event: Event) -> (Waiting, Vec<Effect>) {
    use Effect::{Enqueue, EnqueueLater, Publish, RecordFailure, Return, Supersede, Wake};
    let newer = waiting == Waiting::Sealed;
    match (event, newer) {
        (Event::Committed, true) => (Waiting::Sealed, vec![Publish, Wake, Enqueue]),
        (Event::Committed, false) => (Waiting::None, vec![Publish, Wake]),
        (Event::Postponed, true) => (Waiting::Sealed, vec![Supersede, EnqueueLater]),
        (Event::Postponed, false) => (Waiting::Sealed, vec![Return, EnqueueLater]),
        (_, true) => (Waiting::Sealed, vec![Supersede, Enqueue]),
        (_, false) => (Waiting::Failed, vec![Return, RecordFailure, Wake]),
    }
}

fn discard(flight: Flight) -> (State, Vec<Effect>) {
    use Effect::{Abort, Forget, RecordRemoval, Wake};
    match flight {
        Flight::Committing => (State::Discarding, vec![RecordRemoval]),
        Flight::None | Flight::Sending => (State::Discarded, vec![Abort, Forget, Wake]),
    }
}

fn step_discarding(event: Event) -> (State, Vec<Effect>) {
    use Effect::{Abort, Forget, Publish, Wake};
    match event {
        Event::Committed => (State::Discarded, vec![Publish, Forget, Wake]),
        Event::Postponed | Event::Refused => (State::Discarded, vec![Abort, Forget, Wake]),
        _ => (State::Discarding, vec![]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLIGHTS: [Flight; 3] = [Flight::None, Flight::Sending, Flight::Committing];
    const WAITINGS: [Waiting; 3] = [Waiting::None, Waiting::Sealed, Waiting::Failed];
    const OPENS: [Open; 2] = [Open::Unchanged, Open::Changed];
    const EVENTS: [Event; 9] = [
        Event::Changed,
        Event::Sealed,
        Event::Taken,
        Event::Committing,
        Event::Committed,
        Event::Postponed,
        Event::Refused,
        Event::Retried,
        Event::Discarded,
    ];

    fn valid(flight: Flight, waiting: Waiting) -> bool {
        flight == Flight::None || waiting != Waiting::Failed
    }

    fn states() -> Vec<State> {
        let mut all = vec![State::Discarding, State::Discarded];
        for flight in FLIGHTS {
            for waiting in WAITINGS.into_iter().filter(|&waiting| valid(flight, waiting)) {
                all.extend(OPENS.map(|open| State::Live { flight, waiting, open }));
            }
        }
        all
    }

    fn live(flight: Flight, waiting: Waiting, open: Open) -> State {
        State::Live { flight, waiting, open }
    }

    #[test]
    fn every_event_leads_from_a_valid_state_to_a_valid_state() {
        for state in states() {
            for event in EVENTS {
                let (next, _) = state.step(event);
                assert!(states().contains(&next), "{state:?} + {event:?} → {next:?}");
            }
        }
    }

    #[test]
    fn an_event_without_effect_changes_nothing_but_the_open_flag() {
        for state in states() {
            for event in EVENTS {
                let (next, effects) = state.step(event);
                let opened =
                    matches!((event, next), (Event::Changed, State::Live { open: Open::Changed, .. }));
                assert!(!effects.is_empty() || next == state || opened, "{state:?} + {event:?} → {next:?}");
            }
        }
    }

    #[test]
    fn nothing_open_is_ever_lost_by_what_a_worker_does() {
        let worker = [Event::Taken, Event::Committing, Event::Committed, Event::Postponed, Event::Refused];
        for flight in FLIGHTS {
            for waiting in WAITINGS.into_iter().filter(|&waiting| valid(flight, waiting)) {
                for event in worker {
                    let (next, _) = live(flight, waiting, Open::Changed).step(event);
                    assert!(matches!(next, State::Live { open: Open::Changed, .. }), "{event:?} → {next:?}");
                }
            }
        }
    }

    #[test]
    fn a_generation_leaves_only_by_publishing_superseding_or_being_discarded() {
        let sealed = |state| match state {
            State::Live { flight, waiting, .. } => {
                u8::from(flight != Flight::None) + u8::from(waiting != Waiting::None)
            }
            _ => 0,
        };
        for state in states() {
            for event in EVENTS {
                let (next, effects) = state.step(event);
                let added = u8::from(effects.contains(&Effect::Freeze));
                let gone =
                    [Effect::Publish, Effect::Supersede].iter().filter(|e| effects.contains(e)).count() as u8;
                if event != Event::Discarded && state != State::Discarding {
                    assert_eq!(
                        sealed(state) + added,
                        sealed(next) + gone,
                        "{state:?} + {event:?} → {next:?}"
                    );
                }
            }
        }
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table is read in one piece")]
    fn the_whole_table() {
        use Effect::*;
        use Event as E;
        use Flight as F;
        use Open::{Changed as Ch, Unchanged as Un};
        use Waiting as W;
        let table: &[(State, Event, State, &[Effect])] = &[
            (State::CLEAN, E::Changed, live(F::None, W::None, Ch), &[]),
            (State::CLEAN, E::Sealed, State::CLEAN, &[]),
            (live(F::None, W::None, Ch), E::Sealed, live(F::None, W::Sealed, Un), &[Freeze, Enqueue]),
            (
                live(F::None, W::Sealed, Ch),
                E::Sealed,
                live(F::None, W::Sealed, Un),
                &[Freeze, Supersede, Enqueue],
            ),
            (
                live(F::None, W::Failed, Ch),
                E::Sealed,
                live(F::None, W::Sealed, Un),
                &[Freeze, Supersede, Enqueue],
            ),
            (live(F::Sending, W::None, Ch), E::Sealed, live(F::Sending, W::Sealed, Un), &[Freeze]),
            (
                live(F::Sending, W::Sealed, Ch),
                E::Sealed,
                live(F::Sending, W::Sealed, Un),
                &[Freeze, Supersede],
            ),
            (live(F::None, W::Failed, Un), E::Sealed, live(F::None, W::Sealed, Un), &[Enqueue]),
            (live(F::None, W::Failed, Ch), E::Retried, live(F::None, W::Sealed, Ch), &[Enqueue]),
            (live(F::None, W::Sealed, Un), E::Sealed, live(F::None, W::Sealed, Un), &[]),
            (live(F::None, W::Sealed, Ch), E::Taken, live(F::Sending, W::None, Ch), &[Start]),
            (live(F::None, W::Failed, Un), E::Taken, live(F::None, W::Failed, Un), &[]),
            (live(F::Sending, W::Sealed, Un), E::Taken, live(F::Sending, W::Sealed, Un), &[]),
            (
                live(F::Sending, W::None, Un),
                E::Committing,
                live(F::Committing, W::None, Un),
                &[RecordCommitting],
            ),
            (live(F::Committing, W::None, Ch), E::Committed, live(F::None, W::None, Ch), &[Publish, Wake]),
            (
                live(F::Committing, W::Sealed, Un),
                E::Committed,
                live(F::None, W::Sealed, Un),
                &[Publish, Wake, Enqueue],
            ),
            (
                live(F::Sending, W::None, Un),
                E::Postponed,
                live(F::None, W::Sealed, Un),
                &[Return, EnqueueLater],
            ),
            (
                live(F::Sending, W::Sealed, Un),
                E::Postponed,
                live(F::None, W::Sealed, Un),
                &[Supersede, EnqueueLater],
            ),
            (
                live(F::Sending, W::None, Un),
                E::Refused,
                live(F::None, W::Failed, Un),
                &[Return, RecordFailure, Wake],
            ),
            (
                live(F::Committing, W::Sealed, Un),
                E::Refused,
                live(F::None, W::Sealed, Un),
                &[Supersede, Enqueue],
            ),
            (live(F::Sending, W::Sealed, Ch), E::Discarded, State::Discarded, &[Abort, Forget, Wake]),
            (live(F::Committing, W::None, Un), E::Discarded, State::Discarding, &[RecordRemoval]),
            (State::Discarding, E::Committed, State::Discarded, &[Publish, Forget, Wake]),
            (State::Discarding, E::Refused, State::Discarded, &[Abort, Forget, Wake]),
            (State::Discarding, E::Changed, State::Discarding, &[]),
            (State::Discarded, E::Changed, State::Discarded, &[]),
        ];
        for (state, event, next, effects) in table {
            assert_eq!(state.step(*event), (*next, effects.to_vec()), "{state:?} + {event:?}");
        }
    }
}
