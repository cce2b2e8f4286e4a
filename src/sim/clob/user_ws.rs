//! `/ws/user`: an account's own orders and trades, as they happen. No replay: what was missed must be read over REST.

use std::collections::HashSet;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{auth, wire};
use crate::domain::{MarketId, Timestamp};
use crate::sim::exchange::{Exchange, ExchangeEvent, OrderChange, OrderStatus, OrderView};

#[derive(Debug, Deserialize)]
struct Asked {
    auth: Credentials,
    #[serde(default)]
    markets: Option<Vec<MarketId>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    api_key: String,
    secret: String,
    passphrase: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("api_key", &self.api_key).finish_non_exhaustive()
    }
}

/// Whose events, of which markets; all when none is named.
struct Session {
    key: String,
    markets: HashSet<MarketId>,
}

pub(super) async fn open(
    State((exchange, shutdown)): State<(Exchange, CancellationToken)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(move |socket| run(socket, exchange, shutdown))
}

async fn run(mut socket: WebSocket, exchange: Exchange, shutdown: CancellationToken) {
    let mut events = exchange.subscribe();
    let mut session = None;
    loop {
        let frame = tokio::select! {
            () = shutdown.cancelled() => return,
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) if text.as_str() == "PING" => Some("PONG".to_owned()),
                Some(Ok(Message::Text(text))) => {
                    // As the venue does: wrong credentials end the connection without a word.
                    let Some(known) = subscribe(&exchange, session.take(), &text) else { return };
                    session = Some(known);
                    None
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => None,
            },
            event = events.recv() => match event {
                Ok(event) => session.as_ref().and_then(|session: &Session| session.told(&event)),
                Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            },
        };
        if let Some(frame) = frame
            && socket.send(Message::Text(frame.into())).await.is_err()
        {
            return;
        }
    }
}

/// The session after a frame from the client; nothing when it may not have one. A later frame only changes the markets.
fn subscribe(exchange: &Exchange, known: Option<Session>, text: &str) -> Option<Session> {
    match (known, serde_json::from_str::<Asked>(text)) {
        (_, Ok(asked)) => {
            let expected = auth::credentials(exchange, &asked.auth.api_key);
            let right = expected.secret() == asked.auth.secret && expected.passphrase() == asked.auth.passphrase;
            right.then(|| Session {
                key: asked.auth.api_key,
                markets: asked.markets.unwrap_or_default().into_iter().collect(),
            })
        }
        (Some(session), Err(_)) => {
            let change: Value = serde_json::from_str(text).ok()?;
            let named =
                change["markets"].as_array().into_iter().flatten().filter_map(Value::as_str).map(MarketId::from);
            let mut session = session;
            match change["operation"].as_str() {
                Some("subscribe") => session.markets.extend(named),
                Some("unsubscribe") => {
                    let gone: HashSet<MarketId> = named.collect();
                    session.markets.retain(|market| !gone.contains(market));
                }
                _ => {}
            }
            Some(session)
        }
        (None, Err(_)) => None,
    }
}

impl Session {
    fn told(&self, event: &ExchangeEvent) -> Option<String> {
        match event {
            ExchangeEvent::Order(change, view, at) if view.owner == self.key && self.wants(&view.market) => {
                Some(order_frame(*change, view, *at).to_string())
            }
            ExchangeEvent::Trade(trade) if self.wants(&trade.market) => {
                trade.legs().any(|leg| leg.owner == self.key).then(|| {
                    let mut frame = wire::trade(trade, &self.key);
                    if let Value::Object(fields) = &mut frame {
                        fields.insert("event_type".to_owned(), json!("trade"));
                        fields.insert("type".to_owned(), json!("TRADE"));
                        fields.insert("trade_owner".to_owned(), json!(trade.taker.owner));
                        fields.insert("timestamp".to_owned(), json!(trade.updated_at.millis().to_string()));
                    }
                    frame.to_string()
                })
            }
            ExchangeEvent::Order(..)
            | ExchangeEvent::Trade(_)
            | ExchangeEvent::Levels { .. }
            | ExchangeEvent::Listed(..)
            | ExchangeEvent::Resolved(..) => None,
        }
    }

    fn wants(&self, market: &MarketId) -> bool {
        self.markets.is_empty() || self.markets.contains(market)
    }
}

fn order_frame(change: OrderChange, view: &OrderView, at: Timestamp) -> Value {
    let kind = match change {
        OrderChange::Placement => "PLACEMENT",
        OrderChange::Update => "UPDATE",
        OrderChange::Cancellation => "CANCELLATION",
    };
    let killed = matches!(&view.status, OrderStatus::Cancelled(words) if words.contains(' '));
    let mut frame = wire::order(view);
    if let Value::Object(fields) = &mut frame {
        fields.insert("event_type".to_owned(), json!("order"));
        fields.insert("type".to_owned(), json!(kind));
        fields.insert("order_owner".to_owned(), json!(view.owner));
        fields.insert("timestamp".to_owned(), json!(at.millis().to_string()));
        if killed {
            fields.insert("size_matched".to_owned(), json!(""));
        }
        if view.trades.is_empty() {
            fields.insert("associate_trades".to_owned(), Value::Null);
        }
    }
    frame
}
