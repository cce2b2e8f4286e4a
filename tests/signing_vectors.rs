//! Everything that is signed or hashed for Polymarket, compared byte for byte with what its own published clients
//! produce. `POLYMARKET_VECTORS` names another file of the same shape.

#![expect(clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

use std::path::PathBuf;

use alloy_primitives::{Address, B256, U256, keccak256};
use cockpit::domain::{Price, Protocol, Side, Size, TimeInForce, Usd};
use cockpit::venues::polymarket::signing::{
    self, Amounts, ApiCredentials, BookText, Contracts, Exchange, L2Signer, LevelText, LocalKey, Order, OrderTerms,
    TickGrid,
};
use rust_decimal::Decimal;
use serde_json::Value;

fn vectors() -> Value {
    let path = std::env::var_os("POLYMARKET_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/polymarket/vectors.json")),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rows<'a>(vectors: &'a Value, section: &str) -> &'a [Value] {
    let rows = vectors[section].as_array().unwrap_or_else(|| panic!("section {section} is missing"));
    assert!(!rows.is_empty(), "section {section} is empty");
    rows
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_else(|| panic!("{field} is not a string in {row}"))
}

fn integer(row: &Value, field: &str) -> i64 {
    match &row[field] {
        Value::String(text) => text.parse().unwrap_or_else(|_| panic!("{field} is not an integer in {row}")),
        other => other.as_i64().unwrap_or_else(|| panic!("{field} is not an integer in {row}")),
    }
}

fn decimal(row: &Value, field: &str) -> Decimal {
    text(row, field).parse().unwrap_or_else(|_| panic!("{field} is not decimal in {row}"))
}

fn number(row: &Value, field: &str) -> U256 {
    let value = text(row, field);
    value.parse().unwrap_or_else(|_| panic!("{field} is not a number in {row}"))
}

fn address(row: &Value, field: &str) -> Address {
    text(row, field).parse().unwrap_or_else(|_| panic!("{field} is not an address in {row}"))
}

fn hash(row: &Value, field: &str) -> B256 {
    text(row, field).parse().unwrap_or_else(|_| panic!("{field} is not a hash in {row}"))
}

fn side(row: &Value) -> Side {
    match &row["side"] {
        Value::String(word) if word == "BUY" || word == "0" => Side::Buy,
        Value::Number(code) if code.as_u64() == Some(0) => Side::Buy,
        Value::String(word) if word == "SELL" || word == "1" => Side::Sell,
        Value::Number(code) if code.as_u64() == Some(1) => Side::Sell,
        other => panic!("side {other}"),
    }
}

fn key(row: &Value) -> LocalKey {
    LocalKey::from_hex(text(row, "private_key")).expect("a valid key")
}

/// Amounts as the published clients compute them: market orders with the tick's decimals, not capped at four.
fn amounts(row: &Value) -> Amounts {
    let (price, quantity) = (Price(decimal(row, "price")), decimal(row, "quantity"));
    let decimals = TickGrid::of(Price(decimal(row, "tick_size"))).expect("a tick of the venue").amount_decimals;
    match (text(row, "kind"), side(row)) {
        ("limit", side) => signing::limit(side, price, Size(quantity)),
        ("market", Side::Buy) => signing::market_buy(Usd(quantity), price, decimals),
        ("market", Side::Sell) => signing::market_sell(Size(quantity), price, decimals),
        (kind, _) => panic!("kind {kind}"),
    }
    .unwrap_or_else(|error| panic!("{error} in {row}"))
}

fn expected_amounts(row: &Value) -> Amounts {
    let amount = |field| u64::try_from(integer(row, field)).expect("not negative");
    Amounts { maker: amount("maker_amount"), taker: amount("taker_amount") }
}

fn exchange(inputs: &Value) -> Exchange {
    let protocol = match text(inputs, "protocol_version") {
        "2" => Protocol::V2,
        "3" => Protocol::V3,
        other => panic!("protocol {other}"),
    };
    let chain_id = u64::try_from(integer(inputs, "chain_id")).expect("chain id");
    let neg_risk = inputs["neg_risk"].as_bool().expect("neg_risk");
    let exchange = Contracts::of(chain_id).expect("a chain of the venue").exchange(protocol, neg_risk);
    assert_eq!(exchange.address(), address(inputs, "verifying_contract"));
    exchange
}

fn tif(inputs: &Value) -> TimeInForce {
    match text(inputs, "order_type") {
        "GTC" => TimeInForce::Gtc,
        "GTD" => TimeInForce::Gtd,
        "FOK" => TimeInForce::Fok,
        "FAK" => TimeInForce::Fak,
        other => panic!("order type {other}"),
    }
}

fn order(inputs: &Value, amounts: Amounts) -> Order {
    Order {
        salt: number(inputs, "salt"),
        maker: address(inputs, "maker"),
        signer: address(inputs, "order_signer"),
        tokenId: number(inputs, "asset_id"),
        makerAmount: U256::from(amounts.maker),
        takerAmount: U256::from(amounts.taker),
        side: u8::from(side(inputs) == Side::Sell),
        signatureType: u8::try_from(integer(inputs, "signature_type")).expect("signature type"),
        timestamp: number(inputs, "timestamp_ms"),
        metadata: hash(inputs, "metadata"),
        builder: hash(inputs, "builder"),
    }
}

