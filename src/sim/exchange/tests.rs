use std::time::Duration;

use rust_decimal::{Decimal, dec};

use super::*;
use crate::domain::{FeeSchedule, FillStatus, OutcomeToken, Protocol, Side, Size, Slug, TimeInForce};

const T0: Timestamp = Timestamp::from_secs(1_795_348_800);

pub(super) fn market() -> Market {
    let token = |token: &str, outcome: &str| OutcomeToken { token: TokenId::new(token), outcome: outcome.to_owned() };
    Market {
        slug: Slug::new("quiet"),
        market: MarketId::new("0x01"),
        tokens: [token("111", "Yes"), token("222", "No")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule { rate: dec!(0.07), exponent: 1 },
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
        question: None,
        group: None,
    }
}

pub(super) fn order(id: &str, token: &str, side: Side, price: Decimal, shares: Decimal, tif: TimeInForce) -> NewOrder {
    NewOrder {
        id: OrderId::new(id),
        token: TokenId::new(token),
        side,
        price: Price(price),
        size: Size(shares),
        tif,
        post_only: false,
        expiration: None,
    }
}

fn gtc(id: &str, token: &str, side: Side, price: Decimal, shares: Decimal) -> NewOrder {
    order(id, token, side, price, shares, TimeInForce::Gtc)
}

struct Bench {
    exchange: Exchange,
    house: AccountId,
    client: AccountId,
}

/// A market with 40 bid and 60 asked for, 100 shares each, and a client with 1,000 pUSD.
fn bench() -> Bench {
    let exchange = Exchange::new(7);
    let (house, client) = (AccountId::new("house"), AccountId::new("client"));
    exchange.open_account(&house, AccountKind::House, Usd::ZERO);
    exchange.open_account(&client, AccountKind::Client, Usd(dec!(1000)));
    exchange.list_market(market(), T0);
    exchange.place(&house, gtc("h1", "111", Side::Buy, dec!(0.4), dec!(100)), T0).expect("rests");
    exchange.place(&house, gtc("h2", "111", Side::Sell, dec!(0.6), dec!(100)), T0).expect("rests");
    Bench { exchange, house, client }
}

impl Bench {
    fn place(&self, order: NewOrder) -> Result<Placed, Refusal> {
        self.exchange.place(&self.client, order, T0)
    }

    fn refused(&self, order: NewOrder) -> String {
        self.place(order).expect_err("must be refused").to_string()
    }

    fn spend(
        &self,
        id: &str,
        budget: Decimal,
        limit: Decimal,
        shares: Decimal,
        tif: TimeInForce,
    ) -> Result<Placed, Refusal> {
        let submission = Submission {
            order: order(id, "111", Side::Buy, limit, shares, tif),
            budget: Some(Usd(budget)),
            maker: "client".to_owned(),
            owner: "key".to_owned(),
        };
        self.exchange.submit(&self.client, submission, T0)
    }

    fn collateral(&self) -> i64 {
        self.exchange.balance(&self.client, None)
    }

    fn shares(&self, token: &str) -> i64 {
        self.exchange.balance(&self.client, Some(&TokenId::new(token)))
    }

    fn status(&self, id: &str) -> &'static str {
        self.exchange.order(&self.client, &OrderId::new(id)).expect("known").status.text()
    }
}

#[test]
fn a_purchase_pays_the_resting_price_and_the_fee() {
    let bench = bench();
    let placed = bench.place(gtc("a", "111", Side::Buy, dec!(0.65), dec!(10))).expect("accepted");
    assert_eq!((placed.making, placed.taking, placed.trades.len()), (Usd(dec!(6)), Usd(dec!(10)), 1));
    // 10 * 0.07 * 0.6 * 0.4
    assert_eq!(bench.collateral(), 1_000_000_000 - 6_000_000 - 168_000);
    assert_eq!(bench.shares("111"), 10_000_000);
    assert_eq!(bench.status("a"), "MATCHED");
    bench.place(gtc("b", "111", Side::Sell, dec!(0.4), dec!(10))).expect("what was bought can be sold at once");
    assert_eq!(bench.shares("111"), 0);
}

