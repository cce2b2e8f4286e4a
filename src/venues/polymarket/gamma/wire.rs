//! A Gamma market, read strictly: several fields are JSON inside strings, and which ids count depends on its version.

use std::borrow::Cow;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::{
    FeeSchedule, GroupId, Market, MarketId, OutcomeToken, Price, Protocol, Size, Slug, Timestamp, TokenId,
};
use crate::venues::strict::{Refusal, boolean, decimal, integer, number_or_text, object, quote, rfc3339, text};

/// Hex digits of a condition id on the CLOB. Protocol V2 gives 31 bytes, padded on the right to 32.
const CONDITION_DIGITS: usize = 64;
const SHORT_CONDITION_DIGITS: usize = 62;
/// Largest exponent that the fee formula is read with; every known market has 1.
const MAX_EXPONENT: u64 = 8;
const DAY: Duration = Duration::from_hours(24);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    slug: Option<&'a RawValue>,
    #[serde(borrow)]
    condition_id: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    clob_token_ids: Option<&'a RawValue>,
    #[serde(borrow)]
    position_ids: Option<&'a RawValue>,
    #[serde(borrow)]
    outcomes: Option<&'a RawValue>,
    #[serde(borrow)]
    outcome_prices: Option<&'a RawValue>,
    #[serde(borrow)]
    neg_risk: Option<&'a RawValue>,
    #[serde(borrow)]
    order_price_min_tick_size: Option<&'a RawValue>,
    #[serde(borrow)]
    order_min_size: Option<&'a RawValue>,
    #[serde(borrow)]
    accepting_orders: Option<&'a RawValue>,
    #[serde(borrow)]
    closed: Option<&'a RawValue>,
    #[serde(borrow)]
    event_start_time: Option<&'a RawValue>,
    #[serde(borrow)]
    end_date: Option<&'a RawValue>,
    #[serde(borrow)]
    fees_enabled: Option<&'a RawValue>,
    #[serde(borrow)]
    fee_schedule: Option<&'a RawValue>,
    #[serde(borrow)]
    uma_resolution_status: Option<&'a RawValue>,
    #[serde(borrow)]
    resolution_status: Option<&'a RawValue>,
    #[serde(borrow)]
    question: Option<&'a RawValue>,
    #[serde(borrow, rename = "negRiskMarketID")]
    neg_risk_market_id: Option<&'a RawValue>,
    #[serde(borrow)]
    events: Option<&'a RawValue>,
}

/// The market of `slug` in a list; nothing when the list is empty.
pub(super) fn parse_list(body: &str, slug: &Slug) -> Result<Option<Market>, Refusal> {
    let list: Vec<&RawValue> =
        serde_json::from_str(body).map_err(|_| Refusal::new("frame", format!("{} is not a list", quote(body))))?;
    let Some(first) = list.first() else { return Ok(None) };
    let market = parse_market(first.get())?;
    if market.slug != *slug {
        return Err(Refusal::new("slug", format!("'{}' is not '{slug}', which was asked for", market.slug)));
    }
    Ok(Some(market))
}