#[test]
fn constants_are_the_venues() {
    let vectors = vectors();
    let constants = &vectors["constants"];
    assert_eq!(signing::EXCHANGE_NAME, text(constants, "domain_name"));
    assert_eq!(signing::order_type_string(), text(constants, "order_type_string"));
    assert_eq!(keccak256(signing::order_type_string()), hash(constants, "order_typehash"));
    assert_eq!(signing::deposit_type_string(), text(constants, "deposit_wallet_type_string"));
    for chain_id in [137, 80_002] {
        let (ours, theirs) =
            (Contracts::of(chain_id).expect("known chain"), &constants[format!("contracts_{chain_id}")]);
        for (name, contract) in [
            ("exchange", ours.retired_exchange),
            ("neg_risk_exchange", ours.retired_neg_risk_exchange),
            ("neg_risk_adapter", ours.neg_risk_adapter),
            ("collateral", ours.collateral),
            ("conditional_tokens", ours.conditional_tokens),
            ("exchange_v2", ours.exchange_v2),
            ("neg_risk_exchange_v2", ours.neg_risk_exchange_v2),
            ("exchange_v3", ours.exchange_v3),
        ] {
            assert_eq!(contract.to_checksum(None), text(theirs, name), "{name} on {chain_id}");
        }
    }
}

#[test]
fn the_struct_hash_is_the_contracts() {
    let vectors = vectors();
    let (row, expected) = (&vectors["contract_struct_hash"]["order"], &vectors["contract_struct_hash"]);
    let order = Order {
        salt: number(row, "salt"),
        maker: address(row, "maker"),
        signer: address(row, "signer"),
        tokenId: number(row, "tokenId"),
        makerAmount: number(row, "makerAmount"),
        takerAmount: number(row, "takerAmount"),
        side: u8::try_from(integer(row, "side")).expect("side"),
        signatureType: u8::try_from(integer(row, "signatureType")).expect("signature type"),
        timestamp: number(row, "timestamp"),
        metadata: hash(row, "metadata"),
        builder: hash(row, "builder"),
    };
    assert_eq!(signing::struct_hash(&order), hash(expected, "struct_hash"));
}

#[test]
fn orders_are_byte_for_byte_the_clients() {
    let vectors = vectors();
    for row in rows(&vectors, "orders") {
        let (name, inputs) = (text(row, "name"), &row["inputs"]);
        let amounts = amounts(inputs);
        assert_eq!(amounts, expected_amounts(&row["amounts"]), "{name}");
        let (exchange, key, order) = (exchange(inputs), key(inputs), order(inputs, amounts));
        assert_eq!(key.address(), address(inputs, "signer_eoa"), "{name}");
        assert_eq!(signing::order_hash(&order, &exchange), hash(row, "order_hash"), "{name}");
        assert_eq!(signing::order_hash(&order, &exchange).to_string(), text(row, "order_id"), "{name}");
        assert_eq!(signing::signed_digest(&order, &exchange), hash(row, "signed_digest"), "{name}");
        let signature = signing::sign_order(&order, &exchange, &key).expect("signs");
        assert_eq!(format!("0x{}", hex::encode(&signature)), text(row, "signature"), "{name}");
        assert_eq!(signing::verify_order(&order, &exchange, &signature), Ok(key.address()), "{name}");
        let terms = OrderTerms {
            owner: text(inputs, "owner"),
            tif: tif(inputs),
            expiration: integer(inputs, "expiration"),
            post_only: inputs["post_only"].as_bool().expect("post_only"),
            defer_exec: inputs["defer_exec"].as_bool().expect("defer_exec"),
        };
        let body = signing::post_body(&order, &signature, &terms).expect("serialises");
        assert_eq!(String::from_utf8(body).expect("text"), text(row, "wire_body"), "{name}");
    }
}

#[test]
fn the_exchange_follows_from_the_token_as_the_clients_route_it() {
    let vectors = vectors();
    for row in rows(&vectors, "orders") {
        let inputs = &row["inputs"];
        let is_position = text(inputs, "protocol_version") == "3";
        assert_eq!(signing::is_position_id(&number(inputs, "asset_id")), is_position, "{}", text(row, "name"));
    }
    for row in rows(&vectors, "position_ids") {
        let expected = row["is_protocol_v2"].as_bool().expect("is_protocol_v2");
        assert_eq!(signing::is_position_id(&number(row, "asset_id")), expected, "{row}");
    }
}

