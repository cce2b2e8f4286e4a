use std::collections::BTreeMap;

use clap::ValueEnum;

use super::output::{Cell, Column, Format, table};
use super::positions::{Tokens, cents};
use super::{CliError, Globals};
use crate::domain::{Earned, Earnings, Held, MarketId, StrategyId, Timestamp, Usd, earnings, fold};
use crate::wire;

/// Arguments of `cockpit pnl`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One row for each of these.
    #[arg(long, value_enum, default_value_t = By::Strategy)]
    by: By,
    #[command(flatten)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Strategy,
    Market,
    Day,
}

/// Part of the interface: new ones only at the end. The last row is the total of the desk.
const COLUMNS: [Column; 5] = [
    Column::text("of"),
    Column::number("realised"),
    Column::number("fees"),
    Column::number("unrealised"),
    Column::number("total"),
];

pub(super) async fn run(globals: &Globals, args: &Args) -> Result<(), CliError> {
    let books = wire::books(&globals.config()?)?;
    let journals = books.journals().await.map_err(anyhow::Error::from)?;
    let tokens = Tokens::of(&books).await.map_err(anyhow::Error::from)?;
    let (earned, held) = (earnings(&journals), fold(&journals));
    table(args.format, &COLUMNS, &rows(args.by, &earned, &held, &tokens))
}

fn rows(by: By, earned: &Earnings, held: &Held, tokens: &Tokens) -> Vec<Vec<Cell>> {
    let open = |token, held| tokens.unrealised(token, held).unwrap_or_default();
    let whole: Usd = held.tokens.iter().map(|(token, held)| open(token, held)).sum();
    let mut rows: Vec<Vec<Cell>> = match by {
        By::Day => {
            let day = |(day, earned): (&i64, &Earned)| {
                let at = Timestamp::from_secs(day * 86_400).to_string();
                row(at.get(..10).unwrap_or(&at), *earned, None)
            };
            earned.days.iter().map(day).collect()
        }
        By::Market => {
            let mut unrealised = BTreeMap::new();
            for (token, held) in &held.tokens {
                if let Some(market) = tokens.market(token) {
                    *unrealised.entry(&market.market).or_insert(Usd::ZERO) += open(token, held);
                }
            }
            let names: BTreeMap<_, _> = held
                .tokens
                .keys()
                .filter_map(|token| tokens.market(token))
                .map(|market| (&market.market, &market.slug))
                .collect();
            let name =
                |market: &MarketId| names.get(market).map_or_else(|| format!("{market}"), |slug| slug.to_string());
            let of =
                |(market, earned): (&MarketId, &Earned)| row(&name(market), *earned, unrealised.get(market).copied());
            earned.markets.iter().map(of).collect()
        }
        By::Strategy => {
            let mut unrealised = BTreeMap::new();
            for ((token, strategy), held) in &held.parts {
                *unrealised.entry(strategy).or_insert(Usd::ZERO) += open(token, held);
            }
            let name = |strategy: &Option<StrategyId>| {
                strategy.as_ref().map_or_else(|| "(adopted)".into(), ToString::to_string)
            };
            let of = |(strategy, earned): (&Option<StrategyId>, &Earned)| {
                row(&name(strategy), *earned, unrealised.get(strategy).copied())
            };
            earned.strategies.iter().map(of).collect()
        }
    };
    rows.push(row("total", earned.total, Some(whole)));
    rows
}

fn row(of: &str, earned: Earned, unrealised: Option<Usd>) -> Vec<Cell> {
    let total = earned.realised - earned.fees + unrealised.unwrap_or_default();
    vec![
        Cell::text(of),
        Cell::text(cents(earned.realised)),
        Cell::text(cents(earned.fees)),
        Cell::maybe(unrealised.map(cents)),
        Cell::text(cents(total)),
    ]
}
