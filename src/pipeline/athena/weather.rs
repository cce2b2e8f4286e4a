//! Weather: markets on the highest temperature of a day at a station, a bucket of whole degrees each. From the forecast, the error that
//! it usually has, and what was measured so far follows how likely each bucket is; what is offered below that is bought, what is bid
//! above it is sold. In the simple mode it buys the bucket that the day is heading for once that is hot enough.

mod ladder;
mod offer;
mod outlook;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use rust_decimal::{Decimal, dec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::ladder::{Rung, rung};
use self::offer::{Missed, Scene};
use self::outlook::Outlook;
use super::event::Event;
use super::strategy::{Cause, Desk, Strategy};
use super::window::{Feed, Gap};
use super::wishes::{Skipped, Wishes};
use crate::domain::params::{choice, parameters};
use crate::domain::{
    ForecastModel, Instrument, Market, Measure, OrderIntent, ParamKind, PolymarketData, Price, Rounding, Side, Size,
    StationId, StrategyState, Symbol, TemperatureUnit, Timestamp, TokenId, WeatherData, Zone,
};

/// A report that claims to be this much later than its receipt is not believed.
const FUTURE_TOLERANCE: Duration = Duration::from_mins(5);
/// Tokens whose last wish is remembered; a day's event has two dozen.
const REMEMBERED: usize = 256;

/// How it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By the edge of each bucket's probability over its price.
    Edge,
    /// By one threshold: the day's highest, measured or forecast, reaches it.
    Alert,
}

choice!(Mode { "edge" => Self::Edge, "alert" => Self::Alert });

parameters! {
    /// Thresholds of the weather strategy.
    pub struct WeatherParams {
        /// The station by which the markets are settled.
        station: StationId = ParamKind::Station, "station", "";
        /// Where the station is: the market's day is counted by its clock.
        zone: Zone = ParamKind::Zone, "zone", "";
        /// The daily event whose markets are traded, with the place of the date.
        event: String = ParamKind::Event, "event", "";
        /// Degrees of what the markets ask about; markets in other degrees are left alone.
        unit: TemperatureUnit = ParamKind::Choice { of: &["celsius", "fahrenheit"] }, "unit", "";
        /// How the markets' source makes whole degrees.
        rounding: Rounding = ParamKind::Choice { of: &["nearest", "down"] }, "rounding", "";
        /// Whose forecast counts.
        model: ForecastModel = ParamKind::Choice { of: &["nws", "open_meteo"] }, "model", "";
        /// How it decides: by the edge of each bucket, or by the alert threshold alone.
        mode: Mode = ParamKind::Choice { of: &["edge", "alert"] }, "mode", "";
        /// What is added to the forecast's highest: how much too low it usually is.
        bias: Decimal = ParamKind::Decimal { low: "-20", high: "20" }, "bias", "degrees";
        /// Standard deviation of the forecast's error right after it was computed.
        error_now: Decimal = ParamKind::Decimal { low: "0.1", high: "20" }, "error_now", "degrees";
        /// The same a day ahead; between the two it grows evenly.
        error_1d: Decimal = ParamKind::Decimal { low: "0.1", high: "20" }, "error_1d", "degrees";
        /// The same three days ahead and beyond.
        error_3d: Decimal = ParamKind::Decimal { low: "0.1", high: "20" }, "error_3d", "degrees";
        /// How much of the difference between the newest observation and what was forecast for its hour stays until the day's highest.
        carry: Decimal = ParamKind::Decimal { low: "0", high: "1" }, "carry", "of the difference";
        /// Oldest forecast to go by.
        forecast_age: Duration = ParamKind::Seconds { low: 60, high: 604_800 }, "forecast_age_s", "s";
        /// Longest silence of the station to go by, once the day has begun.
        observation_age: Duration = ParamKind::Seconds { low: 60, high: 86_400 }, "observation_age_s", "s";
        /// Most hours of the day that neither observation nor forecast tells of.
        missing_hours: usize = ParamKind::Integer { low: 0, high: 24 }, "missing_hours", "hours";
        /// What fair value must exceed price and fee by for a buy, and a bid exceed fair value and fee by for a sale.
        min_edge: Decimal = ParamKind::Decimal { low: "-1", high: "1" }, "min_edge", "price";
        /// Whole degrees from which the alert is raised.
        alert_at: Decimal = ParamKind::Decimal { low: "-60", high: "140" }, "alert_at", "degrees";
        /// Most that a share may cost after an alert.
        alert_price: Decimal = ParamKind::Decimal { low: "0.01", high: "0.99" }, "alert_price", "price";
        /// Shares per signal.
        size: Size = ParamKind::Decimal { low: "0.01", high: "1000000000" }, "size", "shares";
        /// Most shares of one outcome, those on their way included.
        most: Size = ParamKind::Decimal { low: "0.01", high: "1000000000" }, "most", "shares";
        /// How far beyond the best opposite price it may pay.
        slippage: Decimal = ParamKind::Decimal { low: "0", high: "0.2" }, "slippage", "price";
        /// Least time between two signals on the same outcome.
        cooldown: Duration = ParamKind::Seconds { low: 0, high: 86_400 }, "cooldown_s", "s";
        /// Time from the news within which an order must be sent.
        send_within: Duration = ParamKind::Millis { low: 10, high: 60_000 }, "send_within_ms", "ms";
        /// How long an order may rest before it is cancelled.
        rest_for: Duration = ParamKind::Seconds { low: 1, high: 3_600 }, "rest_s", "s";
        /// No trade later than this before the station's day ends.
        cutoff: Duration = ParamKind::Seconds { low: 0, high: 86_400 }, "cutoff_s", "s";
    }
}

