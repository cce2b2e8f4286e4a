//! The log: what a row of it says, and the hash that chains it to the row before.

use std::fmt;

use sha2::{Digest, Sha256};

use super::engine::Value;

/// What stands in the place of the hash before the first row.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Columns of the log, in the order in which [`Chained`] is read and written.
pub(super) const COLUMNS: [&str; 9] = ["seq", "at", "token", "kind", "subject", "what", "document", "prev", "hash"];

/// What a row of the log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Inbox,
    Order,
    Fill,
    Journal,
    DeadLetter,
    Command,
    Mismatch,
    Alert,
    Lease,
    Latch,
    Day,
    Equity,
    Halt,
    Barred,
    Holes,
    Mark,
    Market,
    Params,
    Meta,
    Checkpoint,
}

impl Kind {
    pub(super) const ALL: [Self; 20] = [
        Self::Inbox,
        Self::Order,
        Self::Fill,
        Self::Journal,
        Self::DeadLetter,
        Self::Command,
        Self::Mismatch,
        Self::Alert,
        Self::Lease,
        Self::Latch,
        Self::Day,
        Self::Equity,
        Self::Halt,
        Self::Barred,
        Self::Holes,
        Self::Mark,
        Self::Market,
        Self::Params,
        Self::Meta,
        Self::Checkpoint,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Order => "order",
            Self::Fill => "fill",
            Self::Journal => "journal",
            Self::DeadLetter => "dead_letter",
            Self::Command => "command",
            Self::Mismatch => "mismatch",
            Self::Alert => "alert",
            Self::Lease => "lease",
            Self::Latch => "latch",
            Self::Day => "day",
            Self::Equity => "equity",
            Self::Halt => "halt",
            Self::Barred => "barred",
            Self::Holes => "holes",
            Self::Mark => "mark",
            Self::Market => "market",
            Self::Params => "params",
            Self::Meta => "meta",
            Self::Checkpoint => "checkpoint",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: String,
}

impl Head {
    pub(super) fn genesis() -> Self {
        Self { seq: 0, hash: GENESIS.to_owned() }
    }
}

/// What is to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    pub(super) subject: String,
    pub(super) what: String,
    /// Microseconds; the time of writing when the thing has none of its own.
    pub(super) at: Option<i64>,
    pub(super) document: String,
}

impl Draft {
    /// Adds what this says to a digest.
    pub(super) fn fingerprint(&self, digest: &mut Sha256) {
        for text in [self.kind.word(), &self.subject, &self.what, &self.document] {
            add(digest, text);
        }
        digest.update(self.at.unwrap_or(i64::MIN).to_be_bytes());
    }

    /// The row that this becomes behind `head`.
    pub(super) fn chain(self, head: &Head, token: u64, now: i64) -> Chained {
        let mut row = Chained {
            seq: head.seq + 1,
            at: self.at.unwrap_or(now),
            token: token.cast_signed(),
            kind: self.kind.word().to_owned(),
            subject: self.subject,
            what: self.what,
            document: self.document,
            prev: head.hash.clone(),
            hash: String::new(),
        };
        row.hash = row.computed();
        row
    }
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chained {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) token: i64,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) what: String,
    pub(super) document: String,
    pub(super) prev: String,
    pub(super) hash: String,
}

impl Chained {
    /// SHA-256 in hex over every column but the hash itself: numbers as eight bytes, texts behind their length.
    pub(super) fn computed(&self) -> String {
        let mut digest = Sha256::new();
        add(&mut digest, &self.prev);
        for number in [self.seq, self.at, self.token] {
            digest.update(number.to_be_bytes());
        }
        for text in [&self.kind, &self.subject, &self.what, &self.document] {
            add(&mut digest, text);
        }
        hex::encode(digest.finalize())
    }

    pub(super) fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash.clone() }
    }

    /// In the order of [`COLUMNS`].
    pub(super) fn values(self) -> [Value; 9] {
        let Self { seq, at, token, kind, subject, what, document, prev, hash } = self;
        [
            seq.into(),
            at.into(),
            token.into(),
            kind.into(),
            subject.into(),
            what.into(),
            document.into(),
            prev.into(),
            hash.into(),
        ]
    }
}

fn add(digest: &mut Sha256, text: &str) {
    digest.update((text.len() as u64).to_be_bytes());
    digest.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(subject: &str, what: &str) -> Draft {
        Draft { kind: Kind::Order, subject: subject.into(), what: what.into(), at: Some(7), document: "{}".into() }
    }

    #[test]
    fn every_column_is_covered_and_texts_do_not_run_into_each_other() {
        let row = draft("a", "bc").chain(&Head::genesis(), 1, 0);
        let changed = [
            Chained { seq: 2, ..row.clone() },
            Chained { at: 8, ..row.clone() },
            Chained { token: 2, ..row.clone() },
            Chained { kind: "fill".into(), ..row.clone() },
            Chained { subject: "b".into(), ..row.clone() },
            Chained { subject: "ab".into(), what: "c".into(), ..row.clone() },
            Chained { document: "{ }".into(), ..row.clone() },
            Chained { prev: row.hash.clone(), ..row.clone() },
        ];
        for other in changed {
            assert_ne!(other.computed(), row.hash, "{other:?}");
        }
    }

    #[test]
    fn the_words_of_kinds_are_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.word()), Some(kind));
        }
        assert_eq!(Kind::of("orders"), None);
    }
}
