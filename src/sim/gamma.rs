//! Gamma on loopback: markets and events by slug, in the venue's shape (JSON inside strings included).

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use super::exchange::Exchange;
use super::listing::{Listing, Listings};
use crate::domain::{Book, Price, Timestamp};

/// Most rows in one answer, and how many there are unless asked.
const MAX_LIMIT: usize = 500;
const DEFAULT_LIMIT: usize = 20;
/// Most rows on a page of the cursor form.
const MAX_PAGE: usize = 100;

#[derive(Clone, Debug)]
struct Gamma {
    listings: Listings,
    exchange: Exchange,
}

/// `/markets`, `/markets/keyset`, `/markets/slug/{slug}`, and the same of `/events`.
pub(super) fn router(listings: Listings, exchange: Exchange) -> Router {
    Router::new()
        .route("/markets", get(markets))
        .route("/markets/keyset", get(markets_keyset))
        .route("/markets/slug/{slug}", get(market_by_slug))
        .route("/events", get(events))
        .route("/events/keyset", get(events_keyset))
        .route("/events/slug/{slug}", get(event_by_slug))
        .with_state(Gamma { listings, exchange })
}

async fn markets(State(gamma): State<Gamma>, RawQuery(query): RawQuery) -> Response {
    gamma.list(query.as_deref(), market_json)
}

async fn markets_keyset(State(gamma): State<Gamma>, RawQuery(query): RawQuery) -> Response {
    gamma.page(query.as_deref(), "markets", market_json)
}

async fn events_keyset(State(gamma): State<Gamma>, RawQuery(query): RawQuery) -> Response {
    gamma.page(query.as_deref(), "events", event_json)
}

async fn events(State(gamma): State<Gamma>, RawQuery(query): RawQuery) -> Response {
    gamma.list(query.as_deref(), event_json)
}

async fn market_by_slug(State(gamma): State<Gamma>, Path(slug): Path<String>) -> Response {
    gamma.one(&slug, market_json)
}

async fn event_by_slug(State(gamma): State<Gamma>, Path(slug): Path<String>) -> Response {
    gamma.one(&slug, event_json)
}

type Shape = fn(&Listing, Option<&Book>) -> Value;

impl Gamma {
    fn list(&self, query: Option<&str>, shape: Shape) -> Response {
        match Filter::parse(query.unwrap_or_default()) {
            Ok(filter) => {
                let all = self.listings.all();
                let rows = all.iter().filter(|listing| filter.takes(listing)).skip(filter.offset).take(filter.limit);
                Json(rows.map(|listing| self.shaped(listing, shape)).collect::<Vec<_>>()).into_response()
            }
            Err(reason) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &reason),
        }
    }

    /// A page of the cursor form. The cursor is the number of the last row; the last page has none.
    fn page(&self, query: Option<&str>, name: &str, shape: Shape) -> Response {
        let filter = match Filter::parse(query.unwrap_or_default()) {
            Ok(filter) => filter,
            Err(reason) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, &reason),
        };
        let all = self.listings.all();
        let mut rest = all.iter().filter(|listing| listing.number > filter.after && filter.takes(listing)).peekable();
        let page: Vec<&Listing> = rest.by_ref().take(filter.limit.min(MAX_PAGE)).collect();
        let more = rest.peek().is_some();
        let next = page.last().filter(|_| more).map(|listing| listing.number.to_string());
        let rows: Vec<Value> = page.into_iter().map(|listing| self.shaped(listing, shape)).collect();
        Json(json!({name: rows, "next_cursor": next})).into_response()
    }

    /// By slug in the path: open or closed.
    fn one(&self, slug: &str, shape: Shape) -> Response {
        self.listings.all().iter().find(|listing| listing.market.slug.as_str() == slug).map_or_else(
            || refuse(StatusCode::NOT_FOUND, "slug not found"),
            |listing| Json(self.shaped(listing, shape)).into_response(),
        )
    }

    fn shaped(&self, listing: &Listing, shape: Shape) -> Value {
        let book = self.exchange.book(&listing.market.tokens[0].token);
        let mut listing = listing.clone();
        // What a fault has done to the market is known to the exchange alone.
        if let Some(market) = self.exchange.market(&listing.market.market) {
            listing.market.tick_size = market.tick_size;
            listing.market.accepting_orders &= market.accepting_orders;
        }
        shape(&listing, book.as_ref())
    }
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"type": "validation error", "error": error}))).into_response()
}