#[test]
fn the_other_tokens_book_is_the_mirror_and_trades_with_it() {
    let bench = bench();
    let book = bench.exchange.book(&TokenId::new("222")).expect("a book");
    assert_eq!((book.bids[0].price, book.asks[0].price), (Price(dec!(0.4)), Price(dec!(0.6))));
    bench.place(gtc("no", "222", Side::Buy, dec!(0.6), dec!(10))).expect("mints against the bid for YES");
    assert_eq!(bench.shares("222"), 10_000_000);
    let view = bench.exchange.book_view(&TokenId::new("111")).expect("a book");
    assert_eq!(view.last, Some(LastPrice { price: Price(dec!(0.4)), side: Side::Sell }));
    assert_eq!(view.book.bids[0].size, Size(dec!(90)));
}

#[test]
fn rules_are_refused_in_the_venues_words() {
    let bench = bench();
    assert_eq!(
        bench.refused(gtc("a", "111", Side::Buy, dec!(0.555), dec!(10))),
        "order a is invalid. Price (0.555) breaks minimum tick size rule: 0.01"
    );
    assert_eq!(
        bench.refused(gtc("a", "111", Side::Buy, dec!(0.55), dec!(4.99))),
        "order a is invalid. Size (4.99) lower than the minimum: 5"
    );
    assert_eq!(bench.refused(gtc("a", "9", Side::Buy, dec!(0.55), dec!(5))), "the orderbook 9 does not exist");
    let crossing = NewOrder { post_only: true, ..gtc("a", "111", Side::Buy, dec!(0.6), dec!(5)) };
    assert_eq!(bench.refused(crossing), "invalid post-only order: order crosses book");
    let short = bench.refused(gtc("a", "111", Side::Buy, dec!(0.5), dec!(2000.02)));
    assert!(short.starts_with("not enough balance / allowance"), "{short}");
    assert!(short.ends_with("balance: 1000000000, sum of active orders: 0, order amount: 1000010000"), "{short}");
    assert!(bench.refused(gtc("a", "111", Side::Sell, dec!(0.5), dec!(5))).starts_with("not enough balance"));
    assert_eq!(bench.exchange.truth().orders, []);
}

#[test]
fn open_purchases_bind_money_until_they_end() {
    let bench = bench();
    bench.place(gtc("a", "111", Side::Buy, dec!(0.5), dec!(1500))).expect("750 bound");
    assert!(
        bench.refused(gtc("b", "222", Side::Buy, dec!(0.3), dec!(1000))).contains("sum of active orders: 750000000")
    );
    let answer = bench.exchange.cancel(&bench.client, &[OrderId::new("a"), OrderId::new("x")], T0);
    assert_eq!(answer.cancelled, [OrderId::new("a")]);
    assert_eq!(answer.not_cancelled, [(OrderId::new("x"), "Order not found or already canceled")]);
    bench.place(gtc("b", "222", Side::Buy, dec!(0.3), dec!(1000))).expect("free again");
    assert_eq!(bench.exchange.cancel_all(&bench.client, T0).cancelled, [OrderId::new("b")]);
    assert_eq!(bench.exchange.truth().open_orders, 0);
}

#[test]
fn nobody_cancels_what_is_anothers_or_matched() {
    let bench = bench();
    bench.place(gtc("a", "111", Side::Buy, dec!(0.6), dec!(5))).expect("matched");
    let answer = bench.exchange.cancel(&bench.client, &[OrderId::new("a"), OrderId::new("h1")], T0);
    assert_eq!(answer.not_cancelled[0].1, "Order already matched");
    assert_eq!(answer.not_cancelled[1].1, "Order not found or already canceled");
    assert!(bench.exchange.order(&bench.client, &OrderId::new("h1")).is_none());
}

#[test]
fn a_duplicate_is_one_even_after_a_kill() {
    let bench = bench();
    let fok = order("f", "111", Side::Buy, dec!(0.6), dec!(200), TimeInForce::Fok);
    assert!(bench.refused(fok.clone()).starts_with("order couldn't be fully filled."));
    assert!(bench.status("f").starts_with("CANCELED_order couldn't be fully filled."));
    assert_eq!(bench.refused(fok), "order f is invalid. Duplicated.");
    let fak = order("g", "111", Side::Buy, dec!(0.5), dec!(10), TimeInForce::Fak);
    assert!(bench.refused(fak).starts_with("no orders found to match with FAK order."));
    assert_eq!(bench.collateral(), 1_000_000_000);
    bench.place(gtc("h1", "111", Side::Buy, dec!(0.1), dec!(5))).expect_err("ids of open house orders count as well");
}