/// Reads one market object.
///
/// # Errors
/// [`Refusal`] naming the field that is missing, ill-typed or impossible.
pub fn parse_market(body: &str) -> Result<Market, Refusal> {
    let wire: Wire<'_> = object("frame", body)?;
    let protocol = protocol(&wire)?;
    let tokens = tokens(&wire, protocol)?;
    let tick_size = Price(number_or_text("orderPriceMinTickSize", wire.order_price_min_tick_size)?.normalize());
    if tick_size.decimal() <= Decimal::ZERO || tick_size.decimal() >= Decimal::new(5, 1) {
        return Err(Refusal::new("orderPriceMinTickSize", format!("{tick_size} is not between 0 and 0.5")));
    }
    let min_size = Size(number_or_text("orderMinSize", wire.order_min_size)?.normalize());
    if min_size.decimal() < Decimal::ZERO {
        return Err(Refusal::new("orderMinSize", format!("{min_size} is below 0")));
    }
    let closed = optional(wire.closed, |raw| boolean("closed", raw))?.unwrap_or(false);
    let accepting = optional(wire.accepting_orders, |raw| boolean("acceptingOrders", raw))?.unwrap_or(false);
    let neg_risk = optional(wire.neg_risk, |raw| boolean("negRisk", raw))?.unwrap_or(false);
    let slug = Slug::new(text("slug", wire.slug)?);
    let named = time("endDate", wire.end_date)?;
    Ok(Market {
        market: condition(&wire)?,
        tokens,
        tick_size,
        min_size,
        neg_risk,
        protocol,
        fee: fee(&wire)?,
        opens_at: time("eventStartTime", wire.event_start_time)?,
        closes_at: named.map(|at| if is_of_a_day(&slug) { at.plus(DAY) } else { at }),
        slug,
        accepting_orders: accepting && !closed,
        payouts: if closed { payouts(&wire)? } else { None },
        question: optional(wire.question, |raw| text("question", raw))?.map(Cow::into_owned),
        group: if neg_risk { Some(group(&wire)?) } else { None },
    })
}

/// Whether it asks about the temperature of a day. Of these the venue names noon UTC of that day as the end, and takes orders until the
/// result (Polymarket/clob-client issue 331): the day is over a day later at the latest, wherever on earth it is.
fn is_of_a_day(slug: &Slug) -> bool {
    ["highest-temperature-in-", "lowest-temperature-in-"].into_iter().any(|asked| slug.as_str().starts_with(asked))
}

/// Which neg-risk event it is part of. One that does not say is refused: without its siblings nobody can tell what may be lost.
fn group(wire: &Wire<'_>) -> Result<GroupId, Refusal> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        id: Option<&'a RawValue>,
    }
    let named = optional(wire.neg_risk_market_id, |raw| text("negRiskMarketID", raw))?;
    if let Some(id) = named.filter(|id| !id.is_empty()) {
        return Ok(GroupId::new(id));
    }
    let missing = || Refusal::new("negRiskMarketID", "missing although negRisk is true");
    let events: Vec<Event<'_>> =
        wire.events.and_then(|events| serde_json::from_str(events.get()).ok()).ok_or_else(missing)?;
    let first = events.first().ok_or_else(missing)?;
    Ok(GroupId::new(format!("event/{}", text("events[0].id", first.id)?)))
}

fn optional<'a, T>(
    raw: Option<&'a RawValue>,
    read: impl Fn(Option<&'a RawValue>) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    raw.map(|raw| read(Some(raw))).transpose()
}

/// Markets made before the field existed are version 1.
fn protocol(wire: &Wire<'_>) -> Result<Protocol, Refusal> {
    let Some(version) = optional(wire.version, |raw| text("version", raw))? else { return Ok(Protocol::V2) };
    match version.as_ref() {
        "v1" => Ok(Protocol::V2),
        "v2" => Ok(Protocol::V3),
        _ => Err(Refusal::new("version", format!("'{}' is not v1 or v2", quote(&version)))),
    }
}

fn tokens(wire: &Wire<'_>, protocol: Protocol) -> Result<[OutcomeToken; 2], Refusal> {
    let (field, raw) = match protocol {
        Protocol::V2 => ("clobTokenIds", wire.clob_token_ids),
        Protocol::V3 => ("positionIds", wire.position_ids),
    };
    let [first_id, second_id] = pair(field, raw)?;
    for id in [&first_id, &second_id] {
        if id.is_empty() || id.len() > 78 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::new(field, format!("'{}' is not a decimal token id", quote(id))));
        }
    }
    if first_id == second_id {
        return Err(Refusal::new(field, format!("both outcomes have the id {first_id}")));
    }
    let [first, second] = pair("outcomes", wire.outcomes)?;
    let outcome = |id: String, outcome: String| OutcomeToken { token: TokenId::new(id), outcome };
    Ok([outcome(first_id, first), outcome(second_id, second)])
}