/// What a query asks for. Parameters that are not simulated are ignored.
#[derive(Debug)]
struct Filter {
    slugs: Vec<String>,
    ids: Vec<String>,
    conditions: Vec<String>,
    tokens: Vec<String>,
    /// Open ones unless asked.
    closed: bool,
    limit: usize,
    offset: usize,
    /// Number of the last row of the page before.
    after: u64,
}

impl Filter {
    fn parse(query: &str) -> Result<Self, String> {
        let mut filter = Self {
            slugs: vec![],
            ids: vec![],
            conditions: vec![],
            tokens: vec![],
            closed: false,
            limit: DEFAULT_LIMIT,
            offset: 0,
            after: 0,
        };
        let number = |key: &str, value: &str| {
            value.parse::<usize>().map_err(|_| format!("{key} '{value}' is not a whole number of 0 or more"))
        };
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "slug" => filter.slugs.push(value.into_owned()),
                "id" => filter.ids.push(value.into_owned()),
                "condition_ids" => filter.conditions.push(value.into_owned()),
                "clob_token_ids" => filter.tokens.push(value.into_owned()),
                "closed" => {
                    filter.closed = value.parse().map_err(|_| format!("closed '{value}' is not true or false"))?;
                }
                "limit" => filter.limit = number("limit", &value)?.min(MAX_LIMIT),
                "offset" => filter.offset = number("offset", &value)?,
                "after_cursor" => {
                    filter.after = value.parse().map_err(|_| format!("after_cursor '{value}' is not one of ours"))?;
                }
                _ => {}
            }
        }
        Ok(filter)
    }

    fn takes(&self, listing: &Listing) -> bool {
        let among = |wanted: &[String], value: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == value);
        let market = &listing.market;
        self.closed == listing.is_closed()
            && among(&self.slugs, market.slug.as_str())
            && among(&self.ids, &listing.number.to_string())
            && among(&self.conditions, market.market.as_str())
            && (self.tokens.is_empty()
                || market.tokens.iter().any(|outcome| self.tokens.iter().any(|id| id == outcome.token.as_str())))
    }
}

/// A JSON number with the digits of a decimal: Gamma writes ticks, sizes and rates as numbers.
fn number(value: rust_decimal::Decimal) -> Value {
    serde_json::from_str(&value.normalize().to_string()).unwrap_or(Value::Null)
}

/// Gamma's times: whole seconds unless there are fractions.
fn instant(at: Timestamp) -> Value {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.micros()) * 1_000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .map_or(Value::Null, Value::from)
}

/// A list as Gamma sends it: JSON text in a string.
fn inside_string(items: &[String; 2]) -> Value {
    json!(items).to_string().replace("\",\"", "\", \"").into()
}

fn outcome_prices(listing: &Listing, book: Option<&Book>) -> [Price; 2] {
    listing.market.payouts.unwrap_or_else(|| {
        let up = book.and_then(Book::mid).unwrap_or(Price(rust_decimal::dec!(0.5)));
        [up, up.complement()]
    })
}

fn market_json(listing: &Listing, book: Option<&Book>) -> Value {
    let Value::Object(mut object) = market_core(listing, book) else { return Value::Null };
    let mut event = event_core(listing);
    event.insert("series".to_owned(), series_json(listing));
    object.insert("events".to_owned(), json!([event]));
    Value::Object(object)
}

fn event_json(listing: &Listing, book: Option<&Book>) -> Value {
    let mut event = event_core(listing);
    event.insert("series".to_owned(), series_json(listing));
    event.insert("markets".to_owned(), json!([market_core(listing, book)]));
    Value::Object(event)
}

