//! Faults of the REST API: what stands between a request and its handler, and between the answer and the client.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_LENGTH, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::auth::whole;
use super::line::Line;
use super::reply::Failure;
use crate::clock;
use crate::sim::exchange::Exchange;
use crate::sim::faults::{After, Before, Call, Substitute};

/// Calls that wait at once; a further one is carried out without delay.
static HELD: Semaphore = Semaphore::const_new(1_024);

/// Passes a request on, or does to it what the plan says.
pub(super) async fn inject(
    State(exchange): State<Exchange>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
    next: Next,
) -> Response {
    let call = call_of(&request).filter(|_| !exchange.faults().is_idle());
    let Some(call) = call else { return next.run(request).await };
    // Read here, so that the call can go on when its client no longer waits.
    let (head, body) = request.into_parts();
    let body = match whole(body).await {
        Ok(body) => body,
        Err(failure) => return failure.into_response(),
    };
    let post_only = call == Call::Orders && is_post_only(&body);
    let request = Request::from_parts(head, Body::from(body));
    let answer = match exchange.faults().before(call, post_only, clock::now()) {
        Some(Before::Instead(answer)) => return substitute(&answer),
        Some(Before::CarriedOut(answer)) => {
            next.run(request).await;
            return substitute(&answer);
        }
        Some(Before::Hold(wait)) => late(request, next, wait).await,
        None => next.run(request).await,
    };
    if answer.status() != StatusCode::OK {
        return answer;
    }
    match exchange.faults().after(call, clock::now()) {
        Some(After::Lost) => {
            line.cut();
            answer
        }
        Some(After::Halved) => halved(answer, false).await,
        Some(After::CutOff) => halved(answer, true).await,
        None => answer,
    }
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

/// Whether an order, or every order of a batch, is post-only.
fn is_post_only(body: &[u8]) -> bool {
    let is = |post: &Value| post.get("postOnly") == Some(&Value::Bool(true));
    match serde_json::from_slice(body) {
        Ok(Value::Array(posts)) => posts.iter().all(is),
        Ok(post) => is(&post),
        Err(_) => false,
    }
}

/// Carries the call out later; it goes on when the client has gone.
async fn late(request: Request, next: Next, wait: Duration) -> Response {
    let Ok(place) = HELD.try_acquire() else { return next.run(request).await };
    let held = tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        let answer = next.run(request).await;
        drop(place);
        answer
    });
    held.await.unwrap_or_else(|error| {
        tracing::error!(%error, "sim: a call that was held back ended");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

fn substitute(answer: &Substitute) -> Response {
    let mut body = json!({ "error": answer.error });
    if let (Some(code), Some(fields)) = (answer.code, body.as_object_mut()) {
        fields.insert("code".to_owned(), Value::from(code));
        fields.insert("retry_after_seconds".to_owned(), json!(answer.retry_after));
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Failure::custom(status, body).into_response();
    if let (None, Some(seconds)) = (answer.code, answer.retry_after) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The first half of the body: as if it were the whole, or with the length of the whole and then the end of the connection.
async fn halved(answer: Response, cut: bool) -> Response {
    let (mut head, body) = answer.into_parts();
    let body = match whole(body).await {
        Ok(body) => body,
        Err(failure) => return failure.into_response(),
    };
    let half = body.slice(..body.len() / 2);
    if !cut {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(half.len()));
        return Response::from_parts(head, Body::from(half));
    }
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let parts: [io::Result<Bytes>; 2] = [Ok(half), Err(io::ErrorKind::ConnectionReset.into())];
    Response::from_parts(head, Body::from_stream(futures::stream::iter(parts)))
}
