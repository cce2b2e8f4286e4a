use std::collections::HashMap;

use super::output::{Cell, Column, Format, table};
use super::{CliError, Globals};
use crate::domain::{Holding, Market, OutcomeToken, Price, Timestamp, TokenId, Usd, fold};
use crate::store::books::Books;
use crate::store::ledger::LedgerError;
use crate::wire;

/// Arguments of `cockpit positions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Also what is closed, or was resolved to nothing.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: Format,
}

/// Part of the interface: new ones only at the end.
const COLUMNS: [Column; 13] = [
    Column::text("market"),
    Column::text("outcome"),
    Column::number("size"),
    Column::number("avg_price"),
    Column::number("mark"),
    Column::hidden("mark_at"),
    Column::number("realised"),
    Column::number("unrealised"),
    Column::number("fees"),
    Column::hidden("market_id"),
    Column::hidden("token"),
    Column::hidden("traded"),
    Column::number("redeemable"),
];

/// What tokens are called and worth.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    known: HashMap<TokenId, (Market, OutcomeToken)>,
    marks: HashMap<TokenId, (Price, Timestamp)>,
}

impl Tokens {
    pub(super) async fn of(books: &Books) -> Result<Self, LedgerError> {
        let mut tokens = Self::default();
        for market in books.markets().await? {
            for outcome in &market.tokens {
                tokens.known.insert(outcome.token.clone(), (market.clone(), outcome.clone()));
            }
        }
        let marks = books.marks().await?;
        tokens.marks = marks.into_iter().map(|(token, price, at)| (token, (price, at))).collect();
        Ok(tokens)
    }

    /// The market that a token belongs to.
    pub(super) fn market(&self, token: &TokenId) -> Option<&Market> {
        self.known.get(token).map(|(market, _)| market)
    }

    /// The payout after resolution, else the last mark.
    fn price(&self, token: &TokenId) -> Option<Price> {
        let payout = self.market(token).and_then(|market| market.payout_of(token));
        payout.or_else(|| self.marks.get(token).map(|(price, _)| *price))
    }

    /// Whether something can still come of it.
    fn is_alive(&self, token: &TokenId, held: &Holding) -> bool {
        let payout = self.market(token).and_then(|market| market.payout_of(token));
        !held.shares.is_zero() && !payout.is_some_and(Price::is_zero)
    }

    /// What the shares held can be redeemed for; nothing before the market is resolved.
    fn redeemable(&self, token: &TokenId, held: &Holding) -> Option<Usd> {
        let payout = self.market(token)?.payout_of(token)?;
        Some(payout.notional(held.shares))
    }

    /// Profit on the shares held; nothing without a price.
    pub(super) fn unrealised(&self, token: &TokenId, held: &Holding) -> Option<Usd> {
        if held.shares.is_zero() {
            return Some(Usd::ZERO);
        }
        self.price(token).map(|price| price.notional(held.shares) - held.cost)
    }
}

pub(super) async fn run(globals: &Globals, args: &Args) -> Result<(), CliError> {
    let books = wire::books(&globals.config()?)?;
    let journals = books.journals().await.map_err(anyhow::Error::from)?;
    let tokens = Tokens::of(&books).await.map_err(anyhow::Error::from)?;
    let held = fold(&journals);
    let shown = held.tokens.iter().filter(|(token, held)| args.all || tokens.is_alive(token, held));
    table(args.format, &COLUMNS, &shown.map(|(token, held)| row(&tokens, token, held)).collect::<Vec<_>>())
}

fn row(tokens: &Tokens, token: &TokenId, held: &Holding) -> Vec<Cell> {
    let known = tokens.known.get(token);
    let average = Price(held.average().0.round_dp(6).normalize());
    vec![
        known.map_or_else(|| Cell::long(token, 10), |(market, _)| Cell::long(&market.slug, 26)),
        Cell::maybe(known.map(|(_, outcome)| &outcome.outcome)),
        Cell::text(held.shares),
        Cell::text(average),
        Cell::maybe(tokens.price(token)),
        tokens.marks.get(token).map_or(Cell::Nothing, |(_, at)| Cell::Time(*at)),
        Cell::text(cents(held.realised)),
        Cell::maybe(tokens.unrealised(token, held).map(cents)),
        Cell::text(cents(held.fees)),
        Cell::maybe(known.map(|(market, _)| &market.market)),
        Cell::text(token),
        Cell::Time(held.touched_at),
        Cell::maybe(tokens.redeemable(token, held).map(cents)),
    ]
}

/// To the venue's own precision, a millionth.
pub(super) fn cents(amount: Usd) -> Usd {
    Usd(amount.0.round_dp(6).normalize())
}
