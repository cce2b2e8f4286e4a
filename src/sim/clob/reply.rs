use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refusal over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    status: StatusCode,
    body: Value,
}

impl Failure {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, body: json!({ "error": text.into() }) }
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub(super) fn unauthorized(text: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, text)
    }

    pub(super) fn not_found(text: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// With another field beside the error.
    pub(super) fn with(mut self, field: &str, value: &str) -> Self {
        if let Some(body) = self.body.as_object_mut() {
            body.insert(field.to_owned(), Value::from(value));
        }
        self
    }

    /// A body of one's own.
    pub(super) const fn custom(status: StatusCode, body: Value) -> Self {
        Self { status, body }
    }

    /// The venue's words.
    pub(super) fn text(&self) -> &str {
        self.body.get("error").and_then(Value::as_str).unwrap_or_default()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// What a handler gives: JSON with 200, or a refusal.
pub(super) type Reply = Result<Json<Value>, Failure>;
