//! `/ws/market`: books, price changes and trades of the tokens asked for.

use std::collections::BTreeSet;

use axum::extract::ws::WebSocket;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::socket::{Ended, Incoming, event, incoming, send, send_text};
use super::teller::Teller;
use super::wire;
use crate::domain::{Level, Market, Price, Timestamp, TokenId};
use crate::sim::exchange::{BookChange, BookView, Exchange, ExchangeEvent, PublicTrade};
use crate::sim::faults::Channel;

/// The first frame, and those that change the subscription.
#[derive(Deserialize)]
struct Request {
    operation: Option<String>,
    #[serde(default)]
    assets_ids: Vec<TokenId>,
    custom_feature_enabled: Option<bool>,
}

struct Session {
    exchange: Exchange,
    events: broadcast::Receiver<ExchangeEvent>,
    tokens: BTreeSet<TokenId>,
    /// Best bid and ask, new and resolved markets as well.
    custom: bool,
    teller: Teller,
}

/// Serves one socket until either side ends it.
pub(super) async fn serve(mut socket: WebSocket, exchange: Exchange, shutdown: CancellationToken) {
    let events = exchange.subscribe();
    let teller = Teller::new(exchange.faults().clone(), Channel::Market);
    let mut session = Session { exchange, events, tokens: BTreeSet::new(), custom: false, teller };
    loop {
        let step = tokio::select! {
            () = shutdown.cancelled() => return,
            () = session.teller.due() => session.teller.release(&mut socket).await,
            message = socket.recv(), if !session.teller.is_deaf() => match incoming(&mut socket, message).await {
                Ok(Incoming::Frame(frame)) => session.request(&mut socket, frame).await,
                Ok(Incoming::Handled) => Ok(()),
                Err(ended) => Err(ended),
            },
            received = session.events.recv() => match event(received) {
                Ok(event) => session.tell(&mut socket, &event).await,
                Err(ended) => Err(ended),
            },
        };
        if step.is_err() {
            return;
        }
    }
}

impl Session {
    async fn request(&mut self, socket: &mut WebSocket, frame: Value) -> Result<(), Ended> {
        let Ok(request) = serde_json::from_value::<Request>(frame) else {
            return send_text(socket, "INVALID OPERATION").await;
        };
        if let Some(custom) = request.custom_feature_enabled {
            self.custom = custom;
        }
        if request.operation.as_deref() == Some("unsubscribe") {
            for token in &request.assets_ids {
                self.tokens.remove(token);
            }
            return Ok(());
        }
        let fresh: Vec<TokenId> = request.assets_ids.into_iter().filter(|token| !self.tokens.contains(token)).collect();
        if fresh.is_empty() {
            return send_text(socket, "NO NEW ASSETS").await;
        }
        // The snapshot belongs exactly between what happened before it and what comes after it.
        let (earlier, books) = self.exchange.catch_up(&mut self.events, &fresh).map_err(|_| Ended)?;
        for event in &earlier {
            self.tell(socket, event).await?;
        }
        self.tokens.extend(fresh);
        send(socket, &Value::Array(books.iter().map(book).collect())).await
    }

    async fn tell(&mut self, socket: &mut WebSocket, event: &ExchangeEvent) -> Result<(), Ended> {
        match event {
            ExchangeEvent::Levels(change) => {
                if let Some(frame) = self.price_change(change) {
                    self.teller.tell(socket, &frame).await?;
                }
                if self.custom && change.best_moved {
                    for view in change.books.iter().filter(|view| self.tokens.contains(&view.book.token)) {
                        self.teller.tell(socket, &best_bid_ask(view, change.at)).await?;
                    }
                }
            }
            ExchangeEvent::Books(books) => {
                for view in books.iter().filter(|view| self.tokens.contains(&view.book.token)) {
                    self.teller.tell(socket, &book(view)).await?;
                }
            }
            ExchangeEvent::LastTrade(trade) => {
                if self.tokens.contains(&trade.market.tokens[trade.index].token) {
                    self.teller.tell(socket, &last_trade(trade)).await?;
                }
            }
            ExchangeEvent::TickSize { market, old, at } => {
                for outcome in market.tokens.iter().filter(|outcome| self.tokens.contains(&outcome.token)) {
                    self.teller.tell(socket, &tick_size_change(market, &outcome.token, *old, *at)).await?;
                }
            }
            ExchangeEvent::Listed(market, at) if self.custom => {
                self.teller.tell(socket, &new_market(market, *at)).await?;
            }
            ExchangeEvent::Resolved(market, at) if self.custom && self.watches(market) => {
                self.teller.tell(socket, &resolved(market, *at)).await?;
            }
            ExchangeEvent::Listed(..)
            | ExchangeEvent::Resolved(..)
            | ExchangeEvent::Order { .. }
            | ExchangeEvent::Trade { .. } => {}
        }
        Ok(())
    }

