//! What to do at mount with what a crash left: one table over the journal's last word for a generation, its data,
//! and the remote object. Pure and total; rows are tried in order, and a test enumerates every combination.

/// The journal's last word for a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// The record cannot be read.
    Unreadable,
    /// Written to, never sealed.
    Begin,
    /// The same, with parts sent ahead.
    Early,
    Seal,
    /// A multipart upload of the sealed bytes was opened.
    Started,
    /// The publishing request was sent.
    Completing,
    Committed,
    /// Unlinked, or renamed away, while a commit was under way.
    Removed,
    Failed,
    Discarded,
}

/// The staged bytes, compared with what the journal says was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    AsSealed,
    /// Missing, short, long or of another checksum.
    Differs,
}

/// What the store holds at the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remote {
    /// No definite answer: 403, 5xx, time-out.
    Unknown,
    /// No object, where the edit began from one.
    Absent,
    /// No object, and the edit began from none.
    AbsentAsBegun,
    /// The base of the edit, or an earlier generation of the same file.
    AsBegun,
    /// It carries this generation's write id.
    Ours,
    /// Somebody else's.
    Other,
}

/// The multipart upload that the journal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upload {
    Alive,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Keep, report, never delete by itself.
    Quarantine,
    /// As above, and say that sealed bytes were lost.
    QuarantineLoss,
    /// Delete what is left locally.
    CleanUp,
    /// Decide nothing yet: show the journal's view and ask again.
    Wait,
    /// Delete the object at the key.
    FinishRemoval,
    /// Not ours to delete: say so and clean up.
    LeaveObject,
    /// Kept and reported; tried again on request only.
    Keep,
    /// The store has it: publish and clean up.
    Finish,
    /// All parts are there: send the completion again.
    CompleteAgain,
    /// Send the parts that are missing.
    Resume,
    /// Store it from the beginning.
    Enqueue,
    /// Another writer won.
    Conflict,
}

/// The whole table.
pub fn decide(word: Word, data: Data, remote: Remote, upload: Upload) -> Decision {
    match word {
        Word::Unreadable => Decision::Quarantine,
        Word::Committed | Word::Discarded => Decision::CleanUp,
        _ if remote == Remote::Unknown => Decision::Wait,
        Word::Removed => removal(remote),
        Word::Begin | Word::Early => Decision::Quarantine,
        Word::Failed => Decision::Keep,
        Word::Seal | Word::Started | Word::Completing => sealed(word, data, remote, upload),
    }
}

fn removal(remote: Remote) -> Decision {
    match remote {
        Remote::AsBegun | Remote::Ours => Decision::FinishRemoval,
        Remote::Absent | Remote::AbsentAsBegun => Decision::CleanUp,
        Remote::Other => Decision::LeaveObject,
        Remote::Unknown => Decision::Wait,
    }
}

