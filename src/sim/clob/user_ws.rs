//! `/ws/user`: an account's own orders and trades.

use std::collections::BTreeSet;

use axum::extract::ws::WebSocket;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::auth::by_secret;
use super::socket::{Ended, Incoming, event, incoming};
use super::teller::Teller;
use super::wire;
use crate::domain::{MarketId, Size, Timestamp};
use crate::sim::exchange::{
    CancelReason, Credentials, Exchange, ExchangeEvent, OrderChange, OrderStatus, OrderView, Trade,
};
use crate::sim::faults::Channel;

/// The first frame: the secret itself travels.
#[derive(Deserialize)]
struct Hello {
    auth: Auth,
    /// All of them when absent.
    markets: Option<BTreeSet<MarketId>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    api_key: String,
    secret: String,
    passphrase: String,
}

#[derive(Deserialize)]
struct Request {
    operation: String,
    #[serde(default)]
    markets: BTreeSet<MarketId>,
}

/// Who is listening, and to which markets.
struct Session {
    credentials: Credentials,
    markets: Option<BTreeSet<MarketId>>,
}

/// Serves one socket until either side ends it. Wrong credentials end it.
pub(super) async fn serve(mut socket: WebSocket, exchange: Exchange, shutdown: CancellationToken) {
    let mut events = exchange.subscribe();
    let mut session: Option<Session> = None;
    let mut teller = Teller::new(exchange.faults().clone(), Channel::User);
    loop {
        let step = tokio::select! {
            () = shutdown.cancelled() => return,
            () = teller.due() => teller.release(&mut socket).await,
            message = socket.recv(), if !teller.is_deaf() => match incoming(&mut socket, message).await {
                Ok(Incoming::Frame(frame)) => request(&exchange, &mut session, frame),
                Ok(Incoming::Handled) => Ok(()),
                Err(ended) => Err(ended),
            },
            received = events.recv() => match (event(received), &session) {
                (Ok(event), Some(session)) => session.tell(&mut teller, &mut socket, &event).await,
                (Ok(_), None) => Ok(()),
                (Err(ended), _) => Err(ended),
            },
        };
        if step.is_err() {
            return;
        }
    }
}

fn request(exchange: &Exchange, session: &mut Option<Session>, frame: Value) -> Result<(), Ended> {
    let Some(session) = session else {
        let hello: Hello = serde_json::from_value(frame).map_err(|_| Ended)?;
        let Auth { api_key, secret, passphrase } = hello.auth;
        let credentials = by_secret(exchange, &api_key, &secret, &passphrase).ok_or(Ended)?;
        *session = Some(Session { credentials, markets: hello.markets.filter(|markets| !markets.is_empty()) });
        return Ok(());
    };
    let Ok(Request { operation, markets }) = serde_json::from_value(frame) else { return Ok(()) };
    match operation.as_str() {
        "subscribe" => session.markets.get_or_insert_default().extend(markets),
        "unsubscribe" => {
            if let Some(kept) = &mut session.markets {
                kept.retain(|market| !markets.contains(market));
            }
            // Without any market left, as without naming one, everything is sent.
            session.markets.take_if(|kept| kept.is_empty());
        }
        _ => {}
    }
    Ok(())
}

impl Session {
    async fn tell(&self, teller: &mut Teller, socket: &mut WebSocket, event: &ExchangeEvent) -> Result<(), Ended> {
        let wanted = |market: &MarketId| self.markets.as_ref().is_none_or(|markets| markets.contains(market));
        match event {
            ExchangeEvent::Order { account, order, change, at }
                if *account == self.credentials.account && wanted(&order.market.market) =>
            {
                teller.tell(socket, &order_frame(order, *change, *at)).await
            }
            ExchangeEvent::Trade { account, trade, at }
                if *account == self.credentials.account && wanted(&trade.market.market) =>
            {
                teller.tell(socket, &self.trade_frame(trade, *at)).await
            }
            _ => Ok(()),
        }
    }

    fn trade_frame(&self, trade: &Trade, at: Timestamp) -> Value {
        let mut fields = wire::trade(trade, &self.credentials.account);
        fields.insert("event_type".to_owned(), Value::from("trade"));
        fields.insert("type".to_owned(), Value::from("TRADE"));
        fields.insert("trade_owner".to_owned(), Value::from(self.credentials.key.as_str()));
        fields.insert("matchtime".to_owned(), Value::from(trade.matched_at.secs().to_string()));
        fields.insert("timestamp".to_owned(), Value::from(at.millis().to_string()));
        Value::Object(fields)
    }
}

fn order_frame(order: &OrderView, change: OrderChange, at: Timestamp) -> Value {
    let mut fields = wire::order(order);
    let kind = match change {
        OrderChange::Placement => "PLACEMENT",
        OrderChange::Update => "UPDATE",
        OrderChange::Cancellation => "CANCELLATION",
    };
    fields.insert("event_type".to_owned(), Value::from("order"));
    fields.insert("type".to_owned(), Value::from(kind));
    fields.insert("order_owner".to_owned(), json!(*order.owner));
    fields.insert("created_at".to_owned(), Value::from(order.created_at.secs().to_string()));
    fields.insert("timestamp".to_owned(), Value::from(at.millis().to_string()));
    let killed = matches!(order.status, OrderStatus::Cancelled(CancelReason::FokKilled | CancelReason::FakKilled));
    if killed && order.matched == Size::ZERO {
        // The venue says nothing about the size of what never was in the book.
        fields.insert("size_matched".to_owned(), Value::from(""));
    }
    Value::Object(fields)
}
