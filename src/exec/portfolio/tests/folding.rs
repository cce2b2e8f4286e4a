//! What is folded up, retired and read back from a checkpoint tells what a fold from scratch tells.

use std::collections::BTreeMap;

use super::*;
use crate::domain::{Asset, Checkpoint, MarketId};
use crate::store::books::Books as Reader;
use crate::store::ledger::{History, Ledger, Memory, Write};
use crate::store::sqlite::SqliteLedger;

const HOUR: i64 = 3_600;
const TOKENS: [&str; 3] = ["1", "2", "3"];

/// The two tokens of market `0xm`, and the one of `0xn` that is of interest.
fn market_of(token: usize, payouts: Option<[Price; 2]>) -> Market {
    let other = |token: &str| OutcomeToken { token: token.into(), outcome: "Up".into() };
    if token < 2 {
        return market(payouts);
    }
    Market { market: "0xn".into(), slug: "eth".into(), tokens: [other("3"), other("4")], ..market(payouts) }
}

/// What a ledger would have.
#[derive(Clone, Default)]
struct Paper {
    fills: BTreeMap<(TradeId, OrderId), Fill>,
    corrections: Vec<Journal>,
    markets: BTreeMap<MarketId, Market>,
}

impl Paper {
    fn history(&self, token: &TokenId) -> History {
        let corrections = self.corrections.iter().filter(|journal| journal.token() == Some(token));
        let market = self.markets.values().find(|market| market.tokens.iter().any(|of| of.token == *token));
        History {
            market: market.cloned(),
            fills: self.fills.values().filter(|fill| fill.token == *token).cloned().collect(),
            corrections: corrections.cloned().collect(),
        }
    }

    fn restored(&self, checkpoint: Option<&Checkpoint>) -> Portfolio {
        let mut fills: Vec<Fill> = self.fills.values().cloned().collect();
        fills.sort_by_key(|fill| fill.matched_at);
        restored(&Memory {
            checkpoint: checkpoint.cloned(),
            fills,
            markets: self.markets.values().cloned().collect(),
            corrections: self.corrections.clone(),
            ..Memory::default()
        })
    }
}

fn restored(memory: &Memory) -> Portfolio {
    let mut portfolio = memory.checkpoint.as_ref().map(Portfolio::from_checkpoint).unwrap_or_default();
    memory.markets.iter().for_each(|market| drop(portfolio.on_market(market, Timestamp::default())));
    memory.fills.iter().for_each(|fill| portfolio.restore(fill));
    memory.corrections.iter().for_each(|journal| portfolio.restore_correction(journal.clone()));
    portfolio
}

/// A portfolio at work beside its ledger.
#[derive(Clone, Default)]
struct Books {
    portfolio: Portfolio,
    paper: Paper,
    /// What a ledger is to be told.
    writes: Vec<Write>,
    asked: usize,
}

impl Books {
    /// A sighting of a fill, as the desk takes it.
    fn see(&mut self, fill: &Fill, now: Timestamp) -> FillChange {
        let asked = self.portfolio.must_ask(fill, now);
        if asked {
            self.asked += 1;
            if !self.portfolio.reopen(fill, &self.paper.history(&fill.token), now) {
                return FillChange::Same;
            }
        }
        // News would not be folded up.
        let change = self.portfolio.apply(fill, fill.matched_at);
        if let FillChange::New(fill, journal) | FillChange::Moved(fill, journal) = &change {
            self.paper.fills.insert((fill.trade.clone(), fill.order.clone()), fill.clone());
            self.writes.push(Write::Fill { fill: Box::new(fill.clone()), at: now });
            self.writes.extend(journal.clone().map(|journal| Write::Journal(Box::new(journal))));
        }
        if asked {
            self.write_checkpoint(now);
        }
        change
    }

    fn write_checkpoint(&mut self, now: Timestamp) {
        self.writes.push(Write::Checkpoint { checkpoint: Box::new(self.portfolio.checkpoint()), at: now });
    }

    fn correct(&mut self, asset: Asset, market: MarketId, more: Decimal, now: Timestamp) {
        let journal = correction(asset, market, more, "counted".into(), now);
        self.portfolio.correct(journal.clone());
        self.keep(journal);
    }

    fn open(&mut self, asset: Asset, market: MarketId, more: Decimal, now: Timestamp) {
        let journal = opening(asset, market, (more, Usd(more * dec!(0.3))), now);
        self.portfolio.correct(journal.clone());
        self.keep(journal);
    }