/// Two strings: an array, or an array written inside a string.
fn pair(field: &'static str, raw: Option<&RawValue>) -> Result<[String; 2], Refusal> {
    let inner: Cow<'_, str> = match raw {
        Some(value) if value.get().starts_with('"') => text(field, raw)?,
        Some(value) => Cow::Borrowed(value.get()),
        None => return Err(Refusal::new(field, "missing")),
    };
    let list: Vec<String> = serde_json::from_str(&inner)
        .map_err(|_| Refusal::new(field, format!("{} is not a list of strings", quote(&inner))))?;
    let found = list.len();
    list.try_into().map_err(|_| Refusal::new(field, format!("{found} entries, must be 2")))
}

fn condition(wire: &Wire<'_>) -> Result<MarketId, Refusal> {
    let id = text("conditionId", wire.condition_id)?;
    let digits = id.strip_prefix("0x").unwrap_or_default();
    let whole = matches!(digits.len(), SHORT_CONDITION_DIGITS | CONDITION_DIGITS);
    if !whole || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::new("conditionId", format!("'{}' is not 0x and 62 or 64 hex digits", quote(&id))));
    }
    Ok(MarketId::new(format!("0x{digits:0<CONDITION_DIGITS$}")))
}

/// The schedule is the venue's to tell: fees that are enabled but not described are refused, never guessed.
fn fee(wire: &Wire<'_>) -> Result<FeeSchedule, Refusal> {
    #[derive(Deserialize)]
    struct Schedule<'a> {
        #[serde(borrow)]
        rate: Option<&'a RawValue>,
        #[serde(borrow)]
        exponent: Option<&'a RawValue>,
    }
    let enabled = optional(wire.fees_enabled, |raw| boolean("feesEnabled", raw))?;
    let Some(raw) = wire.fee_schedule.filter(|_| enabled != Some(false)) else {
        return match enabled {
            Some(true) => Err(Refusal::new("feeSchedule", "missing although feesEnabled is true")),
            Some(false) | None => Ok(FeeSchedule::FREE),
        };
    };
    let schedule: Schedule<'_> = object("feeSchedule", raw.get())?;
    let rate = number_or_text("rate", schedule.rate)?;
    if rate < Decimal::ZERO || rate > Decimal::ONE {
        return Err(Refusal::new("rate", format!("{rate} is not between 0 and 1")));
    }
    let exponent = optional(schedule.exponent, |raw| integer("exponent", raw))?.unwrap_or(1);
    let exponent = u32::try_from(exponent).ok().filter(|_| exponent <= MAX_EXPONENT);
    let exponent = exponent.ok_or_else(|| Refusal::new("exponent", format!("is not between 0 and {MAX_EXPONENT}")))?;
    Ok(FeeSchedule { rate: rate.normalize(), exponent })
}

fn time(field: &'static str, raw: Option<&RawValue>) -> Result<Option<Timestamp>, Refusal> {
    optional(raw, |raw| rfc3339(field, raw))
}