fn market_core(listing: &Listing, book: Option<&Book>) -> Value {
    let market = &listing.market;
    let closed = listing.is_closed();
    let prices = outcome_prices(listing, book).map(|price| price.decimal().normalize().to_string());
    let mut object = json!({
        "id": listing.number.to_string(),
        "question": listing.question,
        "conditionId": market.market,
        "slug": market.slug,
        "version": "v1",
        "description": listing.description,
        "outcomes": inside_string(&market.tokens.clone().map(|outcome| outcome.outcome)),
        "outcomePrices": inside_string(&prices),
        "clobTokenIds": inside_string(&market.tokens.clone().map(|outcome| outcome.token.to_string())),
        "active": true,
        "closed": closed,
        "archived": false,
        "restricted": false,
        "acceptingOrders": market.accepting_orders,
        "enableOrderBook": true,
        "orderPriceMinTickSize": number(market.tick_size.decimal()),
        "orderMinSize": number(market.min_size.decimal()),
        "negRisk": market.neg_risk,
        "negRiskOther": false,
        "feesEnabled": !market.fee.rate.is_zero(),
        "feeType": "crypto_fees",
        "feeSchedule": {
            "rate": number(market.fee.rate),
            "exponent": market.fee.exponent,
            "takerOnly": true,
            "rebateRate": 0,
        },
        "makerBaseFee": 1000,
        "takerBaseFee": 1000,
        "startDate": instant(listing.listed_at),
        "createdAt": instant(listing.listed_at),
        "updatedAt": instant(listing.updated_at),
        "acceptingOrdersTimestamp": instant(listing.listed_at),
        "umaResolutionStatuses": if closed { "[\"proposed\", \"resolved\"]" } else { "[]" },
    });
    if let Some(group) = &market.group {
        object["negRiskMarketID"] = group.as_str().into();
    }
    if let Some(opens_at) = market.opens_at {
        object["eventStartTime"] = instant(opens_at);
    }
    if let Some(closes_at) = market.closes_at {
        object["endDate"] = instant(closes_at);
    }
    if closed {
        object["umaResolutionStatus"] = "resolved".into();
        object["closedTime"] = instant(listing.updated_at);
    } else if let Some((bid, ask)) = book.and_then(|book| book.best_bid().zip(book.best_ask())) {
        object["bestBid"] = number(bid.price.decimal());
        object["bestAsk"] = number(ask.price.decimal());
        object["spread"] = number((ask.price - bid.price).decimal());
    }
    object
}

fn event_core(listing: &Listing) -> Map<String, Value> {
    let market = &listing.market;
    let mut event = Map::new();
    for (key, value) in [
        ("id", Value::from(listing.number.to_string())),
        ("ticker", market.slug.as_str().into()),
        ("slug", market.slug.as_str().into()),
        ("title", listing.question.as_str().into()),
        ("description", listing.description.as_str().into()),
        ("active", true.into()),
        ("closed", listing.is_closed().into()),
        ("archived", false.into()),
        ("restricted", false.into()),
        ("enableOrderBook", true.into()),
        ("negRisk", market.neg_risk.into()),
        ("startDate", instant(listing.listed_at)),
        ("creationDate", instant(listing.listed_at)),
        ("createdAt", instant(listing.listed_at)),
        ("updatedAt", instant(listing.updated_at)),
    ] {
        event.insert(key.to_owned(), value);
    }
    if let Some(opens_at) = market.opens_at {
        event.insert("startTime".to_owned(), instant(opens_at));
    }
    if let Some(closes_at) = market.closes_at {
        event.insert("endDate".to_owned(), instant(closes_at));
    }
    if let Some((_, series)) = listing.series {
        event.insert("seriesSlug".to_owned(), series.into());
    }
    event
}

fn series_json(listing: &Listing) -> Value {
    listing.series.map_or_else(
        || json!([]),
        |(id, slug)| {
            json!([{"id": id, "ticker": slug, "slug": slug, "title": slug, "seriesType": "single", "recurrence": "5m",
                "active": true, "closed": false, "archived": false}])
        },
    )
}
