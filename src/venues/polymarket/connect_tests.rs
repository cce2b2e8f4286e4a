//! Connecting: credentials, whether account and exchanges are ours, the clock.

use super::*;

#[tokio::test]
async fn nothing_is_signed_or_asked_without_credentials() {
    let server = Server::start(standard).await;
    let venue = venue(&server.url);
    let market = market();
    let error = venue.sign(&approved(intent(), &market), &market).expect_err("refused").to_string();
    assert!(error.contains("connect first"), "{error}");
    assert!(matches!(venue.open_orders().await, Err(VenueError::Unreachable(_))));
    assert!(venue.identify(&intent(), &market).is_ok(), "an id needs no credentials");
    assert!(server.seen("/data/orders").is_empty());
}

#[tokio::test]
async fn credentials_are_derived_and_else_created() {
    let (server, _venue) = connected(standard).await;
    assert!(server.seen("/auth/api-key").is_empty());
    let derive = server.seen("/auth/derive-api-key").remove(0);
    for name in ["POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_NONCE"] {
        assert!(derive.headers.contains_key(name), "{name}");
    }
    let (server, _venue) = connected(|seen, _| match seen.path.as_str() {
        "/auth/derive-api-key" => (400, r#"{"error":"Could not derive api key!"}"#.into()),
        "/auth/api-key" => (200, CREDENTIALS.into()),
        _ => (0, String::new()),
    })
    .await;
    assert_eq!(server.seen("/auth/api-key").len(), 1);
}

/// A venue whose answer to `path` is not the standard one, and how connecting to it ends.
async fn connecting(path: &'static str, status: u16, body: String) -> (Server, Arc<PolymarketVenue>, VenueError) {
    let server =
        Server::start(move |seen, _| if seen.path == path { (status, body.clone()) } else { (0, String::new()) }).await;
    let venue = venue(&server.url);
    let error = venue.connect().await.expect_err(path);
    (server, venue, error)
}

#[tokio::test]
async fn a_venue_or_account_that_is_not_ours_is_named_and_nothing_is_signed_for_it() {
    let skewed = (clock::now().secs() + 60).to_string();
    let others = collateral("1", &[EXCHANGES[0], "0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E"]);
    let another_v3 = collateral("1", &[EXCHANGES[0], EXCHANGES[1], "0x1234567890123456789012345678901234567890"]);
    let rows = [
        ("/time", skewed, "clock", "NTP", "ahead"),
        ("/version", r#"{"version":3}"#.to_owned(), "version", "2: this build of cockpit is too old", "3"),
        ("/auth/api-keys", r#"{"apiKeys":["another"]}"#.to_owned(), "API key", API_KEY, "another"),
        ("/auth/api-keys", r#"{"apiKeys":[]}"#.to_owned(), "API key", API_KEY, "none"),
        ("/balance-allowance", others, "exchange contracts", EXCHANGES[1], "0x4bFb41"),
        ("/balance-allowance", another_v3, "exchange contracts", EXCHANGES[2], "0x12345678"),
        ("/balance-allowance", collateral("1", &[]), "exchange contracts", "chain 137", "not named"),
    ];
    for (path, body, differs, said, shown) in rows {
        let (server, venue, error) = connecting(path, 200, body).await;
        assert!(error.is_permanent(), "{error}");
        match &error {
            VenueError::Mismatch { what, ours, theirs } => {
                assert_eq!(*what, differs);
                assert!(ours.contains(said) && theirs.contains(shown), "{error}");
            }
            other => panic!("{path}: {other}"),
        }
        let refused = venue.sign(&approved(intent(), &market()), &market()).expect_err("unverified");
        assert!(refused.to_string().contains("connect first"), "{refused}");
        // What rests can be cancelled all the same.
        assert!(matches!(venue.cancel_all().await, Err(VenueError::Refused { status: 500, .. })));
        assert_eq!(server.seen("/cancel-all").len(), 1, "{path}");
    }
}

#[tokio::test]
async fn an_account_that_is_refused_is_told_from_a_venue_that_is_not_there() {
    let (_server, _venue, error) =
        connecting("/auth/ban-status/closed-only", 200, r#"{"closed_only":true}"#.into()).await;
    assert!(matches!(&error, VenueError::Barred { code: RejectCode::ClosedOnly, .. }), "{error}");
    let invalid = r#"{"error":"Invalid L1 Request headers"}"#;
    let (_server, _venue, error) = connecting("/auth/derive-api-key", 401, invalid.into()).await;
    assert!(matches!(&error, VenueError::Barred { code: RejectCode::Unauthorized, .. }) && error.is_permanent());
    let (_server, _venue, error) = connecting("/auth/derive-api-key", 403, "<html>blocked</html>".into()).await;
    assert!(matches!(&error, VenueError::Barred { code: RejectCode::Forbidden, .. }), "{error}");

    let too_many = r#"{"error":"Too Many Requests"}"#;
    let (_server, _venue, error) = connecting("/auth/derive-api-key", 429, too_many.into()).await;
    let wait = Some(Duration::from_secs(7));
    assert_eq!(error, VenueError::Refused { status: 429, reason: "Too Many Requests".into(), retry_after: wait });
    assert!(!error.is_permanent());
    let (_server, _venue, error) =
        connecting("/auth/derive-api-key", 200, r#"{"apiKey":"k","secret":"hush"}"#.into()).await;
    assert!(matches!(&error, VenueError::Unreadable(text) if !text.contains("hush")), "{error}");
}

#[tokio::test]
async fn a_key_that_was_revoked_is_asked_for_anew() {
    let (server, venue) = connected(|seen, before| match (seen.path.as_str(), before) {
        ("/auth/api-keys", 1) => (401, r#"{"error":"Unauthorized/Invalid api key"}"#.into()),
        _ => (0, String::new()),
    })
    .await;
    let market = market();
    venue.sign(&approved(intent(), &market), &market).expect("signs");
    let error = venue.connect().await.expect_err("revoked");
    assert!(matches!(error, VenueError::Barred { code: RejectCode::Unauthorized, .. }), "{error}");
    venue.sign(&approved(intent(), &market), &market).expect_err("not with those");
    venue.connect().await.expect("with new ones");
    assert_eq!(server.seen("/auth/derive-api-key").len(), 2);
    venue.sign(&approved(intent(), &market), &market).expect("signs again");
}

#[tokio::test]
async fn credentials_that_are_refused_in_the_middle_of_a_run_are_renewed_without_a_restart() {
    let revoked = || (401, r#"{"error":"Unauthorized/Invalid api key"}"#.to_owned());
    let (server, venue) = connected(move |seen, before| match (seen.path.as_str(), before) {
        ("/v1/heartbeats", 0) | ("/auth/api-keys", 1) => revoked(),
        ("/v1/heartbeats", _) => (200, r#"{"heartbeat_id":"a"}"#.into()),
        _ => (0, String::new()),
    })
    .await;
    let _events = venue.user_events();
    venue.heartbeat().await.expect_err("refused");
    let market = market();
    let renewed = async {
        while server.seen("/auth/derive-api-key").len() < 2
            || venue.sign(&approved(intent(), &market), &market).is_err()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), renewed).await.expect("with new ones");
    venue.heartbeat().await.expect("taken");
}

#[tokio::test]
async fn nothing_is_signed_for_an_exchange_that_the_venue_does_not_name() {
    let (_server, venue) = connected(|seen, _| match seen.path.as_str() {
        "/balance-allowance" => (200, collateral("1", &EXCHANGES[..2])),
        _ => (0, String::new()),
    })
    .await;
    let mut market = market();
    venue.sign(&approved(intent(), &market), &market).expect("named");
    market.protocol = Protocol::V3;
    market.tokens[0].token = TokenId::new(POSITION);
    let intent = OrderIntent { token: POSITION.into(), ..intent() };
    let error = venue.sign(&approved(intent.clone(), &market), &market).expect_err("not named").to_string();
    assert!(error.contains(EXCHANGES[2]), "{error}");
    assert!(venue.identify(&intent, &market).is_ok());
}

#[tokio::test]
async fn the_clock_is_measured_when_connecting() {
    let server = Server::start(|seen, _| match seen.path.as_str() {
        "/time" => (200, (clock::now().secs() - 1).to_string()),
        _ => (0, String::new()),
    })
    .await;
    let venue = venue(&server.url);
    assert_eq!(venue.skew(), None);
    venue.connect().await.expect("a second is tolerated");
    let skew = venue.skew().expect("measured");
    assert!((-2_000_000..=0).contains(&skew.ahead_us) && skew.within_us >= 500_000, "{skew}");
    assert!(skew.age(clock::now()) < Duration::from_mins(1));
}

#[tokio::test]
async fn the_clock_is_measured_again_and_again_whatever_goes_wrong() {
    let (_server, venue) = connected(|seen, before| match (seen.path.as_str(), before) {
        ("/time", 0) => (0, String::new()),
        ("/time", 1) => (500, String::new()),
        ("/time", 2) => (200, "\"noon\"".into()),
        ("/time", _) => (200, (clock::now().secs() + 30).to_string()),
        _ => (0, String::new()),
    })
    .await;
    let first = venue.skew().expect("measured");
    let changed = async {
        while venue.skew() == Some(first) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = venue.rest.keep_time(Duration::from_millis(5)) => {}
        done = tokio::time::timeout(Duration::from_secs(20), changed) => done.expect("measured again in time"),
    }
    let skew = venue.skew().expect("measured");
    assert!(skew.exceeds(Duration::from_secs(2)) && skew.ahead_us > 28_000_000, "{skew}");
}
