use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::dec;

use super::*;
use crate::domain::{FeeSchedule, MarketId, OutcomeToken, Price, Size, Timestamp};

pub(in super::super) const UP: &str = "71321045679252212594626385532706912750332728571942532289631379312455583992563";
const DOWN: &str = "52114319501245915516055106046884209969926127482827954674443846427813813222426";
pub(in super::super) const NOW: i64 = 1_795_348_800;

pub(in super::super) fn market() -> Market {
    let outcome = |token: &str, outcome: &str| OutcomeToken { token: token.into(), outcome: outcome.into() };
    Market {
        slug: "btc-updown-5m-1795348800".into(),
        market: MarketId::new("0xm"),
        tokens: [outcome(UP, "Up"), outcome(DOWN, "Down")],
        tick_size: Price(dec!(0.01)),
        min_size: Size(dec!(5)),
        neg_risk: false,
        protocol: Protocol::V2,
        fee: FeeSchedule::FREE,
        opens_at: None,
        closes_at: None,
        accepting_orders: true,
        payouts: None,
    }
}

pub(in super::super) fn intent() -> OrderIntent {
    let now = Timestamp::from_secs(NOW);
    OrderIntent {
        intent: "intent-1".into(),
        strategy: "momentum".into(),
        market: MarketId::new("0xm"),
        slug: "btc-updown-5m-1795348800".into(),
        token: UP.into(),
        outcome: "Up".into(),
        side: Side::Buy,
        price: Price(dec!(0.52)),
        size: Size(dec!(10)),
        tif: TimeInForce::Gtc,
        post_only: false,
        tick_received_at: now,
        created_at: now,
        deadline: now.plus(Duration::from_secs(5)),
        rest_until: now.plus(Duration::from_secs(20)),
        epoch: 1,
        attempt: 1,
    }
}

fn signatory() -> Signatory {
    let owner = Address::repeat_byte(1);
    Signatory { maker: owner, owner, signature_type: SignatureType::Eoa }
}

#[test]
fn what_must_not_be_signed_is_refused_by_name() {
    let refuse = |change: &dyn Fn(&mut OrderIntent, &mut Market), said: &str| {
        let (mut intent, mut market) = (intent(), market());
        change(&mut intent, &mut market);
        let error = order_of(&intent, &market, &signatory()).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    };
    refuse(&|intent, _| intent.price = Price(dec!(0.525)), "0.525 is not on the grid of 0.01");
    refuse(&|intent, _| intent.price = Price(dec!(1)), "1 is not on the grid");
    refuse(&|_, market| market.tick_size = Price(dec!(0.02)), "grid of 0.02");
    refuse(&|intent, _| intent.size = Size(dec!(4.99)), "below the market's minimum of 5");
    refuse(&|intent, _| intent.size = Size(dec!(5.001)), "more than two decimals");
    refuse(&|intent, _| intent.token = "12".into(), "token '12' is not a token of the intent's market");
    refuse(&|intent, _| intent.market = "0xother".into(), "market '0xm'");
    refuse(&|_, market| market.protocol = Protocol::V3, "of the protocol");
    refuse(
        &|intent, market| {
            market.tokens[0].token = "0x12".into();
            intent.token = "0x12".into();
        },
        "token '0x12' is not a decimal token id",
    );
    refuse(
        &|intent, _| {
            intent.tif = TimeInForce::Fok;
            intent.post_only = true;
        },
        "post_only 'true'",
    );
    refuse(
        &|intent, market| {
            intent.tif = TimeInForce::Fak;
            market.tick_size = Price(dec!(0.001));
            intent.price = Price(dec!(0.567));
            intent.size = Size(dec!(5));
        },
        "2.83 pUSD, in whole cents, buys 4.9911 shares",
    );
}

#[test]
fn a_gtd_order_outlives_our_own_cancel_and_the_venues_least_lifetime() {
    let gtd = |rest: u64, deadline: u64| {
        let now = Timestamp::from_secs(NOW);
        let (rest_until, deadline) = (now.plus(Duration::from_secs(rest)), now.plus(Duration::from_secs(deadline)));
        expiration(&OrderIntent { tif: TimeInForce::Gtd, rest_until, deadline, ..intent() }) - NOW
    };
    assert_eq!(gtd(20, 5), 186);
    assert_eq!(gtd(600, 5), 661);
    assert_eq!(expiration(&intent()), 0);
}

proptest! {
    #[test]
    fn nothing_above_what_was_approved_is_ever_signed(
        tick in prop::sample::select(vec!["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"]),
        ten_thousandths in 1_i64..10_000,
        hundredths in 500_i64..10_000_000,
        is_buy in any::<bool>(),
        tif in prop::sample::select(vec![TimeInForce::Gtc, TimeInForce::Gtd, TimeInForce::Fok, TimeInForce::Fak]),
    ) {
        let tick: Price = tick.parse().expect("decimal");
        let price = Price(Decimal::new(ten_thousandths, 4)).floor_to(tick);
        let side = if is_buy { Side::Buy } else { Side::Sell };
        let intent = OrderIntent { price, side, tif, size: Size(Decimal::new(hundredths, 2)), ..intent() };
        let market = Market { tick_size: tick, ..market() };
        let millionths = |amount: U256| Decimal::new(i64::try_from(amount).expect("small"), 6);
        match order_of(&intent, &market, &signatory()) {
            Ok(order) => {
                let (gives, wants) = (millionths(order.makerAmount), millionths(order.takerAmount));
                let (money, shares) = if is_buy { (gives, wants) } else { (wants, gives) };
                prop_assert!(money <= intent.price.notional(intent.size).0);
                prop_assert!(shares <= intent.size.0 && shares > Decimal::ZERO);
                prop_assert!(is_buy || shares == intent.size.0);
                prop_assert!((money / shares - price.0).abs() < dec!(0.0001));
            }
            Err(error) => {
                let is_market = matches!(tif, TimeInForce::Fok | TimeInForce::Fak);
                prop_assert!(is_market && matches!(error, SignError::Size { .. }), "{error}");
            }
        }
    }
}
