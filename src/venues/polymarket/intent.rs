//! The order that an intent is: wholly derived from it, so that its id can be found again after any crash. Pure.

use alloy_primitives::{Address, B256, U256};
use rust_decimal::Decimal;

use super::rest::MAX_SKEW;
use super::signing::{self, AmountError, Amounts, MARKET_TAKER_DECIMALS, Order, SignatureType, TickGrid, derive_salt};
use crate::domain::{Market, OrderIntent, Protocol, Side, Size, TimeInForce};
use crate::exec::venue::SignError;

/// The venue ends a GTD order this long before its stated expiry.
const GTD_EARLY_SECS: i64 = 60;
/// And refuses one whose expiry is nearer than this.
const GTD_LEAST_SECS: i64 = 180;

/// The venue's number for an order that buys.
const BUY: u8 = 0;

/// Who gives the order and who signs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signatory {
    /// The wallet that the money lies in.
    pub(super) maker: Address,
    /// The key's address.
    pub(super) owner: Address,
    /// What the wallet is.
    pub(super) signature_type: SignatureType,
}

/// The order of `intent` in `market`.
///
/// # Errors
/// [`SignError`]: the intent can never be sent as it is.
pub(super) fn order_of(intent: &OrderIntent, market: &Market, by: &Signatory) -> Result<Order, SignError> {
    let token = token_of(intent, market)?;
    check_size(intent, market)?;
    if intent.post_only && matches!(intent.tif, TimeInForce::Fok | TimeInForce::Fak) {
        return Err(field("post_only", "true", "false for an order that never rests"));
    }
    let amounts = amounts_of(intent, market)?;
    let millis = u64::try_from(intent.created_at.millis())
        .map_err(|_| field("created_at", &intent.created_at.to_string(), "a time after 1970"))?;
    let signer = match by.signature_type {
        SignatureType::DepositWallet => by.maker,
        SignatureType::Eoa | SignatureType::Proxy | SignatureType::Safe => by.owner,
    };
    Ok(Order {
        salt: U256::from(derive_salt(by.maker, &intent.strategy, &intent.intent, intent.attempt)),
        maker: by.maker,
        signer,
        tokenId: token,
        makerAmount: U256::from(amounts.maker),
        takerAmount: U256::from(amounts.taker),
        side: if intent.side == Side::Buy { BUY } else { 1 },
        signatureType: by.signature_type.code(),
        timestamp: U256::from(millis),
        metadata: B256::ZERO,
        builder: B256::ZERO,
    })
}

/// The token, when it belongs to the market and the market to the exchange that it claims.
fn token_of(intent: &OrderIntent, market: &Market) -> Result<U256, SignError> {
    if intent.market != market.market {
        return Err(field("market", market.market.as_str(), "the intent's market"));
    }
    if market.outcome_of(&intent.token).is_none() {
        return Err(field("token", intent.token.as_str(), "a token of the intent's market"));
    }
    let token = U256::from_str_radix(intent.token.as_str(), 10)
        .ok()
        .filter(|token| token.to_string() == intent.token.as_str())
        .ok_or_else(|| field("token", intent.token.as_str(), "a decimal token id"))?;
    if signing::is_position_id(&token) == (market.protocol == Protocol::V3) {
        Ok(token)
    } else {
        Err(field("token", intent.token.as_str(), "of the protocol that the market is said to be on"))
    }
}

fn check_size(intent: &OrderIntent, market: &Market) -> Result<(), SignError> {
    let refused = |reason: String| SignError::Size { size: intent.size, reason };
    if intent.size < market.min_size {
        return Err(refused(format!("below the market's minimum of {}", market.min_size)));
    }
    if intent.size.floor_dp(2) != intent.size {
        return Err(refused("has more than two decimals".to_owned()));
    }
    Ok(())
}

fn amounts_of(intent: &OrderIntent, market: &Market) -> Result<Amounts, SignError> {
    let off_tick = SignError::OffTick { price: intent.price, tick: market.tick_size };
    let refused = |error: AmountError| match error {
        AmountError::Price(_) | AmountError::Tick(_) => off_tick.clone(),
        AmountError::Quantity(_) => SignError::Size { size: intent.size, reason: error.to_string() },
    };
    let grid = TickGrid::of(market.tick_size).map_err(refused)?;
    if !intent.price.is_on_tick(market.tick_size) {
        return Err(off_tick);
    }
    let decimals = grid.amount_decimals.min(MARKET_TAKER_DECIMALS);
    let amounts = match (intent.tif, intent.side) {
        (TimeInForce::Gtc | TimeInForce::Gtd, side) => signing::limit(side, intent.price, intent.size),
        (TimeInForce::Fok | TimeInForce::Fak, Side::Buy) => {
            signing::market_buy(intent.price.notional(intent.size), intent.price, decimals)
        }
        (TimeInForce::Fok | TimeInForce::Fak, Side::Sell) => signing::market_sell(intent.size, intent.price, decimals),
    }
    .map_err(refused)?;
    check_bought(intent, market, amounts)?;
    Ok(amounts)
}

/// A market buy spends whole cents, which may buy a little less than was asked for; not less than the minimum.
fn check_bought(intent: &OrderIntent, market: &Market, amounts: Amounts) -> Result<(), SignError> {
    let millionths = |units: u64| (Decimal::from(units) / Decimal::from(1_000_000)).normalize();
    let bought = millionths(amounts.taker);
    if intent.side == Side::Sell || bought >= market.min_size.0 {
        return Ok(());
    }
    let (spent, price, min) = (millionths(amounts.maker), intent.price, market.min_size);
    let reason = format!("{spent} pUSD, in whole cents, buys {bought} shares at {price}; the minimum is {min}");
    Err(SignError::Size { size: intent.size, reason })
}

/// Shares that an order gives or wants.
pub(super) fn shares_of(order: &Order) -> Size {
    let units = if order.side == BUY { order.takerAmount } else { order.makerAmount };
    // Made from amounts of 64 bits.
    Size((Decimal::from(units.saturating_to::<u64>()) / Decimal::from(1_000_000)).normalize())
}

/// Expiry in Unix seconds; none but for GTD. We cancel at `rest_until` ourselves, so the venue's expiry is the backstop:
/// not before that, and never so near at the deadline for sending that the venue would refuse it, its clock as far ahead of ours
/// as we allow.
pub(super) fn expiration(intent: &OrderIntent) -> i64 {
    match intent.tif {
        TimeInForce::Gtc | TimeInForce::Fok | TimeInForce::Fak => 0,
        TimeInForce::Gtd => {
            let (rest, send) = (intent.rest_until.secs(), intent.deadline.secs());
            let ahead = i64::try_from(MAX_SKEW.as_secs()).unwrap_or(i64::MAX);
            let least = send.saturating_add(1 + GTD_LEAST_SECS).saturating_add(ahead);
            rest.saturating_add(1 + GTD_EARLY_SECS).max(least)
        }
    }
}

fn field(name: &'static str, value: &str, expected: &'static str) -> SignError {
    SignError::Field { field: name, value: value.to_owned(), expected }
}

#[cfg(test)]
#[path = "intent_tests.rs"]
pub(super) mod tests;