    fn redeem(&mut self, token: &TokenId, now: Timestamp) {
        let held = self.portfolio.holding(token).map(|holding| holding.shares).filter(|shares| *shares > Size::ZERO);
        let Some((shares, payout)) = held.zip(self.portfolio.payout(token)) else { return };
        for journal in self.portfolio.redeem(token, shares, payout, now) {
            self.keep(journal);
        }
    }

    fn keep(&mut self, journal: Journal) {
        self.paper.corrections.push(journal.clone());
        self.writes.push(Write::Journal(Box::new(journal)));
    }

    fn resolve(&mut self, token: usize, payouts: [Price; 2]) {
        let market = market_of(token, Some(payouts));
        self.portfolio.on_market(&market, Timestamp::default());
        if !self.paper.markets.contains_key(&market.market) {
            self.writes.push(Write::Market(Box::new(market.clone())));
            self.paper.markets.insert(market.market.clone(), market);
        }
    }

    /// Through the text that a ledger keeps.
    fn reload(&mut self) {
        let text = serde_json::to_string(&self.portfolio.checkpoint()).expect("a document");
        let checkpoint: Checkpoint = serde_json::from_str(&text).expect("a checkpoint");
        self.portfolio = self.paper.restored(Some(&checkpoint));
        assert_eq!(self.portfolio.checkpoint(), checkpoint, "restored, it tells the same");
    }
}

#[derive(Clone, Debug)]
enum Event {
    See(usize, FillStatus),
    Fee(usize),
    FoldUp(i64),
    Retire,
    Resolve(usize, bool),
    Shares(usize, i64),
    Open(usize, i64),
    Redeem(usize),
    Cash(i64),
    Reload,
}

fn events() -> impl proptest::strategy::Strategy<Value = Vec<Event>> {
    let status = prop_oneof![
        1 => Just(FillStatus::Matched),
        1 => Just(FillStatus::Mined),
        4 => Just(FillStatus::Confirmed),
        1 => Just(FillStatus::Failed),
    ];
    let event = prop_oneof![
        8 => (0..12_usize, status).prop_map(|(fill, status)| Event::See(fill, status)),
        1 => (0..12_usize).prop_map(Event::Fee),
        3 => (0..40_i64).prop_map(Event::FoldUp),
        1 => Just(Event::Retire),
        1 => (0..TOKENS.len(), any::<bool>()).prop_map(|(token, up)| Event::Resolve(token, up)),
        1 => (0..TOKENS.len(), -5..5_i64).prop_map(|(token, shares)| Event::Shares(token, shares)),
        1 => (0..TOKENS.len(), -5..5_i64).prop_map(|(token, shares)| Event::Open(token, shares)),
        2 => (0..TOKENS.len()).prop_map(Event::Redeem),
        1 => (-5..50_i64).prop_map(Event::Cash),
        2 => Just(Event::Reload),
    ];
    prop::collection::vec(event, 0..60)
}

/// A dozen fills, of whatever time, of two strategies and nobody.
fn fills() -> impl proptest::strategy::Strategy<Value = Vec<Fill>> {
    let one = (0..TOKENS.len(), any::<bool>(), 1..20_i64, 1..99_i64, 0..30_i64, 0..3_usize);
    prop::collection::vec(one, 12).prop_map(|drawn| {
        let fill = |(trade, (token, buy, size, price, hour, owner)): (u32, (usize, bool, i64, i64, i64, usize))| {
            let side = if buy { Side::Buy } else { Side::Sell };
            Fill {
                token: TOKENS[token].into(),
                market: market_of(token, None).market,
                strategy: [Some("momentum".into()), Some("weather".into()), None][owner].clone(),
                ..fill(trade, side, Decimal::from(size), Decimal::new(price, 2), hour * HOUR)
            }
        };
        (0..).zip(drawn).map(fill).collect()
    })
}

