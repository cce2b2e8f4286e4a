use clap::ValueEnum;

use super::output::{Cell, Column, Format, table};
use super::{CliError, Globals, since};
use crate::domain::{Fill, FillStatus, Role, Timestamp};
use crate::store::books::FillFilter;
use crate::wire;

/// Arguments of `cockpit fills`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only fills that are settled so far.
    #[arg(long, value_name = "STATUS")]
    status: Option<Status>,
    /// Only fills matched since: 30m, 2h, 7d ago, or a UTC time.
    #[arg(long, value_name = "WHEN", value_parser = since::parse)]
    since: Option<Timestamp>,
    /// Only fills of this strategy.
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// The newest so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    format: Format,
}

/// The statuses by their words.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    Matched,
    Mined,
    Retrying,
    Confirmed,
    Failed,
}

impl From<Status> for FillStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Matched => Self::Matched,
            Status::Mined => Self::Mined,
            Status::Retrying => Self::Retrying,
            Status::Confirmed => Self::Confirmed,
            Status::Failed => Self::Failed,
        }
    }
}

/// Part of the interface: new ones only at the end.
const COLUMNS: [Column; 13] = [
    Column::text("matched"),
    Column::text("trade"),
    Column::text("order"),
    Column::text("status"),
    Column::text("side"),
    Column::number("size"),
    Column::number("price"),
    Column::number("fee"),
    Column::hidden("role"),
    Column::text("outcome"),
    Column::hidden("market"),
    Column::hidden("token"),
    Column::hidden("strategy"),
];

pub(super) async fn run(globals: &Globals, args: &Args) -> Result<(), CliError> {
    let filter = FillFilter {
        status: args.status.map(Into::into),
        since: args.since,
        strategy: args.strategy.as_deref().map(Into::into),
        limit: args.limit,
    };
    let books = wire::books(&globals.config()?)?;
    let fills = books.fills(&filter).await.map_err(anyhow::Error::from)?;
    table(args.format, &COLUMNS, &fills.iter().map(row).collect::<Vec<_>>())
}

fn row(fill: &Fill) -> Vec<Cell> {
    vec![
        Cell::Time(fill.matched_at),
        Cell::long(&fill.trade, 10),
        Cell::long(&fill.order, 10),
        Cell::text(fill.status),
        Cell::text(fill.side),
        Cell::text(fill.size),
        Cell::text(fill.price),
        Cell::text(fill.fee),
        Cell::text(if fill.role == Role::Maker { "maker" } else { "taker" }),
        Cell::long(&fill.outcome, 8),
        Cell::text(&fill.market),
        Cell::text(&fill.token),
        Cell::maybe(fill.strategy.as_ref()),
    ]
}
