use clap::ValueEnum;

use super::output::{Cell, Column, Format, table};
use super::{CliError, Globals, since, why};
use crate::domain::{OrderState, Timestamp};
use crate::store::books::OrderFilter;
use crate::store::ledger::OrderRow;
use crate::wire;

/// Arguments of `cockpit orders`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Everything about one order: the id of an intent or an order, or the beginning of one.
    #[arg(long, value_name = "ID", conflicts_with_all = ["open", "state", "since", "strategy", "limit", "csv"])]
    why: Option<String>,
    /// Only orders that have not ended.
    #[arg(long)]
    open: bool,
    /// Only orders in this state.
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    /// Only orders wanted since: 30m, 2h, 7d ago, or a UTC time.
    #[arg(long, value_name = "WHEN", value_parser = since::parse)]
    since: Option<Timestamp>,
    /// Only orders of this strategy.
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// The newest so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    format: Format,
}

/// The states by their words.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum State {
    Pending,
    Signed,
    Sent,
    Unknown,
    Live,
    PartiallyFilled,
    CancelPending,
    Filled,
    Cancelled,
    Rejected,
    Expired,
    Denied,
    Voided,
}

impl From<State> for OrderState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Signed => Self::Signed,
            State::Sent => Self::Sent,
            State::Unknown => Self::Unknown,
            State::Live => Self::Live,
            State::PartiallyFilled => Self::PartiallyFilled,
            State::CancelPending => Self::CancelPending,
            State::Filled => Self::Filled,
            State::Cancelled => Self::Cancelled,
            State::Rejected => Self::Rejected,
            State::Expired => Self::Expired,
            State::Denied => Self::Denied,
            State::Voided => Self::Voided,
        }
    }
}

/// Part of the interface: new ones only at the end.
const COLUMNS: [Column; 19] = [
    Column::text("created"),
    Column::text("intent"),
    Column::hidden("attempt"),
    Column::hidden("order"),
    Column::text("state"),
    Column::text("side"),
    Column::number("size"),
    Column::number("price"),
    Column::number("matched"),
    Column::text("outcome"),
    Column::hidden("slug"),
    Column::hidden("market"),
    Column::hidden("token"),
    Column::hidden("strategy"),
    Column::hidden("tif"),
    Column::hidden("adopted"),
    Column::hidden("epoch"),
    Column::hidden("lease"),
    Column::text("reason"),
];

pub(super) async fn run(globals: &Globals, args: &Args) -> Result<(), CliError> {
    let books = wire::books(&globals.config()?)?;
    if let Some(id) = &args.why {
        return why::run(&books, id, args.format.json).await;
    }
    let filter = OrderFilter {
        open: args.open,
        state: args.state.map(Into::into),
        since: args.since,
        strategy: args.strategy.as_deref().map(Into::into),
        limit: args.limit,
    };
    let orders = books.orders(&filter).await.map_err(anyhow::Error::from)?;
    table(args.format, &COLUMNS, &orders.iter().map(row).collect::<Vec<_>>())
}

fn row(row: &OrderRow) -> Vec<Cell> {
    let order = &row.order;
    let intent = &order.intent;
    vec![
        Cell::Time(intent.created_at),
        Cell::long(&intent.intent, 18),
        Cell::text(intent.attempt),
        Cell::maybe(order.order.as_ref()),
        Cell::text(order.state),
        Cell::text(intent.side),
        Cell::text(intent.size),
        Cell::text(intent.price),
        Cell::text(order.matched),
        Cell::long(&intent.outcome, 8),
        Cell::text(&intent.slug),
        Cell::text(&intent.market),
        Cell::text(&intent.token),
        Cell::text(&intent.strategy),
        Cell::text(intent.tif),
        Cell::Flag(row.adopted),
        Cell::text(intent.epoch),
        Cell::text(row.token),
        order.reason.as_ref().map_or(Cell::Nothing, Cell::text),
    ]
}
