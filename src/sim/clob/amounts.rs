//! From the two amounts that are signed to price and size, by the venue's accuracy rules.

use alloy_primitives::U256;
use rust_decimal::Decimal;

use super::reply::Failure;
use super::verify::OrderTerms;
use crate::domain::{Price, Size, TimeInForce, Usd};

/// What an order means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) price: Price,
    pub(super) size: Size,
    /// For purchases that chase an amount.
    pub(super) budget: Option<Usd>,
}

/// Reads the amounts. GTC and GTD name shares and must give a price on the grid, which the engine checks; FOK and FAK
/// purchases name an amount, and their price is the worst one, on the grid within it.
pub(super) fn terms(order: &OrderTerms, tif: TimeInForce, tick: Price) -> Result<Terms, Failure> {
    let (maker, taker) = (amount(order.maker_amount)?, amount(order.taker_amount)?);
    let buys = order.side == 0;
    let market = matches!(tif, TimeInForce::Fok | TimeInForce::Fak);
    let grid = tick.0.normalize().scale() + 2;
    let (given_decimals, got_decimals) = match (market, buys) {
        (true, _) => (2, 4),
        (false, true) => (grid, 2),
        (false, false) => (2, grid),
    };
    if maker.normalize().scale() > given_decimals || taker.normalize().scale() > got_decimals {
        let kind = match (market, buys) {
            (true, true) => "market buy",
            (true, false) => "market sell",
            (false, true) => "buy",
            (false, false) => "sell",
        };
        return Err(Failure::bad(format!(
            "invalid amounts, the {kind} orders maker amount supports a max accuracy of {given_decimals} decimals, taker amount a max of {got_decimals} decimals"
        )));
    }
    let (cash, shares) = if buys { (maker, taker) } else { (taker, maker) };
    let ratio = cash.checked_div(shares).unwrap_or_default();
    let price = match (market && ratio > Decimal::ZERO && ratio < Decimal::ONE, buys) {
        (true, true) => Price(ratio).floor_to(tick),
        (true, false) => Price(ratio).ceil_to(tick),
        (false, _) if (ratio.round_dp(6) * shares) == cash => Price(ratio.round_dp(6).normalize()),
        (false, _) => Price(ratio.round_dp(12).normalize()),
    };
    Ok(Terms { price, size: Size(shares), budget: (market && buys).then_some(Usd(cash)) })
}

/// Millionths to a decimal; more than anybody could mean is refused.
fn amount(value: U256) -> Result<Decimal, Failure> {
    let micros = i64::try_from(value).ok().filter(|micros| (1..=i64::MAX / 1_000).contains(micros));
    micros.map(|micros| Decimal::new(micros, 6).normalize()).ok_or_else(|| Failure::bad("Invalid order payload"))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B256};
    use rust_decimal::dec;

    use super::*;

    fn order(side: u8, maker: u64, taker: u64) -> OrderTerms {
        OrderTerms {
            salt: U256::ZERO,
            maker: Address::ZERO,
            signer: Address::ZERO,
            token: U256::ZERO,
            maker_amount: U256::from(maker),
            taker_amount: U256::from(taker),
            side,
            signature_type: 0,
            timestamp: U256::ZERO,
            metadata: B256::ZERO,
            builder: B256::ZERO,
        }
    }

    const CENT: Price = Price(dec!(0.01));

    #[test]
    fn a_limit_order_names_shares_and_price() {
        let expected = Terms { price: Price(dec!(0.53)), size: Size(dec!(7.11)), budget: None };
        assert_eq!(terms(&order(0, 3_768_300, 7_110_000), TimeInForce::Gtc, CENT), Ok(expected));
        assert_eq!(terms(&order(1, 7_110_000, 3_768_300), TimeInForce::Gtd, CENT), Ok(expected));
        let off = terms(&order(0, 1_000_000, 3_000_000), TimeInForce::Gtc, CENT).expect("the engine refuses it");
        assert!(!off.price.is_on_tick(CENT));
    }

    #[test]
    fn a_market_purchase_names_an_amount_and_its_worst_price_is_on_the_grid() {
        let bought = terms(&order(0, 10_000_000, 19_230_700), TimeInForce::Fok, CENT).expect("legal");
        assert_eq!((bought.price, bought.budget), (Price(dec!(0.52)), Some(Usd(dec!(10)))));
        let sold = terms(&order(1, 5_000_000, 2_650_000), TimeInForce::Fak, CENT).expect("legal");
        assert_eq!((sold.price, sold.size, sold.budget), (Price(dec!(0.53)), Size(dec!(5)), None));
    }

    #[test]
    fn too_many_decimals_are_refused_in_the_venues_words() {
        let text = |order, tif, tick| terms(&order, tif, tick).expect_err("refused").text().to_owned();
        assert_eq!(
            text(order(0, 3_768_310, 7_110_000), TimeInForce::Gtc, CENT),
            "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, taker amount a max of 2 decimals"
        );
        assert!(text(order(0, 10_001_000, 19_230_700), TimeInForce::Fok, CENT).contains("the market buy orders"));
        assert!(terms(&order(0, 3_768_310, 7_110_000), TimeInForce::Gtc, Price(dec!(0.001))).is_ok());
        assert!(terms(&order(0, 0, 1), TimeInForce::Gtc, CENT).is_err());
    }
}