impl WeatherParams {
    /// What makes a signal, and in what it is measured.
    fn threshold(&self) -> (Decimal, Measure) {
        match self.mode {
            Mode::Edge => (self.min_edge, Measure::Probability),
            Mode::Alert => (self.alert_at, self.unit.into()),
        }
    }

    /// Standard deviation of the error of a forecast for `lead` ahead.
    fn error(&self, lead: Duration) -> Decimal {
        let hours = Decimal::from(lead.as_secs()) / dec!(3600);
        let between = |from: Decimal, to: Decimal, part: Decimal| from + (to - from) * part;
        if hours <= dec!(24) {
            between(self.error_now, self.error_1d, hours / dec!(24))
        } else {
            between(self.error_1d, self.error_3d, ((hours - dec!(24)) / dec!(48)).min(Decimal::ONE))
        }
    }
}

/// The strategy's rules.
#[derive(Clone, Copy, Debug)]
pub struct Weather;

/// What it remembers, over restarts too.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    outlook: Outlook,
    /// When each token was last wished for.
    wished: BTreeMap<TokenId, Timestamp>,
    /// The news that were acted upon last, by their content: said again, they are no news.
    acted_upon: VecDeque<u64>,
}

/// Why it does not trade.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Obstacle {
    NoMarket { event: String },
    NoForecast,
    StaleForecast { age: Duration, most: Duration },
    Silent { age: Duration, most: Duration },
    HoursMissing { missing: usize, most: usize },
    NotAccepting,
    TooSmall { size: Size, least: Size },
    Closing { left: Duration, least: Duration },
    NoFreshBook,
    NobodyOn(Side),
    NothingToSell,
    CoolingDown { left: Duration, whole: Duration },
    Full { most: Size },
    NoEdge { edge: Decimal, least: Decimal },
    NotHot { likely: Decimal, least: Decimal },
    OtherBucket { likely: Decimal },
    TooDear { price: Price, most: Decimal },
}

impl Obstacle {
    /// One word for it.
    const fn word(&self) -> &'static str {
        match self {
            Self::NoMarket { .. } => "no_market",
            Self::NoForecast => "no_forecast",
            Self::StaleForecast { .. } => "stale_forecast",
            Self::Silent { .. } => "silent",
            Self::HoursMissing { .. } => "hours_missing",
            Self::NotAccepting => "not_accepting",
            Self::TooSmall { .. } => "too_small",
            Self::Closing { .. } => "closing",
            Self::NoFreshBook => "no_fresh_book",
            Self::NobodyOn(_) => "one_sided_book",
            Self::NothingToSell => "nothing_to_sell",
            Self::CoolingDown { .. } => "cooling_down",
            Self::Full { .. } => "full",
            Self::NoEdge { .. } => "no_edge",
            Self::NotHot { .. } => "not_hot",
            Self::OtherBucket { .. } => "other_bucket",
            Self::TooDear { .. } => "too_dear",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = |age: &Duration| age.as_secs() / 60;
        match self {
            Self::NoMarket { event } => write!(f, "no open market of {event}"),
            Self::NoForecast => f.write_str("no forecast yet"),
            Self::StaleForecast { age, most } => {
                write!(f, "the forecast is {} min old (at most {})", minutes(age), minutes(most))
            }
            Self::Silent { age, most } => {
                write!(f, "nothing from the station for {} min (at most {})", minutes(age), minutes(most))
            }
            Self::HoursMissing { missing, most } => write!(f, "{missing} hours are not known (at most {most})"),
            Self::NotAccepting => f.write_str("the market takes no orders"),
            Self::TooSmall { size, least } => write!(f, "size {size} is below the market's minimum {least}"),
            Self::Closing { left, least } => {
                write!(f, "the day ends in {} min (no trade below {})", minutes(left), minutes(least))
            }
            Self::NoFreshBook => f.write_str("no fresh book"),
            Self::NobodyOn(Side::Buy) => f.write_str("nobody buys"),
            Self::NobodyOn(Side::Sell) => f.write_str("nobody sells"),
            Self::NothingToSell => f.write_str("no shares to sell"),
            Self::CoolingDown { left, whole } => {
                write!(f, "cooling down for {} of {} s", left.as_secs(), whole.as_secs())
            }
            Self::Full { most } => write!(f, "it would hold more than {most}"),
            Self::NoEdge { edge, least } => write!(f, "edge {edge} is below {least}"),
            Self::NotHot { likely, least } => write!(f, "{likely} degrees are below {least}"),
            Self::OtherBucket { likely } => write!(f, "no open market holds the {likely} degrees that are expected"),
            Self::TooDear { price, most } => write!(f, "{price} is above {most}"),
        }
    }
}