fn play(books: &mut Books, fills: &[Fill], event: &Event, now: Timestamp) {
    match event {
        Event::See(fill, status) => drop(books.see(&Fill { status: *status, ..fills[*fill].clone() }, now)),
        Event::Fee(fill) => drop(books.see(&Fill { fee: Usd(dec!(0.03)), ..fills[*fill].clone() }, now)),
        Event::FoldUp(hour) => {
            books.portfolio.fold_up(Timestamp::from_secs(hour * HOUR).min(now));
            books.write_checkpoint(now);
        }
        // Whatever has ended by then is over.
        Event::Retire => books.portfolio.retire(now.plus(Duration::from_hours(1_000))),
        Event::Resolve(token, up) => {
            let sides = if *up { [dec!(1), dec!(0)] } else { [dec!(0), dec!(1)] };
            books.resolve(*token, sides.map(Price));
        }
        Event::Shares(number, more) | Event::Open(number, more) => {
            // What is retired is not compared with the venue any more.
            let (token, market) = (TokenId::from(TOKENS[*number]), market_of(*number, None).market);
            let history = books.paper.history(&token);
            if books.portfolio.keeps(&token) || (history.fills.is_empty() && history.corrections.is_empty()) {
                let book = if matches!(event, Event::Open(..)) { Books::open } else { Books::correct };
                book(books, Asset::Token(token), market, Decimal::from(*more), now);
            }
        }
        Event::Redeem(token) => books.redeem(&TOKENS[*token].into(), now),
        Event::Cash(more) => books.correct(Asset::Usd, "account".into(), Decimal::from(*more), now),
        Event::Reload => books.reload(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn folded_up_retired_and_read_back_it_is_as_if_it_were_folded_from_scratch(fills in fills(), events in events()) {
        let mut books = Books::default();
        for (number, event) in (0_i64..).zip(&events) {
            let now = Timestamp::from_secs(30 * HOUR + number * HOUR);
            play(&mut books, &fills, event, now);
            let scratch = books.paper.restored(None);
            prop_assert_eq!(books.portfolio.pnl(), scratch.pnl(), "{:?}", event);
            prop_assert_eq!(
                (books.portfolio.cash(), books.portfolio.free(), books.portfolio.count()),
                (scratch.cash(), scratch.free(), scratch.count())
            );
            for token in TOKENS.map(TokenId::from) {
                if books.portfolio.keeps(&token) {
                    prop_assert_eq!(books.portfolio.position(&token), scratch.position(&token), "{:?}", event);
                }
            }
        }
        books.reload();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_checkpoint_is_what_the_audit_folds_and_a_start_from_the_ledger_goes_on_from_it(
        fills in fills(),
        events in events(),
    ) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("ledger.db");
        let mut books = Books::default();
        let play_all = async {
            let ledger = SqliteLedger::open(&file).await.expect("opens");
            for (number, event) in (0_i64..).zip(&events) {
                play(&mut books, &fills, event, Timestamp::from_secs(30 * HOUR + number * HOUR));
                ledger.commit(&std::mem::take(&mut books.writes)).await.expect("commits");
            }
            let memory = ledger.load(0).await.expect("loads");
            for token in TOKENS {
                let market = if token == "3" { "0xn" } else { "0xm" };
                let told = ledger.history(&market.into(), &token.into()).await.expect("told");
                let expected = books.paper.history(&token.into());
                assert_eq!((told.fills.len(), told.corrections), (expected.fills.len(), expected.corrections));
            }
            ledger.close().await;
            let report = Reader::sqlite(&file).expect("there").verify(None).await.expect("readable");
            (memory, report)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (memory, report) = runtime.block_on(play_all);
        prop_assert!(report.is_sound(), "{:?}", report.differences);
        let (again, scratch) = (restored(&memory), books.paper.restored(None));
        prop_assert_eq!(
            (again.pnl(), again.cash(), again.free(), again.count()),
            (scratch.pnl(), scratch.cash(), scratch.free(), scratch.count())
        );
        for token in TOKENS.map(TokenId::from).iter().filter(|token| again.keeps(token)) {
            prop_assert_eq!(again.position(token), scratch.position(token));
        }
    }
}

#[test]
fn fifty_thousand_fills_leave_no_more_in_memory_than_an_hour_of_them() {
    let mut books = Books::default();
    let name = |n: i64| TokenId::new(format!("{}", n / 300));
    let one = |n: i64| Fill {
        token: name(n),
        market: MarketId::new(format!("m{}", n / 300)),
        order: OrderId::new(format!("o{n}")),
        status: FillStatus::Confirmed,
        ..fill(u32::try_from(n).expect("few"), Side::Buy, dec!(2), dec!(0.40), n)
    };
    let (mut most, mut tokens, mut walked) = (0, 0, 0);
    for n in 0..50_000_i64 {
        let now = Timestamp::from_secs(n);
        assert!(matches!(books.portfolio.apply(&one(n), now), FillChange::New(..)));
        if n % 300 == 299 {
            let outcome = |token| OutcomeToken { token, outcome: "Up".into() };
            let payouts = Some([Price(dec!(0)), Price(dec!(1))]);
            let tokens = [outcome(name(n)), outcome("other".into())];
            books.portfolio.on_market(&Market { tokens, market: one(n).market, ..market(payouts) }, now);
        }
        if n % 60 == 0 {
            books.portfolio.fold_up(now.minus(Duration::from_hours(1)));
            // Windows of five minutes are over a day later: here three hours later.
            books.portfolio.retire(now.plus(Duration::from_hours(24 - 3)));
        }
        most = most.max(books.portfolio.count() - books.portfolio.folded_fills());
        tokens = tokens.max(books.portfolio.tokens.len());
        walked = walked.max(books.portfolio.working().count());
    }
    assert_eq!(books.portfolio.count(), 50_000);
    assert!(most <= 3_600 + 60, "{most} fills were kept");
    assert!(tokens <= 3 * 12 + 2, "{tokens} tokens were kept");
    assert!(walked <= 2, "{walked} tokens were walked for an order");
    assert_eq!(books.portfolio.pnl().total, Usd(Decimal::from(50_000 % 300 - 50_000) * dec!(0.8)));
    let before = books.portfolio.pnl();
    let late = Timestamp::from_secs(50_000);
    assert!(books.portfolio.must_ask(&one(7), late), "it may be booked already");
    assert!(books.portfolio.must_ask(&one(45_000), late) && !books.portfolio.must_ask(&one(49_999), late));
    books.paper.fills.insert((one(7).trade, one(7).order), one(7));
    assert_eq!((books.see(&one(7), late), books.asked), (FillChange::Same, 1));
    assert_eq!(books.portfolio.pnl(), before, "it is not booked twice");
}

#[test]
fn what_can_be_redeemed_is_kept_until_it_was_and_counts_the_same_before_and_after() {
    let mut books = Books::default();
    let at = |hours: i64| Timestamp::from_secs(hours * HOUR);
    books.open(Asset::Usd, "account".into(), dec!(100), at(0));
    books.open(Asset::Token("1".into()), "0xm".into(), dec!(5), at(0));
    books.see(&Fill { status: FillStatus::Confirmed, ..fill(1, Side::Buy, dec!(10), dec!(0.40), HOUR) }, at(1));
    books.resolve(0, [Price(dec!(1)), Price(dec!(0))]);
    books.portfolio.fold_up(at(1_000));
    books.portfolio.retire(at(2_000));
    assert_eq!(books.portfolio.redeemable(9, None), ["1".into()], "its shares may be paid out at any time");
    let before = books.portfolio.pnl().total;
    books.redeem(&"1".into(), at(2_000));
    books.portfolio.retire(at(4_000));
    assert!(books.portfolio.keeps(&"1".into()), "it was not folded up yet");
    books.reload();
    books.portfolio.fold_up(at(2_001));
    books.portfolio.retire(at(4_000));
    assert!(!books.portfolio.keeps(&"1".into()));
    books.reload();
    assert_eq!(
        (books.portfolio.pnl().total, books.portfolio.total(at(4_000), Duration::ZERO, 1).for_losses),
        (before, before)
    );
    assert_eq!(books.portfolio.pnl(), books.paper.restored(None).pnl());
    assert_eq!((books.portfolio.opened_at(), books.portfolio.cash()), (Some(at(0)), books.paper.restored(None).cash()));
}

#[test]
fn what_was_settled_only_just_is_not_folded_up_however_old() {
    let mut portfolio = Portfolio::new();
    let settled = Fill { status: FillStatus::Confirmed, ..fill(1, Side::Buy, dec!(10), dec!(0.40), 0) };
    portfolio.apply(&settled, Timestamp::from_secs(9 * HOUR));
    portfolio.fold_up(Timestamp::from_secs(8 * HOUR));
    assert_eq!(portfolio.folded_fills(), 0, "the venue's balances may not have it yet");
    portfolio.fold_up(Timestamp::from_secs(10 * HOUR));
    assert_eq!(portfolio.folded_fills(), 1);
}