/// What a closed market pays, once its prices are a final result and nothing says that it is still being resolved.
fn payouts(wire: &Wire<'_>) -> Result<Option<[Price; 2]>, Refusal> {
    let status = optional(wire.resolution_status.or(wire.uma_resolution_status), |raw| text("resolutionStatus", raw))?;
    let resolved = status.as_deref().map(|status| status.eq_ignore_ascii_case("resolved"));
    let [first, second] = pair("outcomePrices", wire.outcome_prices)?;
    let (first, second) = (decimal("outcomePrices", &first)?, decimal("outcomePrices", &second)?);
    let decided = first + second == Decimal::ONE && (first.is_zero() || second.is_zero());
    let shared = first == second && first == Decimal::new(5, 1);
    // An even split is also how an undecided market may be quoted: it counts only with the venue's word.
    let is_final = match resolved {
        Some(true) => decided || shared,
        Some(false) => false,
        None => decided,
    };
    Ok(is_final.then(|| [Price(first.normalize()), Price(second.normalize())]))
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn market(changes: &[(&str, serde_json::Value)]) -> String {
        let mut market = serde_json::json!({
            "slug": "btc-updown-5m-1795348800",
            "conditionId": format!("0x{}", "ab".repeat(32)),
            "clobTokenIds": "[\"111\", \"222\"]",
            "outcomes": "[\"Up\", \"Down\"]",
            "outcomePrices": "[\"0.505\", \"0.495\"]",
            "orderPriceMinTickSize": 0.01,
            "orderMinSize": 5,
            "acceptingOrders": true,
            "closed": false,
            "negRisk": false,
            "eventStartTime": "2026-11-22T12:00:00Z",
            "endDate": "2026-11-22T12:05:00Z",
            "feesEnabled": true,
            "feeSchedule": {"rate": 0.07, "exponent": 1, "takerOnly": true}
        });
        for (key, value) in changes {
            if value.is_null() {
                market.as_object_mut().expect("object").remove(*key);
            } else {
                market[*key] = value.clone();
            }
        }
        market.to_string()
    }

    #[test]
    fn a_market_is_read_whole() {
        let read = parse_market(&market(&[])).expect("market");
        assert_eq!(read.tokens[1], OutcomeToken { token: TokenId::new("222"), outcome: "Down".into() });
        assert_eq!((read.tick_size, read.min_size), (Price(dec!(0.01)), Size(dec!(5))));
        assert_eq!(read.fee, FeeSchedule { rate: dec!(0.07), exponent: 1 });
        assert_eq!(read.opens_at, Some(Timestamp::from_secs(1_795_348_800)));
        assert_eq!(read.closes_at, Some(Timestamp::from_secs(1_795_349_100)));
        assert!(read.accepting_orders && read.payouts.is_none() && read.protocol == Protocol::V2);
    }

    #[test]
    fn the_end_that_a_temperature_market_names_is_noon_and_the_day_goes_on() {
        for (slug, closes_at) in [
            ("highest-temperature-in-nyc-on-november-22-2026-41-42f", 1_795_435_500),
            ("lowest-temperature-in-london-on-november-22-2026-4c", 1_795_435_500),
            ("btc-100k", 1_795_349_100),
        ] {
            let read = parse_market(&market(&[("slug", slug.into())])).expect("market");
            assert_eq!(read.closes_at, Some(Timestamp::from_secs(closes_at)), "{slug}");
        }
    }

    #[test]
    fn the_recorded_market_is_refused_only_for_the_fee_it_does_not_tell() {
        let Some(text) = crate::fixtures::text("feeds/polymarket/gamma_market.json") else { return };
        assert_eq!(parse_market(&text).expect_err("no schedule").field, "feeSchedule");
        let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        value["feeSchedule"] = serde_json::json!({"rate": 0.07, "exponent": 1});
        let list = serde_json::json!([value]).to_string();
        let slug = Slug::new("btc-updown-5m-1773307200");
        let read = parse_list(&list, &slug).expect("reads").expect("one");
        assert_eq!(read.tokens[0].outcome, "Up");
        assert_eq!(read.closes_at.map(Timestamp::secs), Some(1_773_307_500));
        assert_eq!(parse_list(&list, &Slug::new("other")).expect_err("another").field, "slug");
        assert_eq!(parse_list("[]", &slug), Ok(None));
    }

    #[test]
    fn the_version_decides_which_ids_count_and_short_conditions_are_padded() {
        let short = format!("0x{}", "cd".repeat(31));
        let changes = [
            ("version", "v2".into()),
            ("positionIds", serde_json::json!(["333", "444"])),
            ("conditionId", short.clone().into()),
        ];
        let read = parse_market(&market(&changes)).expect("market");
        assert_eq!((read.protocol, read.tokens[0].token.as_str()), (Protocol::V3, "333"));
        assert_eq!(read.market.as_str(), format!("{short}00"));
        let v1 = parse_market(&market(&[("version", "v1".into()), ("positionIds", serde_json::json!(["333", "444"]))]));
        assert_eq!(v1.expect("market").tokens[0].token.as_str(), "111");
    }

    #[test]
    fn what_is_missing_or_impossible_is_named() {
        let null = serde_json::Value::Null;
        let cases = [
            ("version", "v3".into(), "version"),
            ("version", "v2".into(), "positionIds"),
            ("slug", null.clone(), "slug"),
            ("conditionId", "0xab".into(), "conditionId"),
            ("conditionId", format!("0x{}", "zz".repeat(32)).into(), "conditionId"),
            ("clobTokenIds", "[\"1\"]".into(), "clobTokenIds"),
            ("clobTokenIds", "[\"1\",\"1\"]".into(), "clobTokenIds"),
            ("clobTokenIds", "[\"1\",\"x\"]".into(), "clobTokenIds"),
            ("clobTokenIds", "not json".into(), "clobTokenIds"),
            ("outcomes", null.clone(), "outcomes"),
            ("orderPriceMinTickSize", null.clone(), "orderPriceMinTickSize"),
            ("orderPriceMinTickSize", 0.into(), "orderPriceMinTickSize"),
            ("orderMinSize", serde_json::json!([]), "orderMinSize"),
            ("feeSchedule", null, "feeSchedule"),
            ("feeSchedule", serde_json::json!({"rate": 7}), "rate"),
            ("endDate", "tomorrow".into(), "endDate"),
            ("closed", "yes".into(), "closed"),
        ];
        for (key, value, field) in cases {
            assert_eq!(parse_market(&market(&[(key, value)])).expect_err(key).field, field, "{key}");
        }
    }

    #[test]
    fn a_neg_risk_market_names_its_group_or_its_event() {
        let group = |changes: &[(&str, serde_json::Value)]| parse_market(&market(changes)).map(|market| market.group);
        let (yes, event) = (("negRisk", true.into()), ("events", serde_json::json!([{"id": "903", "slug": "e"}])));
        let named = ("negRiskMarketID", "0xaa".into());
        assert_eq!(group(std::slice::from_ref(&named)), Ok(None), "not neg-risk");
        assert_eq!(group(&[yes.clone(), named, event.clone()]), Ok(Some("0xaa".into())));
        assert_eq!(group(&[yes.clone(), ("negRiskMarketID", "".into()), event]), Ok(Some("event/903".into())));
        for events in [serde_json::Value::Null, serde_json::json!([])] {
            let refused = group(&[yes.clone(), ("events", events)]).expect_err("no group");
            assert_eq!(refused.field, "negRiskMarketID");
        }
    }

    #[test]
    fn only_a_closed_market_with_a_final_result_pays() {
        let payouts = |closed: bool, prices: &str, status: Option<&str>| {
            let status = status.map_or(serde_json::Value::Null, Into::into);
            let changes =
                [("closed", closed.into()), ("outcomePrices", prices.into()), ("umaResolutionStatus", status)];
            parse_market(&market(&changes)).expect("market").payouts
        };
        let up = Some([Price(dec!(1)), Price(dec!(0))]);
        assert_eq!(payouts(true, "[\"1\",\"0\"]", Some("resolved")), up);
        assert_eq!(payouts(true, "[\"1.0\",\"0.00\"]", None), up);
        assert_eq!(payouts(true, "[\"0.5\",\"0.5\"]", Some("resolved")), Some([Price(dec!(0.5)), Price(dec!(0.5))]));
        assert_eq!(payouts(true, "[\"0.5\",\"0.5\"]", None), None);
        assert_eq!(payouts(true, "[\"0.9995\",\"0.0005\"]", Some("resolved")), None);
        assert_eq!(payouts(true, "[\"1\",\"0\"]", Some("proposed")), None);
        assert_eq!(payouts(false, "[\"1\",\"0\"]", Some("resolved")), None);
    }
}
