//! The trading vocabulary: plain values without I/O, clock or task. Uses nothing else of ours.
//!
//! One word, one meaning: *Tick*, *Book* (data); *Signal* (a strategy's wish), *`OrderIntent`* (sized, priced, with a
//! deadline), *Denied* (refused by us), *Order*, *Rejected* (refused by the venue), *Fill*, *Position*.

mod checkpoint;
mod command;
mod dead_letter;
mod earnings;
mod event;
mod fill;
mod holding;
mod ids;
mod instrument;
mod journal;
mod kill;
mod limit;
mod market;
mod measure;
mod money;
mod order;
pub mod params;
mod position;
mod probability;
mod series;
mod signal;
mod state;
mod status;
mod temperature;
mod text;
mod tick;
mod time;
mod venue;
mod verdict;
mod waterfall;
mod weather;
mod zone;

pub use checkpoint::{Checkpoint, Counted, FoldedToken, Retired};
pub use command::{Ack, AckVerdict, Action, Addressee, Command};
pub use dead_letter::{DeadLetter, DeadLetterReason, DeadLetterState};
pub use earnings::{Earned, Earnings, earnings};
pub use event::{DeniedBy, MismatchEvent, TradeEvent, Withdrawal};
pub use fill::{Fill, FillStatus, Role};
pub use holding::{Held, Holding, Running, fold};
pub use ids::{GroupId, IntentId, Map, MarketId, OrderId, Slug, StationId, StrategyId, Symbol, TokenId, TradeId};
pub use instrument::{Instrument, Instruments, split_outcome};
pub use journal::{Account, Asset, Journal, JournalKind, Posting};
pub use kill::{KillLatch, KillProof, KillReport, KillState, KillStep};
pub use limit::{Alert, LimitUse};
pub use market::{Book, FeeSchedule, Level, Market, OutcomeToken, PolymarketData, Protocol, walk};
pub use measure::Measure;
pub use money::{MoneyError, Price, Size, Usd};
pub use order::{DUST, Order, OrderState, OrderTimes, Side, TimeInForce};
pub use params::{
    ParamBook, ParamChange, ParamDoc, ParamKind, ParamProblem, ParamSpec, ParamVersion, ParamsInForce, Tighter,
};
pub use position::{EquityState, Exposure, Funds, Lot, Pnl, Position, PositionPart};
pub use probability::{normal_cdf, normal_quantile, to_decimal};
pub use series::{is_market, is_slug, means, split_series, start_in};
pub use signal::{Figure, OrderIntent, Rationale, Signal, SignalEntry, Skip};
pub use state::{
    ArgosState, AthenaState, FeedLink, FeedState, HermesState, Latency, Mode, OrderCounts, SignalCounts, StrategyHalt,
    StrategyState, TickCounts, TradingState,
};
pub use status::{DaemonStatus, Status, StatusKill, StatusLatency, StatusPosition};
pub use temperature::{Bucket, Rounding, Temperature, TemperatureUnit};
pub use text::Text;
pub(crate) use text::text;
pub use tick::{RejectedPayload, Tick, TickKind};
pub use time::Timestamp;
pub use venue::{CallClass, CallLimit, ClockSkew, RejectCode, RejectScope, TransientCode};
pub use verdict::{CheckResult, Control, Denial};
pub use waterfall::{Reached, Share, Waterfall, span_us};
pub use weather::{Forecast, ForecastHour, ForecastModel, Observation, WeatherData};
pub use zone::{LocalDay, Zone};