impl Strategy for Weather {
    type Params = WeatherParams;
    type State = Memory;
    type Saved = Memory;

    const NAME: &'static str = "weather";

    const FOLLOWS: Option<fn(&WeatherParams, &Market) -> bool> =
        Some(|params, market| rung(&params.event, market).is_some());

    fn defaults() -> WeatherParams {
        WeatherParams {
            station: StationId::new("KLGA"),
            zone: Zone::named("America/New_York").unwrap_or_default(),
            event: "highest-temperature-in-nyc-on-{date}".to_owned(),
            unit: TemperatureUnit::Fahrenheit,
            rounding: Rounding::Nearest,
            model: ForecastModel::Nws,
            mode: Mode::Edge,
            bias: dec!(0.5),
            error_now: dec!(1.5),
            error_1d: dec!(2.5),
            error_3d: dec!(4),
            carry: dec!(0.5),
            forecast_age: Duration::from_hours(6),
            observation_age: Duration::from_mins(90),
            missing_hours: 1,
            min_edge: dec!(0.05),
            alert_at: dec!(90),
            alert_price: dec!(0.9),
            size: Size(dec!(20)),
            most: Size(dec!(100)),
            slippage: dec!(0.01),
            cooldown: Duration::from_mins(10),
            send_within: Duration::from_secs(5),
            rest_for: Duration::from_mins(1),
            cutoff: Duration::from_hours(1),
        }
    }

    fn instruments(params: &WeatherParams) -> Vec<Instrument> {
        vec![Instrument { symbol: source(params), market: params.event.clone() }]
    }

    fn start(_params: &WeatherParams, _instrument: &Instrument) -> Memory {
        Memory::default()
    }

    fn on_event(
        state: &mut Memory,
        event: &Event,
        params: &WeatherParams,
        desk: &Desk<'_>,
        now: Timestamp,
        wishes: &mut Wishes,
    ) {
        if matches!(event, Event::Gap | Event::Lag) {
            state.outlook.doubt();
        }
        let Some((cause, of)) = concern(event, params) else { return };
        if let Event::Weather(data) = event {
            state.take(data, params, now);
            if state.acted_upon.contains(&cause.trade_id) {
                return;
            }
        }
        let scene = Scene { memory: state, params, desk, now };
        let best = match of {
            None => scene.best(desk.markets.all().filter_map(|market| ours(params, market))),
            Some(book) => scene.best(desk.markets.market(book).and_then(|market| ours(params, market)).into_iter()),
        };
        match best {
            Ok(offer) => {
                let (token, content) = (offer.outcome.token.clone(), of.is_none().then_some(cause.trade_id));
                wishes.push(scene.wish(&offer, cause));
                state.remember(token, content, now);
            }
            // A book is looked at many times a second: only news of the weather that leads to nothing is worth telling.
            Err(Missed { nearest, obstacle }) if of.is_none() => {
                let slug = nearest.map(|(market, _)| &market.slug);
                wishes.skip(obstacle.word(), slug, now, || Skipped {
                    slug: slug.cloned(),
                    note: obstacle.to_string(),
                    inputs: scene.figures(nearest),
                    cause,
                });
            }
            Err(_) => {}
        }
    }

    fn retune(state: &mut Memory, params: &WeatherParams) {
        state.outlook.follow(params.model);
    }

    fn report(state: &Memory, params: &WeatherParams, desk: &Desk<'_>, now: Timestamp) -> StrategyState {
        let scene = Scene { memory: state, params, desk, now };
        let best = scene.best(desk.markets.all().filter_map(|market| ours(params, market)));
        let slug = match &best {
            Ok(offer) => Some(offer.market.slug.clone()),
            Err(missed) => missed.nearest.map(|(market, _)| market.slug.clone()),
        };
        let today = params.zone.day_of(now);
        let (threshold, measure) = params.threshold();
        let high = state.outlook.high(today).map(|high| high.degrees(params.unit));
        StrategyState {
            strategy: Self::id(),
            symbol: source(params),
            slug,
            change: None,
            threshold,
            measure,
            window_ms: 0,
            window_ticks: state.outlook.reports(today),
            last: high.map(Price),
            signal_at: None,
            // That nothing is cheap enough just now is no reason why it could not trade.
            idle: best
                .err()
                .map(|missed| missed.obstacle)
                .filter(Obstacle::hinders)
                .map(|obstacle| obstacle.to_string()),
        }
    }

