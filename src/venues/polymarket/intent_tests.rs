use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::dec;
use serde_json::Value;

use super::super::budget::Rates;
use super::super::settings::{Settings, maker};
use super::*;
use crate::domain::{FeeSchedule, MarketId, OutcomeToken, Price, Size, Timestamp};
use crate::fixtures;

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
        question: None,
        group: None,
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
    assert_eq!(gtd(20, 5), 188);
    assert_eq!(gtd(600, 5), 661);
    // Sent at its deadline, to a venue whose clock is as far ahead as we allow.
    assert!(gtd(0, 0) - 2 > 180, "{}", gtd(0, 0));
    assert_eq!(expiration(&intent()), 0);
}

/// Maker and signer follow from key and kind of wallet exactly as in the orders of the published clients.
#[test]
fn every_published_order_names_the_maker_and_signer_that_we_would() {
    let Some(text) = fixtures::text("polymarket/vectors.json") else { return };
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    let rows = vectors["orders"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut kinds = BTreeSet::new();
    for row in rows {
        let inputs = &row["inputs"];
        let code = u8::try_from(inputs["signature_type"].as_u64().expect("a number")).expect("small");
        let settings = Settings {
            clob: String::new(),
            clob_ws: String::new(),
            chain_id: 137,
            signature_type: SignatureType::from_code(code).expect("a type"),
            wallet: Some(text(&inputs["maker"])),
            rates: Rates::STANDARD,
        };
        let owner: Address = text(&inputs["signer_eoa"]).parse().expect("an address");
        let maker = maker(&settings, owner).expect("a wallet of the key");
        let order =
            order_of(&intent(), &market(), &Signatory { maker, owner, signature_type: settings.signature_type })
                .expect("an order");
        let name = &row["name"];
        assert_eq!(order.maker.to_checksum(None), text(&inputs["maker"]), "{name}");
        assert_eq!(order.signer.to_checksum(None), text(&inputs["order_signer"]), "{name}");
        assert_eq!(order.signatureType, code, "{name}");
        kinds.insert(code);
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

/// Decimals of an amount in millionths.
fn decimals(amount: U256) -> u32 {
    millionths(amount).normalize().scale()
}

fn millionths(amount: U256) -> Decimal {
    Decimal::new(i64::try_from(amount).expect("small"), 6)
}

proptest! {
    /// A resting order is exact. An order that takes gives whole cents (a buy) or hundredths of a share (a sell) and wants
    /// at most four decimals; read back on the grid, as the venue does, its price is the limit to the tick.
    #[test]
    fn amounts_keep_the_venues_caps_and_mean_the_limit(
        tick in prop::sample::select(vec!["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"]),
        ten_thousandths in 1_i64..10_000,
        hundredths in 500_i64..100_000_000,
        is_buy in any::<bool>(),
        tif in prop::sample::select(vec![TimeInForce::Gtc, TimeInForce::Gtd, TimeInForce::Fok, TimeInForce::Fak]),
        post_only in any::<bool>(),
    ) {
        let tick: Price = tick.parse().expect("decimal");
        let (low, high) = (tick, tick.complement());
        let price = Price(Decimal::new(ten_thousandths, 4)).floor_to(tick);
        let price = if price < low { low } else { price.min(high) };
        let takes = matches!(tif, TimeInForce::Fok | TimeInForce::Fak);
        let side = if is_buy { Side::Buy } else { Side::Sell };
        let size = Size(Decimal::new(hundredths, 2));
        let intent = OrderIntent { price, side, tif, size, post_only: post_only && !takes, ..intent() };
        let market = Market { tick_size: tick, ..market() };
        let order = match order_of(&intent, &market, &signatory()) {
            Ok(order) => order,
            Err(error) => {
                // Only where whole cents buy less than the market's minimum.
                prop_assert!(takes && is_buy && matches!(error, SignError::Size { .. }), "{}", error);
                return Ok(());
            }
        };
        let exact = price.notional(size).0;
        let (gives, wants) = (millionths(order.makerAmount), millionths(order.takerAmount));
        let (money, shares) = if is_buy { (gives, wants) } else { (wants, gives) };
        prop_assert_eq!(shares_of(&order).0, shares);
        prop_assert!(shares <= size.0 && money <= exact, "never more than was approved");
        if takes {
            prop_assert!(decimals(order.makerAmount) <= 2 && decimals(order.takerAmount) <= 4);
            let implied = money / shares;
            let on_grid = if is_buy { Price(implied).floor_to(tick) } else { Price(implied).ceil_to(tick) };
            prop_assert_eq!(on_grid, price);
            let even = exact.normalize().scale() <= if is_buy { 2 } else { 4 };
            prop_assert!(!even || (money, shares) == (exact, size.0), "even amounts are exact");
        } else {
            let money_decimals = tick.0.normalize().scale() + 2;
            let (gives_most, wants_most) = if is_buy { (money_decimals, 2) } else { (2, money_decimals) };
            prop_assert!(decimals(order.makerAmount) <= gives_most && decimals(order.takerAmount) <= wants_most);
            prop_assert_eq!((money, shares), (exact, size.0));
        }
    }

    /// The same intent is the same order, whatever the time; another attempt, intent or wallet is another.
    #[test]
    fn identity_follows_from_intent_and_attempt(name in "[a-z0-9-]{1,40}", attempt in 1_u32..1_000) {
        let made = |name: &str, attempt: u32, by: &Signatory| {
            let intent = OrderIntent { intent: name.into(), attempt, ..intent() };
            order_of(&intent, &market(), by).expect("an order")
        };
        let order = made(&name, attempt, &signatory());
        prop_assert_eq!(&order, &made(&name, attempt, &signatory()));
        prop_assert_eq!(order.timestamp, U256::from(1_795_348_800_000_u64));
        prop_assert!(order.salt <= U256::from(signing::MAX_SALT));
        let other = Signatory { maker: Address::repeat_byte(2), ..signatory() };
        for changed in [
            made(&name, attempt + 1, &signatory()),
            made(&format!("{name}x"), attempt, &signatory()),
            made(&name, attempt, &other),
        ] {
            prop_assert_ne!(order.salt, changed.salt);
        }
    }
}
