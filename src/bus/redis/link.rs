//! The task that keeps the one shared connection alive and says how it stands.

use std::sync::Arc;
use std::time::Duration;

use redis::Client;
use redis::aio::MultiplexedConnection;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::{ANSWER_WITHIN, dial};
use crate::bus::BusLink;

/// How often a connection that seems well is asked whether it is.
const PING_EVERY: Duration = Duration::from_secs(1);
/// First and longest pause between attempts.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// What the link says before the first attempt has ended.
const FIRST_ATTEMPT: &str = "connecting";

pub(super) fn is_first_attempt(link: &BusLink) -> bool {
    matches!(link, BusLink::Down(why) if why == FIRST_ATTEMPT)
}

type Started = (watch::Receiver<Option<MultiplexedConnection>>, watch::Receiver<BusLink>, JoinHandle<()>);

pub(super) fn start(client: Client, broken: Arc<Notify>) -> Started {
    let (current_out, current) = watch::channel(None);
    let (link_out, link) = watch::channel(BusLink::Down(FIRST_ATTEMPT.to_owned()));
    let task = tokio::spawn(async move {
        let mut pause = PAUSE.0;
        loop {
            let why = match dial(&client, Some(ANSWER_WITHIN)).await {
                Ok(connection) => {
                    pause = PAUSE.0;
                    current_out.send_replace(Some(connection.clone()));
                    link_out.send_replace(BusLink::Up);
                    tracing::info!("bus connected");
                    let why = until_broken(connection, &broken).await;
                    current_out.send_replace(None);
                    why
                }
                Err(error) => error.to_string(),
            };
            if link_out.send_replace(BusLink::Down(why.clone())) != BusLink::Down(why.clone()) {
                tracing::warn!("bus unreachable: {why}; trying again");
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    });
    (current, link, task)
}

/// Returns when the connection no longer answers, with the reason.
async fn until_broken(mut connection: MultiplexedConnection, broken: &Notify) -> String {
    loop {
        // Woken early by a call that failed; the ping then tells whether the connection is really gone.
        let _woken = tokio::time::timeout(PING_EVERY, broken.notified()).await;
        let ping = redis::cmd("PING");
        match tokio::time::timeout(ANSWER_WITHIN, ping.query_async::<()>(&mut connection)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return super::reply::words(&error),
            Err(_) => return format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
        }
    }
}

/// Between half and all of the pause, so that many clients do not come back in step.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}