    fn note_gap(state: &mut Memory, params: &WeatherParams, feed: Feed, gap: Gap) {
        if feed == Feed::Weather {
            state.outlook.note_gap(gap, &params.zone);
        }
    }

    fn seen_until(state: &mut Memory) -> Option<(Feed, Timestamp)> {
        Some((Feed::Weather, state.outlook.reported_at().unwrap_or_default()))
    }

    fn sent(state: &mut Memory, params: &WeatherParams, market: &Market, intent: &OrderIntent) {
        let newer = state.wished.get(&intent.token).is_none_or(|known| *known < intent.tick_received_at);
        if newer && ours(params, market).is_some() {
            state.remember(intent.token.clone(), None, intent.tick_received_at);
        }
    }

    fn save(state: &Memory) -> Memory {
        state.clone()
    }

    fn restore(state: &mut Memory, saved: Memory, params: &WeatherParams, now: Timestamp) -> Result<(), String> {
        *state = saved;
        state.outlook.follow(params.model);
        state.outlook.doubt();
        state.outlook.purge(&params.zone, now);
        Ok(())
    }
}

impl Obstacle {
    const fn hinders(&self) -> bool {
        !matches!(self, Self::NoEdge { .. } | Self::NotHot { .. } | Self::TooDear { .. })
    }
}

impl Memory {
    fn take(&mut self, data: &WeatherData, params: &WeatherParams, now: Timestamp) {
        self.outlook.told();
        self.outlook.follow(params.model);
        match data {
            WeatherData::Observation(observation) => self.outlook.observe(observation, &params.zone),
            WeatherData::Forecast(forecast) if forecast.model == params.model => self.outlook.expect(forecast),
            WeatherData::Forecast(_) => {}
        }
        self.outlook.purge(&params.zone, now);
        self.wished.retain(|_, at| now.since(*at) < params.cooldown);
    }

    /// A token was wished for, upon these news if it was upon any.
    fn remember(&mut self, token: TokenId, content: Option<u64>, now: Timestamp) {
        self.acted_upon.extend(content);
        while self.acted_upon.len() > REMEMBERED {
            self.acted_upon.pop_front();
        }
        if self.wished.len() >= REMEMBERED {
            let oldest = self.wished.iter().min_by_key(|(_, at)| **at).map(|(token, _)| token.clone());
            oldest.and_then(|token| self.wished.remove(&token));
        }
        self.wished.insert(token, now);
    }
}

fn source(params: &WeatherParams) -> Symbol {
    Symbol::new(params.station.as_str())
}

/// Whether the event may lead to a wish: the wish's cause, and the market that it is about when it is about one only.
fn concern<'a>(event: &'a Event, params: &WeatherParams) -> Option<(Cause, Option<&'a crate::domain::MarketId>)> {
    let cause = |event_at, received_at, trade_id| Cause {
        source: source(params),
        event_at,
        received_at,
        trade_id,
        price: Price::ZERO,
    };
    match event {
        Event::Weather(data) if *data.station() == params.station => {
            let (event_at, received_at) = (data.event_at(), data.received_at());
            let content = content(data);
            (event_at.since(received_at) <= FUTURE_TOLERANCE).then(|| (cause(event_at, received_at, content), None))
        }
        Event::Polymarket(PolymarketData::Book(book)) => {
            // A book that is heard to be so still is a cause of its own: what was not wanted then may be now.
            let known_at = book.known_at();
            let number = u64::try_from(known_at.micros()).unwrap_or(0);
            Some((cause(book.event_at, known_at, number), Some(&book.market)))
        }
        _ => None,
    }
}

/// A number of what the news says, whenever it was received: an observation and a forecast of one instant are two causes, and so are a
/// report and its correction.
fn content(data: &WeatherData) -> u64 {
    let mut said = data.clone();
    match &mut said {
        WeatherData::Observation(observation) => observation.received_at = Timestamp::default(),
        WeatherData::Forecast(forecast) => forecast.received_at = Timestamp::default(),
    }
    let hash = Sha256::digest(serde_json::to_vec(&said).unwrap_or_default());
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The market with what it asks, if it is one of the event's and asks about the configured degrees.
fn ours<'a>(params: &WeatherParams, market: &'a Market) -> Option<(&'a Market, Rung)> {
    let rung = rung(&params.event, market).filter(|rung| rung.bucket.unit == params.unit)?;
    Some((market, rung))
}

#[cfg(test)]
mod tests;