fn sealed(word: Word, data: Data, remote: Remote, upload: Upload) -> Decision {
    let as_begun = matches!(remote, Remote::AsBegun | Remote::AbsentAsBegun);
    match (remote, data) {
        (Remote::Ours, _) => Decision::Finish,
        (_, Data::Differs) => Decision::QuarantineLoss,
        _ if !as_begun => Decision::Conflict,
        _ => match (word, upload) {
            (Word::Completing, Upload::Alive) => Decision::CompleteAgain,
            (Word::Started, Upload::Alive) => Decision::Resume,
            _ => Decision::Enqueue,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [Word; 10] = [
        Word::Unreadable,
        Word::Begin,
        Word::Early,
        Word::Seal,
        Word::Started,
        Word::Completing,
        Word::Committed,
        Word::Removed,
        Word::Failed,
        Word::Discarded,
    ];
    const DATA: [Data; 2] = [Data::AsSealed, Data::Differs];
    const REMOTES: [Remote; 6] = [
        Remote::Unknown,
        Remote::Absent,
        Remote::AbsentAsBegun,
        Remote::AsBegun,
        Remote::Ours,
        Remote::Other,
    ];
    const UPLOADS: [Upload; 2] = [Upload::Alive, Upload::Gone];

    /// A row of the architecture's table: sets of what it matches, `None` for any.
    struct Row {
        words: &'static [Word],
        data: Option<Data>,
        remotes: &'static [Remote],
        upload: Option<Upload>,
        decision: Decision,
    }

    impl Row {
        fn matches(&self, word: Word, data: Data, remote: Remote, upload: Upload) -> bool {
            self.words.contains(&word)
                && self.data.is_none_or(|wanted| wanted == data)
                && self.remotes.contains(&remote)
                && self.upload.is_none_or(|wanted| wanted == upload)
        }
    }

    const BEGUN: &[Remote] = &[Remote::AsBegun, Remote::AbsentAsBegun];
    const SEALED: &[Word] = &[Word::Seal, Word::Started, Word::Completing];

    #[rustfmt::skip]
    fn table() -> Vec<Row> {
        use Data::{AsSealed, Differs};
        use Upload::Alive;
        let row = |words, data, remotes, upload, decision| Row { words, data, remotes, upload, decision };
        vec![
            row(&[Word::Unreadable], None, &REMOTES, None, Decision::Quarantine),
            row(&[Word::Committed, Word::Discarded], None, &REMOTES, None, Decision::CleanUp),
            row(&WORDS, None, &[Remote::Unknown], None, Decision::Wait),
            row(&[Word::Removed], None, &[Remote::AsBegun, Remote::Ours], None, Decision::FinishRemoval),
            row(&[Word::Removed], None, &[Remote::Absent, Remote::AbsentAsBegun], None, Decision::CleanUp),
            row(&[Word::Removed], None, &REMOTES, None, Decision::LeaveObject),
            row(&[Word::Begin, Word::Early], None, &REMOTES, None, Decision::Quarantine),
            row(&[Word::Failed], None, &REMOTES, None, Decision::Keep),
            row(SEALED, None, &[Remote::Ours], None, Decision::Finish),
            row(&[Word::Completing], Some(AsSealed), BEGUN, Some(Alive), Decision::CompleteAgain),
            row(&[Word::Started], Some(AsSealed), BEGUN, Some(Alive), Decision::Resume),
            row(&[Word::Started, Word::Completing], Some(AsSealed), BEGUN, None, Decision::Enqueue),
            row(&[Word::Seal], Some(AsSealed), BEGUN, None, Decision::Enqueue),
            row(SEALED, Some(AsSealed), &REMOTES, None, Decision::Conflict),
            row(SEALED, Some(Differs), &REMOTES, None, Decision::QuarantineLoss),
        ]
    }

    #[test]
    fn every_combination_matches_a_row_and_is_decided_by_the_first() {
        let mut combinations = 0;
        for word in WORDS {
            for data in DATA {
                for remote in REMOTES {
                    for upload in UPLOADS {
                        let table = table();
                        let row = table.iter().find(|row| row.matches(word, data, remote, upload));
                        let row = row
                            .unwrap_or_else(|| panic!("no row for {word:?} {data:?} {remote:?} {upload:?}"));
                        let decision = decide(word, data, remote, upload);
                        assert_eq!(decision, row.decision, "{word:?} {data:?} {remote:?} {upload:?}");
                        combinations += 1;
                    }
                }
            }
        }
        assert_eq!(combinations, 240);
    }

    #[test]
    fn data_is_deleted_only_on_proof() {
        let deletes = [Decision::CleanUp, Decision::Finish, Decision::FinishRemoval, Decision::LeaveObject];
        for word in WORDS {
            for data in DATA {
                for remote in REMOTES {
                    for upload in UPLOADS {
                        let proof = matches!(word, Word::Committed | Word::Discarded | Word::Removed)
                            || SEALED.contains(&word) && remote == Remote::Ours;
                        assert!(proof || !deletes.contains(&decide(word, data, remote, upload)));
                    }
                }
            }
        }
    }
}
