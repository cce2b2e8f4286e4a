//! Faults of the REST API: what stands between a request and its handler, and between the answer and the client.

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::line::Line;
use crate::sim::exchange::Exchange;
use crate::sim::faults::{Call, Fault};

/// Passes a request on, or does to it what the plan says.
pub(super) async fn inject(
    State(exchange): State<Exchange>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
    next: Next,
) -> Response {
    let Some(call) = call_of(&request) else { return next.run(request).await };
    let answer = next.run(request).await;
    if answer.status() == StatusCode::OK && exchange.faults().strike(|fault| loses_reply(fault, call)).is_some() {
        line.cut();
    }
    answer
}

fn call_of(request: &Request) -> Option<Call> {
    let path = request.uri().path();
    match *request.method() {
        Method::POST if matches!(path, "/order" | "/orders") => Some(Call::Orders),
        Method::POST if path == "/v1/heartbeats" => Some(Call::Heartbeats),
        Method::DELETE if matches!(path, "/order" | "/orders" | "/cancel-all" | "/cancel-market-orders") => {
            Some(Call::Cancels)
        }
        Method::GET if path.starts_with("/data/") || path.starts_with("/balance-allowance") => Some(Call::Reads),
        _ => None,
    }
}

fn loses_reply(fault: &Fault, call: Call) -> Option<()> {
    matches!(fault, Fault::AcceptThenDropReply { on } if on.contains(&call)).then_some(())
}
