//! Which state may follow which: the one place where it is written down. A test enumerates every standing that facts can lead
//! to and finds exactly these transitions; Hermes stops trading should it ever see another.

use super::News::{self, self as N};
use crate::domain::OrderState::{self, self as S};

/// On some news, to one of these states.
type Row = (&'static [News], &'static [OrderState]);

/// The transition table. Where several states may follow, size and what was known before decide.
pub const TRANSITIONS: &[(OrderState, &[Row])] = &[
    (
        S::Pending,
        &[
            (&[N::Signed], &[S::Signed]),
            (&[N::Sending], &[S::Sent]),
            (&[N::Accepted], &[S::Live, S::CancelPending]),
            (&[N::Refused], &[S::Rejected]),
            (&[N::OutcomeUnknown], &[S::Unknown]),
            (&[N::SeenOpen], &[S::Live, S::PartiallyFilled, S::CancelPending, S::Filled]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Cancelled]),
            (&[N::Fill], &[S::PartiallyFilled, S::CancelPending, S::Filled]),
            (&[N::Voided], &[S::PartiallyFilled, S::CancelPending, S::Voided]),
            (&[N::CancelRequested], &[S::Pending]),
            (&[N::Expired], &[S::Expired]),
            (&[N::Denied], &[S::Denied]),
        ],
    ),
    (
        S::Signed,
        &[
            (&[N::Signed, N::CancelRequested], &[S::Signed]),
            (&[N::Sending], &[S::Sent]),
            (&[N::Accepted], &[S::Live, S::CancelPending]),
            (&[N::Refused], &[S::Rejected]),
            (&[N::OutcomeUnknown], &[S::Unknown]),
            (&[N::SeenOpen], &[S::Live, S::PartiallyFilled, S::CancelPending, S::Filled]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Cancelled]),
            (&[N::Fill], &[S::PartiallyFilled, S::CancelPending, S::Filled]),
            (&[N::Voided], &[S::PartiallyFilled, S::CancelPending, S::Voided]),
            (&[N::Expired], &[S::Expired]),
            (&[N::Denied], &[S::Denied]),
        ],
    ),
    (
        S::Sent,
        &[
            (&[N::Signed, N::Sending, N::CancelRequested], &[S::Sent]),
            (&[N::Accepted], &[S::Live, S::CancelPending]),
            (&[N::Refused], &[S::Rejected]),
            (&[N::OutcomeUnknown], &[S::Unknown]),
            (&[N::SeenOpen], &[S::Live, S::PartiallyFilled, S::CancelPending, S::Filled]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Cancelled]),
            (&[N::Fill], &[S::PartiallyFilled, S::CancelPending, S::Filled]),
            (&[N::Voided], &[S::PartiallyFilled, S::CancelPending, S::Voided]),
            (&[N::Expired], &[S::Expired]),
            (&[N::Denied], &[S::Denied]),
        ],
    ),
    (
        S::Unknown,
        &[
            (&[N::Signed, N::Sending, N::OutcomeUnknown, N::CancelRequested], &[S::Unknown]),
            (&[N::Accepted], &[S::Live, S::CancelPending]),
            (&[N::Refused], &[S::Rejected]),
            (&[N::SeenOpen], &[S::Live, S::PartiallyFilled, S::CancelPending, S::Filled]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Cancelled]),
            (&[N::Fill], &[S::PartiallyFilled, S::CancelPending, S::Filled]),
            (&[N::Voided], &[S::PartiallyFilled, S::CancelPending, S::Voided]),
            (&[N::Expired], &[S::Expired]),
            (&[N::Denied], &[S::Denied]),
        ],
    ),
    (
        S::Live,
        &[
            (&[N::Signed, N::Sending, N::Accepted, N::OutcomeUnknown], &[S::Live]),
            (&[N::Refused], &[S::Rejected]),
            (&[N::SeenOpen], &[S::Live, S::PartiallyFilled, S::Filled]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Cancelled]),
            (&[N::Fill], &[S::PartiallyFilled, S::Filled]),
            (&[N::Voided], &[S::PartiallyFilled, S::Voided]),
            (&[N::CancelRequested], &[S::CancelPending]),
            (&[N::Expired], &[S::Expired]),
            (&[N::Denied], &[S::Denied]),
        ],
    ),
    (
        S::PartiallyFilled,
        &[
            (&[N::Signed, N::Sending, N::Accepted, N::OutcomeUnknown], &[S::PartiallyFilled]),
            (&[N::Refused], &[S::Rejected]),
            (&[N::SeenOpen, N::Fill], &[S::PartiallyFilled, S::Filled, S::Voided]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Voided, S::Cancelled]),
            (&[N::Voided], &[S::PartiallyFilled, S::Voided]),
            (&[N::CancelRequested], &[S::CancelPending]),
            (&[N::Expired], &[S::Expired]),
            (&[N::Denied], &[S::Denied]),
        ],
    ),
    (
        S::CancelPending,
        &[
            (&[N::Signed, N::Sending, N::Accepted, N::OutcomeUnknown, N::CancelRequested], &[S::CancelPending]),
            (&[N::Refused], &[S::Rejected]),
            (&[N::SeenOpen, N::Fill], &[S::CancelPending, S::Filled, S::Voided]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Voided, S::Cancelled]),
            (&[N::Voided], &[S::CancelPending, S::Voided]),
            (&[N::Expired], &[S::Expired]),
            (&[N::Denied], &[S::Denied]),
        ],
    ),
    (
        S::Filled,
        &[
            (
                &[
                    N::Signed,
                    N::Sending,
                    N::Accepted,
                    N::Refused,
                    N::OutcomeUnknown,
                    N::SeenOpen,
                    N::SeenMatched,
                    N::SeenEnded,
                    N::Fill,
                    N::CancelRequested,
                    N::Expired,
                    N::Denied,
                ],
                &[S::Filled],
            ),
            (&[N::Voided], &[S::Voided]),
        ],
    ),
    (
        S::Voided,
        &[(
            &[
                N::Signed,
                N::Sending,
                N::Accepted,
                N::Refused,
                N::OutcomeUnknown,
                N::SeenOpen,
                N::SeenMatched,
                N::SeenEnded,
                N::Fill,
                N::Voided,
                N::CancelRequested,
                N::Expired,
                N::Denied,
            ],
            &[S::Voided],
        )],
    ),
    (
        S::Cancelled,
        &[
            (
                &[
                    N::Signed,
                    N::Sending,
                    N::Accepted,
                    N::Refused,
                    N::OutcomeUnknown,
                    N::CancelRequested,
                    N::Expired,
                    N::Denied,
                ],
                &[S::Cancelled],
            ),
            (&[N::SeenOpen, N::SeenMatched, N::SeenEnded, N::Fill], &[S::Filled, S::Voided, S::Cancelled]),
            (&[N::Voided], &[S::Voided, S::Cancelled]),
        ],
    ),
    (
        S::Rejected,
        &[
            (
                &[N::Signed, N::Sending, N::Accepted, N::Refused, N::OutcomeUnknown, N::CancelRequested, N::Denied],
                &[S::Rejected],
            ),
            (&[N::SeenOpen, N::Fill], &[S::Filled, S::Voided, S::Rejected]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Voided, S::Cancelled]),
            (&[N::Voided], &[S::Voided, S::Rejected]),
            (&[N::Expired], &[S::Expired]),
        ],
    ),
    (
        S::Expired,
        &[
            (
                &[
                    N::Signed,
                    N::Sending,
                    N::Accepted,
                    N::Refused,
                    N::OutcomeUnknown,
                    N::CancelRequested,
                    N::Expired,
                    N::Denied,
                ],
                &[S::Expired],
            ),
            (&[N::SeenOpen, N::Fill], &[S::Filled, S::Voided, S::Expired]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Voided, S::Cancelled]),
            (&[N::Voided], &[S::Voided, S::Expired]),
        ],
    ),
    (
        S::Denied,
        &[
            (&[N::Signed, N::Sending, N::Accepted, N::OutcomeUnknown, N::CancelRequested, N::Denied], &[S::Denied]),
            (&[N::Refused], &[S::Rejected]),
            (&[N::SeenOpen, N::Fill], &[S::Filled, S::Voided, S::Denied]),
            (&[N::SeenMatched, N::SeenEnded], &[S::Filled, S::Voided, S::Cancelled]),
            (&[N::Voided], &[S::Voided, S::Denied]),
            (&[N::Expired], &[S::Expired]),
        ],
    ),
];

/// Whether the table allows it.
#[must_use]
pub fn is_lawful(from: OrderState, news: News, to: OrderState) -> bool {
    let rows = TRANSITIONS.iter().find(|(state, _)| *state == from).map_or(&[][..], |(_, rows)| rows);
    rows.iter().any(|(on, next)| on.contains(&news) && next.contains(&to))
}