    fn watches(&self, market: &Market) -> bool {
        market.tokens.iter().any(|outcome| self.tokens.contains(&outcome.token))
    }

    fn price_change(&self, change: &BookChange) -> Option<Value> {
        let changes: Vec<Value> = change
            .levels
            .iter()
            .filter(|level| self.tokens.contains(&change.books[level.index].book.token))
            .map(|level| {
                let view = &change.books[level.index];
                json!({
                    "asset_id": view.book.token,
                    "price": level.price,
                    "size": level.size,
                    "side": wire::side(level.side),
                    "hash": view.hash,
                    "best_bid": best(view.book.best_bid()),
                    "best_ask": best(view.book.best_ask()),
                })
            })
            .collect();
        (!changes.is_empty()).then(|| {
            json!({
                "event_type": "price_change",
                "market": change.books[0].market.market,
                "timestamp": millis(change.at),
                "price_changes": changes,
            })
        })
    }
}

fn millis(at: Timestamp) -> String {
    at.millis().to_string()
}

/// Empty when that side is.
fn best(level: Option<Level>) -> String {
    level.map(|level| level.price.to_string()).unwrap_or_default()
}

fn book(view: &BookView) -> Value {
    let mut frame = json!(view.wire());
    if let Some(fields) = frame.as_object_mut() {
        fields.insert("event_type".to_owned(), Value::from("book"));
    }
    frame
}

fn last_trade(trade: &PublicTrade) -> Value {
    json!({
        "event_type": "last_trade_price",
        "market": trade.market.market,
        "asset_id": trade.market.tokens[trade.index].token,
        "price": trade.last.price,
        "size": trade.size,
        "side": wire::side(trade.last.side),
        "fee_rate_bps": wire::legacy_fee_bps(&trade.market).to_string(),
        "transaction_hash": "",
        "timestamp": millis(trade.at),
    })
}

fn best_bid_ask(view: &BookView, at: Timestamp) -> Value {
    let (bid, ask) = (view.book.best_bid(), view.book.best_ask());
    let spread = bid.zip(ask).map(|(bid, ask)| (ask.price.0 - bid.price.0).normalize().to_string());
    json!({
        "event_type": "best_bid_ask",
        "market": view.market.market,
        "asset_id": view.book.token,
        "best_bid": best(bid),
        "best_ask": best(ask),
        "spread": spread.unwrap_or_default(),
        "timestamp": millis(at),
    })
}

fn tick_size_change(market: &Market, token: &TokenId, old: Price, at: Timestamp) -> Value {
    json!({
        "event_type": "tick_size_change",
        "market": market.market,
        "asset_id": token,
        "old_tick_size": old.0.normalize().to_string(),
        "new_tick_size": market.tick_size.0.normalize().to_string(),
        "timestamp": millis(at),
    })
}

fn tokens(market: &Market) -> Vec<&TokenId> {
    market.tokens.iter().map(|outcome| &outcome.token).collect()
}

fn new_market(market: &Market, at: Timestamp) -> Value {
    json!({
        "event_type": "new_market",
        "id": market.market,
        "market": market.market,
        "condition_id": market.market,
        "question": market.slug,
        "slug": market.slug,
        "assets_ids": tokens(market),
        "clob_token_ids": tokens(market),
        "outcomes": market.tokens.iter().map(|outcome| outcome.outcome.as_str()).collect::<Vec<_>>(),
        "order_price_min_tick_size": market.tick_size,
        "active": market.accepting_orders,
        "fees_enabled": !market.fee.rate.is_zero(),
        "fee_schedule": { "rate": wire::number(market.fee.rate), "exponent": market.fee.exponent, "takerOnly": true },
        "tags": [],
        "timestamp": millis(at),
    })
}

fn resolved(market: &Market, at: Timestamp) -> Value {
    let won = |index: &usize| market.payouts.is_some_and(|payouts| payouts[*index].0 == rust_decimal::Decimal::ONE);
    let winner = [0, 1].into_iter().find(won).map(|index| &market.tokens[index]);
    json!({
        "event_type": "market_resolved",
        "id": market.market,
        "market": market.market,
        "assets_ids": tokens(market),
        "winning_asset_id": winner.map(|winner| &winner.token),
        "winning_outcome": winner.map(|winner| winner.outcome.as_str()),
        "tags": [],
        "timestamp": millis(at),
    })
}