#[test]
fn fill_and_kill_takes_what_there_is() {
    let bench = bench();
    let placed = bench.place(order("f", "111", Side::Buy, dec!(0.7), dec!(150), TimeInForce::Fak)).expect("accepted");
    assert_eq!(placed.taking, Usd(dec!(100)));
    let order = bench.exchange.order(&bench.client, &OrderId::new("f")).expect("known");
    assert_eq!((order.matched, order.size, order.status.text()), (Size(dec!(100)), Size(dec!(150)), "CANCELED"));
    assert_eq!(bench.exchange.truth().open_orders, 0);
}

#[test]
fn an_amount_to_spend_is_chased_not_the_shares() {
    let bench = bench();
    bench.exchange.place(&bench.house, gtc("h3", "111", Side::Sell, dec!(0.5), dec!(10)), T0).expect("rests");
    let placed = bench.spend("m", dec!(11), dec!(0.6), dec!(18.3333), TimeInForce::Fok).expect("filled");
    assert_eq!((placed.making, placed.taking), (Usd(dec!(11)), Usd(dec!(20))));
    assert_eq!(bench.status("m"), "MATCHED");
    let killed = bench.spend("n", dec!(100), dec!(0.6), dec!(166.6666), TimeInForce::Fok);
    assert!(matches!(killed, Err(Refusal::FokKilled { .. })), "{killed:?}");
}

#[test]
fn settlement_takes_between_one_and_four_seconds_and_then_rests() {
    let bench = bench();
    bench.place(gtc("a", "111", Side::Buy, dec!(0.6), dec!(10))).expect("matched");
    let mut seen = vec![(0, FillStatus::Matched)];
    for millis in (0..4_000).step_by(50) {
        bench.exchange.advance(T0.plus(Duration::from_millis(millis)));
        let trade = bench.exchange.trades(&bench.client, u64::MAX).remove(0);
        assert_eq!(trade.transaction.is_some(), trade.status >= FillStatus::Mined);
        if trade.status != seen[seen.len() - 1].1 {
            seen.push((millis, trade.status));
        }
    }
    let steps: Vec<FillStatus> = seen.iter().map(|(_, status)| *status).collect();
    assert_eq!(steps, [FillStatus::Matched, FillStatus::Mined, FillStatus::Confirmed]);
    assert!(seen[1].0 >= 600 && seen[2].0 <= 3_300, "{seen:?}");
    assert_eq!(bench.exchange.truth().trades[0].status, "CONFIRMED");
}

#[test]
fn a_gtd_order_needs_three_minutes_and_ends_one_early() {
    let bench = bench();
    let until = |secs| NewOrder {
        tif: TimeInForce::Gtd,
        expiration: Some(T0.plus(Duration::from_secs(secs))),
        ..gtc("g", "111", Side::Buy, dec!(0.1), dec!(5))
    };
    assert_eq!(bench.refused(until(179)), "invalid expiration");
    bench.place(until(180)).expect("rests");
    bench.exchange.advance(T0.plus(Duration::from_millis(119_999)));
    assert_eq!(bench.status("g"), "LIVE");
    bench.exchange.advance(T0.plus(Duration::from_mins(2)));
    assert_eq!(bench.status("g"), "CANCELED_EXPIRED_ORDER");
}

#[test]
fn silence_of_a_key_that_has_beaten_cancels_its_orders_only() {
    let bench = bench();
    let post = |id: &str, owner: &str| {
        let order = gtc(id, "111", Side::Buy, dec!(0.1), dec!(5));
        let submission = Submission { order, budget: None, maker: "client".to_owned(), owner: owner.to_owned() };
        bench.exchange.submit(&bench.client, submission, T0).expect("rests");
    };
    post("a", "beating");
    post("b", "silent");
    let first = bench.exchange.heartbeat(&bench.client, "beating", "", T0).expect("armed");
    let wrong = bench.exchange.heartbeat(&bench.client, "beating", "", T0).expect_err("the chain goes on");
    assert_eq!(wrong.expected, first);
    let at = |secs| T0.plus(Duration::from_secs(secs));
    bench.exchange.heartbeat(&bench.client, "beating", &first, at(8)).expect("in time");
    for second in 0..18 {
        bench.exchange.advance(at(second));
    }
    assert_eq!(bench.status("a"), "LIVE");
    for second in 18..24 {
        bench.exchange.advance(at(second));
    }
    assert_eq!((bench.status("a"), bench.status("b")), ("CANCELED", "LIVE"));
}