#[test]
fn an_order_of_the_retired_exchange_is_not_ours() {
    let vectors = vectors();
    for row in rows(&vectors, "legacy_v1_orders") {
        let (name, message) = (text(row, "name"), &row["message"]);
        let polygon = Contracts::of(137).expect("polygon");
        let retired = [polygon.retired_exchange, polygon.retired_neg_risk_exchange];
        assert!(retired.contains(&address(row, "verifying_contract")), "{name}");
        let order = Order {
            salt: number(message, "salt"),
            maker: address(message, "maker"),
            signer: address(message, "signer"),
            tokenId: number(message, "tokenId"),
            makerAmount: number(message, "makerAmount"),
            takerAmount: number(message, "takerAmount"),
            side: u8::from(side(message) == Side::Sell),
            signatureType: u8::try_from(integer(message, "signatureType")).expect("signature type"),
            timestamp: U256::ZERO,
            metadata: B256::ZERO,
            builder: B256::ZERO,
        };
        let signature = hex::decode(text(row, "signature").trim_start_matches("0x")).expect("hex");
        for (protocol, neg_risk) in [(Protocol::V2, false), (Protocol::V2, true), (Protocol::V3, false)] {
            let exchange = polygon.exchange(protocol, neg_risk);
            assert!(!retired.contains(&exchange.address()), "{name}");
            assert_ne!(signing::order_hash(&order, &exchange), hash(row, "order_hash"), "{name}");
            assert!(signing::verify_order(&order, &exchange, &signature).is_err(), "{name}");
        }
    }
}

#[test]
fn l1_headers_are_the_clients() {
    let vectors = vectors();
    for row in rows(&vectors, "l1_clob_auth") {
        let key = key(row);
        let unsigned = |field| u64::try_from(integer(row, field)).expect("not negative");
        let (chain_id, nonce, timestamp) = (unsigned("chain_id"), unsigned("nonce"), integer(row, "timestamp"));
        let digest = signing::l1_digest(key.address(), chain_id, timestamp, nonce);
        assert_eq!(digest, hash(row, "eip712_digest"), "{row}");
        let headers = signing::l1_headers(&key, chain_id, timestamp, nonce).expect("signs");
        assert_headers(&headers.pairs(), &row["headers"]);
    }
}

#[test]
fn l2_headers_are_the_clients() {
    let vectors = vectors();
    for row in rows(&vectors, "l2_hmac") {
        let credentials = ApiCredentials::new(text(row, "api_key"), text(row, "secret"), text(row, "passphrase"));
        let owner = address(&row["headers"], "POLY_ADDRESS");
        let signer = L2Signer::new(owner, credentials).expect("a base64 secret");
        let (method, path) = (text(row, "method"), text(row, "request_path"));
        let (timestamp, body) = (integer(row, "timestamp"), row["body"].as_str().unwrap_or_default().as_bytes());
        let pre_image = signing::l2_pre_image(timestamp, method, path, body);
        assert_eq!(String::from_utf8(pre_image).expect("text"), text(row, "pre_image"));
        assert_headers(&signer.headers(timestamp, method, path, body).pairs(), &row["headers"]);
    }
}

fn assert_headers(ours: &[(&'static str, &str)], theirs: &Value) {
    let theirs = theirs.as_object().expect("headers");
    assert_eq!(ours.len(), theirs.len());
    for (name, value) in ours {
        assert_eq!(Some(*value), theirs[*name].as_str(), "{name}");
    }
}

#[test]
fn book_hashes_are_the_venues() {
    let vectors = vectors();
    for row in rows(&vectors, "orderbook_hash") {
        let book = &row["book"];
        let levels = |name: &str| -> Vec<LevelText<'_>> {
            let levels = book[name].as_array().expect("levels");
            levels.iter().map(|level| LevelText { price: text(level, "price"), size: text(level, "size") }).collect()
        };
        let ours = BookText {
            market: text(book, "market"),
            asset_id: text(book, "asset_id"),
            timestamp: text(book, "timestamp"),
            bids: levels("bids"),
            asks: levels("asks"),
            min_order_size: text(book, "min_order_size"),
            tick_size: text(book, "tick_size"),
            neg_risk: book["neg_risk"].as_bool().expect("neg_risk"),
            last_trade_price: text(book, "last_trade_price"),
        };
        assert_eq!(signing::book_hash(&ours).expect("serialises"), text(row, "hash"));
    }
}

#[test]
fn wallets_are_where_the_factories_put_them() {
    let vectors = vectors();
    for row in rows(&vectors, "wallets") {
        let key = key(row);
        assert_eq!(key.address(), address(row, "eoa"));
        let wallets = signing::derive_wallets(key.address());
        for (name, wallet) in [
            ("proxy", wallets.proxy),
            ("safe", wallets.safe),
            ("deposit_wallet_uups", wallets.deposit_uups),
            ("deposit_wallet_beacon", wallets.deposit_beacon),
        ] {
            assert_eq!(wallet.to_checksum(None), text(row, name), "{name}");
        }
    }
}

#[test]
fn amounts_are_the_decimal_arithmetic_of_every_row() {
    let vectors = vectors();
    for row in rows(&vectors, "amounts") {
        assert_eq!(amounts(row), expected_amounts(row), "{row}");
    }
}
