//! What may become durable in pieces: a list of thousands of trades.

use super::*;

const TRADES: i64 = 2_000;
/// Writes in one transaction.
const MOST: usize = 512;

fn cut(step: Step) -> Vec<Vec<Write>> {
    let cut = pieces(step.writes, &step.cuts, MOST);
    assert!(cut.len() > 1 && cut.iter().all(|piece| piece.len() <= MOST), "{} pieces", cut.len());
    cut
}

/// Every piece has its fills with their journals, and all fills come in the order in which they were matched.
fn stands_alone(cut: &[Vec<Write>]) {
    let mut last = Timestamp::default();
    for piece in cut {
        let fills: Vec<&Fill> = piece
            .iter()
            .filter_map(|write| if let Write::Fill { fill, .. } = write { Some(&**fill) } else { None })
            .collect();
        let journals = piece.iter().filter(|write| matches!(write, Write::Journal(_))).count();
        assert_eq!(fills.len(), journals);
        for fill in fills {
            assert!(
                fill.matched_at >= last,
                "a crash between two pieces leaves no hole before the newest that is known"
            );
            last = fill.matched_at;
        }
    }
}

/// Newest first, as a venue may list them.
fn history(order: impl Fn(i64) -> String) -> Vec<VenueFill> {
    let fill = |n: i64| VenueFill {
        matched_at: at(100 + n),
        ..venue_fill(&order(n), &format!("t{n}"), dec!(0.001), FillStatus::Confirmed)
    };
    (0..TRADES).rev().map(fill).collect()
}

#[test]
fn a_list_of_thousands_of_trades_is_cut_in_pieces_that_stand_alone() {
    let (mut desk, _) = restored(Memory::default());
    desk.on_tick(at(0));
    let listed = Snapshot { fills: history(|n| format!("stranger{n}")), ..Snapshot::default() };
    let cut = cut(desk.on_snapshot(at(0), Ok(listed), at(5_000)));
    stands_alone(&cut);
    assert_eq!(cut.concat().iter().filter(|write| matches!(write, Write::Fill { .. })).count(), 2_000);
}

#[test]
fn the_trades_of_one_order_are_cut_between_two_of_them_and_its_row_counts_what_is_there() {
    let mut desk = desk();
    sent(&mut desk, "a", TimeInForce::Gtc);
    answered(&mut desk, "a", unknown(), 5);
    let order = venue_order("a", VenueOrderStatus::Live, Some(dec!(2)));
    let found = Lookup { order: Some(order), fills: history(|_| "a".into()) };
    let cut = cut(desk.on_lookup(&"0xa".into(), at(5_000), Ok(found), at(5_001)));
    stands_alone(&cut);
    let mut traded = Size::ZERO;
    for piece in &cut {
        let mut counted = None;
        for write in piece {
            match write {
                Write::Fill { fill, .. } => traded += fill.size,
                Write::Order { row, .. } => counted = Some(row.order.traded),
                _ => {}
            }
        }
        assert_eq!(counted.expect("its row"), traded);
    }
    assert_eq!(traded, Size(dec!(2)));
}