#[test]
fn a_closed_market_cancels_and_a_forgotten_one_leaves_the_history() {
    let bench = bench();
    bench.place(gtc("a", "111", Side::Buy, dec!(0.6), dec!(5))).expect("matched");
    bench.place(gtc("b", "111", Side::Buy, dec!(0.1), dec!(5))).expect("rests");
    let id = market().market;
    bench.exchange.close_market(&id, T0);
    assert_eq!(bench.status("b"), "CANCELED_MARKET_RESOLVED");
    assert!(bench.refused(gtc("c", "111", Side::Buy, dec!(0.1), dec!(5))).contains("not yet ready"));
    bench.exchange.resolve_market(&id, [Price(dec!(1)), Price(dec!(0))], T0);
    assert_eq!(bench.exchange.market(&id).expect("listed").payouts, Some([Price(dec!(1)), Price(dec!(0))]));
    bench.exchange.forget_market(&id);
    assert!(bench.exchange.book(&TokenId::new("111")).is_none());
    assert_eq!(bench.shares("111"), 5_000_000);
    assert_eq!(bench.exchange.truth().trades.len(), 1);
    assert_eq!(bench.exchange.state().orders.len(), 2, "nothing of the house is left");
}

#[test]
fn a_resolved_market_pays_out_what_is_held_and_the_shares_are_gone() {
    let bench = bench();
    bench.place(gtc("a", "111", Side::Buy, dec!(0.6), dec!(5))).expect("matched");
    let (id, before) = (market().market, bench.exchange.balance(&bench.client, None));
    assert_eq!(bench.exchange.redeem(&id), None, "not resolved");
    bench.exchange.resolve_market(&id, [Price(dec!(0.5)), Price(dec!(0.5))], T0);
    assert_eq!(bench.exchange.redeem(&id), Some(2_500_000));
    assert_eq!((bench.shares("111"), bench.exchange.balance(&bench.client, None)), (0, before + 2_500_000));
    assert_eq!(bench.exchange.redeem(&id), Some(0), "once");
}

#[test]
fn events_tell_what_happened_in_order() {
    let bench = bench();
    let mut events = bench.exchange.subscribe();
    bench.place(gtc("a", "111", Side::Buy, dec!(0.6), dec!(10))).expect("matched");
    let mut kinds = Vec::new();
    while let Ok(event) = events.try_recv() {
        kinds.push(match event {
            ExchangeEvent::Order { change, order, .. } => format!("{change:?} {}", order.status.text()),
            ExchangeEvent::Trade { trade, .. } => format!("trade {}", trade.taker.size),
            ExchangeEvent::LastTrade(trade) => format!("last {}", trade.last.price),
            ExchangeEvent::Levels(change) => {
                assert!(change.levels.contains(&LevelChange {
                    index: 1,
                    side: Side::Buy,
                    price: Price(dec!(0.4)),
                    size: Size(dec!(90)),
                }));
                format!("levels {}", change.levels.len())
            }
            ExchangeEvent::Books(_) => "books".to_owned(),
            ExchangeEvent::Listed(..) | ExchangeEvent::Resolved(..) | ExchangeEvent::TickSize { .. } => {
                "market".to_owned()
            }
        });
    }
    assert_eq!(kinds, ["Placement MATCHED", "last 0.6", "trade 10", "levels 2", "books"]);
}

#[test]
fn the_same_seed_and_calls_give_the_same_ids() {
    let run = || {
        let bench = bench();
        bench.place(gtc("a", "111", Side::Buy, dec!(0.6), dec!(10))).expect("matched");
        bench.exchange.create_key(&bench.client, 0).expect("new");
        (bench.exchange.truth(), bench.exchange.derive_key(&bench.client, 0).map(|found| found.key))
    };
    assert_eq!(run(), run());
}
