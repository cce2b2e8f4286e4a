//! `/ws/market`: books of the tokens that a client asked for, a snapshot each and then every change.

use std::collections::HashSet;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::wire;
use crate::clock;
use crate::domain::{FillStatus, Level, Market, Price, TokenId};
use crate::sim::exchange::{Exchange, ExchangeEvent, LevelChange};

/// Most tokens on one socket.
const TOKENS: usize = 500;

/// What a client says after it has connected.
#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default, alias = "asset_ids")]
    assets_ids: Vec<TokenId>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    custom_feature_enabled: Option<bool>,
}

struct Session {
    exchange: Exchange,
    tokens: HashSet<TokenId>,
    extras: bool,
}

pub(super) async fn open(
    State((exchange, shutdown)): State<(Exchange, CancellationToken)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(move |socket| run(socket, exchange, shutdown))
}

async fn run(mut socket: WebSocket, exchange: Exchange, shutdown: CancellationToken) {
    let mut events = exchange.subscribe();
    let mut session = Session { exchange, tokens: HashSet::new(), extras: false };
    loop {
        let frames = tokio::select! {
            () = shutdown.cancelled() => return,
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => session.asked(&text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => Vec::new(),
            },
            event = events.recv() => match event {
                Ok(event) => session.told(&event),
                // A client that is too slow has missed changes: the socket is closed, it will take new snapshots.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            },
        };
        for frame in frames {
            if socket.send(Message::Text(frame.into())).await.is_err() {
                return;
            }
        }
    }
}

impl Session {
    fn asked(&mut self, text: &str) -> Vec<String> {
        if text == "PING" {
            return vec!["PONG".to_owned()];
        }
        let Ok(asked) = serde_json::from_str::<Asked>(text) else { return vec!["INVALID OPERATION".to_owned()] };
        if let Some(extras) = asked.custom_feature_enabled {
            self.extras = extras;
        }
        if asked.operation.as_deref() == Some("unsubscribe") {
            for token in &asked.assets_ids {
                self.tokens.remove(token);
            }
            return Vec::new();
        }
        let now = clock::now();
        let mut books = Vec::new();
        for token in asked.assets_ids {
            if self.tokens.len() < TOKENS && self.tokens.insert(token.clone()) {
                books.extend(self.snapshot(&token, now));
            }
        }
        if books.is_empty() { vec!["NO NEW ASSETS".to_owned()] } else { vec![Value::Array(books).to_string()] }
    }

    fn snapshot(&self, token: &TokenId, now: crate::domain::Timestamp) -> Option<Value> {
        let market = self.exchange.market_of(token)?;
        let mut book = wire::book(&self.exchange, &market, token, now)?;
        if let Value::Object(fields) = &mut book {
            fields.insert("event_type".to_owned(), json!("book"));
        }
        Some(book)
    }

    fn told(&self, event: &ExchangeEvent) -> Vec<String> {
        match event {
            ExchangeEvent::Levels { market, changes, at } => {
                let shown: Vec<Value> = changes
                    .iter()
                    .filter(|change| self.tokens.contains(&change.token))
                    .map(|c| self.level(c))
                    .collect();
                if shown.is_empty() {
                    return Vec::new();
                }
                let frame = json!({
                    "event_type": "price_change",
                    "market": market,
                    "price_changes": shown,
                    "timestamp": at.millis().to_string(),
                });
                vec![frame.to_string()]
            }
            ExchangeEvent::Trade(trade) if trade.status == FillStatus::Matched => {
                if !self.tokens.contains(&trade.taker.token) {
                    return Vec::new();
                }
                let frame = json!({
                    "event_type": "last_trade_price",
                    "market": trade.market,
                    "asset_id": trade.taker.token,
                    "price": wire::price(trade.taker.price),
                    "size": wire::size(trade.taker.size),
                    "side": wire::side(trade.taker.side),
                    "fee_rate_bps": "0",
                    "timestamp": trade.matched_at.millis().to_string(),
                    "transaction_hash": trade.transaction,
                });
                vec![frame.to_string()]
            }
            ExchangeEvent::Resolved(market, at) if self.extras && self.watches(market) => {
                let winner = market
                    .tokens
                    .iter()
                    .find(|token| market.payout_of(&token.token) == Some(Price::from(rust_decimal::Decimal::ONE)));
                let frame = json!({
                    "event_type": "market_resolved",
                    "id": market.market,
                    "market": market.market,
                    "assets_ids": market.tokens.each_ref().map(|token| &token.token),
                    "winning_asset_id": winner.map(|token| &token.token),
                    "winning_outcome": winner.map(|token| &token.outcome),
                    "timestamp": at.millis().to_string(),
                    "tags": [],
                });
                vec![frame.to_string()]
            }
            ExchangeEvent::Trade(_)
            | ExchangeEvent::Order(..)
            | ExchangeEvent::Listed(..)
            | ExchangeEvent::Resolved(..) => Vec::new(),
        }
    }

    fn watches(&self, market: &Market) -> bool {
        market.tokens.iter().any(|token| self.tokens.contains(&token.token))
    }

    fn level(&self, change: &LevelChange) -> Value {
        let book = self.exchange.book(&change.token);
        let text = |level: Option<Level>| level.map_or_else(|| "0".to_owned(), |level| level.price.to_string());
        json!({
            "asset_id": change.token,
            "price": wire::price(change.price),
            "size": wire::size(change.size),
            "side": wire::side(change.side),
            "hash": "",
            "best_bid": text(book.as_ref().and_then(crate::domain::Book::best_bid)),
            "best_ask": text(book.as_ref().and_then(crate::domain::Book::best_ask)),
        })
    }
}
