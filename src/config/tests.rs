use super::*;
use crate::domain::params::Params as _;
use crate::pipeline::athena::{Momentum, Reversion, Strategy as _, Weather};

fn problems(text: &str) -> Vec<Problem> {
    match Config::parse(text) {
        Err(ConfigError::Problems(problems)) => problems,
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn the_commented_default_is_the_builtin_one() {
    assert_eq!(Config::parse(DEFAULT_TOML), Ok(Config::builtin()));
}

/// The only parameter of a strategy in which the embedded desk differs from what is usual.
#[test]
fn the_embedded_desk_signals_on_a_calmer_market_than_is_usual() {
    let usual = Momentum::defaults();
    assert_eq!(usual.threshold, rust_decimal::dec!(0.0005));
    let mut expected = usual.texts();
    expected.insert("threshold".into(), "0.0001".into());
    let builtin = Config::builtin();
    assert_eq!((builtin.strategies[0].kind().name(), builtin.strategies[0].values()), ("momentum", &expected));
    assert_eq!(builtin.strategies[1].values(), &Reversion::defaults().texts());
    assert_eq!(builtin.strategies[2].values(), &Weather::defaults().texts());
}

#[test]
fn everything_wrong_is_told_at_once_with_key_value_and_allowed() {
    let text = DEFAULT_TOML
        .replace("speed = 1.0", "speed = 1000.0")
        .replace("threshold = \"0.0001\"", "threshold = 0.0001")
        .replace("gross_exposure = \"500\"", "")
        .replace("max_fps = 30", "max_fsp = 30");
    let found = problems(&text);
    let told: Vec<(&str, &str)> = found.iter().map(|p| (p.key.as_str(), p.value.as_str())).collect();
    assert_eq!(
        told,
        [
            ("sim.speed", "1000.0"),
            ("athena.momentum.threshold", "0.0001"),
            ("risk.gross_exposure", "(missing)"),
            ("ui.max_fps", "(missing)"),
            ("ui.max_fsp", "30"),
        ]
    );
    assert_eq!(found[0].allowed, "a number from 0.1 to 100");
    assert_eq!(found[4].allowed, "no such key; did you mean ui.max_fps?");
}

#[test]
fn every_single_key_is_required() {
    let table: toml::Table = DEFAULT_TOML.parse().expect("the default parses");
    let mut keys = Vec::new();
    collect("", &table, &mut keys);
    assert!(keys.len() > 30, "{keys:?}");
    for key in keys {
        let mut table = table.clone();
        remove(&mut table, &key);
        let found = problems(&table.to_string());
        assert!(found.iter().any(|p| p.key == key && p.value == "(missing)"), "{key}: {found:?}");
    }
}

fn collect(prefix: &str, table: &toml::Table, keys: &mut Vec<String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => collect(&key, inner, keys),
            _ => keys.push(key),
        }
    }
}

fn remove(table: &mut toml::Table, key: &str) {
    match key.split_once('.') {
        None => drop(table.remove(key)),
        Some((head, rest)) => {
            if let Some(toml::Value::Table(inner)) = table.get_mut(head) {
                remove(inner, rest);
            }
        }
    }
}

#[test]
fn a_strategy_may_only_watch_what_is_collected() {
    let found = problems(&DEFAULT_TOML.replace("symbols = [\"BTC/USD\", \"ETH/USD\"]", "symbols = [\"ETH/USD\"]"));
    assert_eq!(found[0].to_string(), "athena.momentum.on[0].symbol = \"BTC/USD\": allowed: one of argos.symbols");
}

const ON: &str = "[[athena.momentum.on]]\nsymbol = \"BTC/USD\"\nmarket = \"btc-updown-5m-{start}\"\n";

/// What is wrong when momentum is on these.
fn wrong_on(on: &str) -> Vec<String> {
    assert!(DEFAULT_TOML.contains(ON));
    problems(&DEFAULT_TOML.replace(ON, on)).iter().map(ToString::to_string).collect()
}

#[test]
fn every_wrong_instrument_is_named() {
    let whole = "[[athena.momentum.on]] with symbol and market, once for each pair, at least one";
    let pair = "a pair in quotes, such as \"BTC/USD\"";
    let slug = "a slug, a slug with one outcome or a pattern in quotes, such as \"btc-100k\", \"btc-100k#Yes\" or \"btc-updown-5m-{start}\"";
    assert_eq!(wrong_on(""), [format!("athena.momentum.on = (missing): allowed: {whole}")]);
    let twice = "athena.momentum.on[1].symbol = \"BTC/USD\": allowed: each pair once; it is that of athena.momentum.on[0] already";
    assert_eq!(wrong_on(&format!("{ON}{ON}")), [twice]);
    let second = |keys: &str| wrong_on(&format!("{ON}[[athena.momentum.on]]\n{keys}\n"));
    let at =
        |name: &str, value: &str, allowed: &str| format!("athena.momentum.on[1].{name} = {value}: allowed: {allowed}");
    assert_eq!(second("symbol = \"ETH/USD\""), [at("market", "(missing)", slug)]);
    assert_eq!(second("market = \"x\""), [at("symbol", "(missing)", pair)]);
    let lower = "symbol = \"eth\"\nmarket = 7\nslug = \"x\"";
    let unknown = at("slug", "\"x\"", "no such key; there are symbol and market");
    assert_eq!(second(lower), [at("symbol", "\"eth\"", pair), at("market", "7", slug), unknown]);
    let empty = DEFAULT_TOML.replace(ON, "").replace("[athena.momentum]\n", "[athena.momentum]\non = []\n");
    assert_eq!(problems(&empty)[0].to_string(), format!("athena.momentum.on = []: allowed: {whole}"));
}

#[test]
fn a_strategy_may_only_trade_what_is_watched_and_allowed() {
    let second = "[[athena.momentum.on]]\nsymbol = \"ETH/USD\"\nmarket = \"eth-updown-5m-{start}\"\n";
    let given = "athena.momentum.on[1].market = \"eth-updown-5m-{start}\": allowed: one of";
    let text = DEFAULT_TOML.replace(ON, &format!("{ON}{second}"));
    let told = |text: &str| problems(text).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told(&text), [format!("{given} argos.markets"), format!("{given} risk.markets")]);
    let both = "markets = [\"btc-updown-5m-{start}\", \"eth-updown-5m-{start}\"]";
    let watched = text.replacen("markets = [\"btc-updown-5m-{start}\"]", both, 1);
    assert_eq!(told(&watched), [format!("{given} risk.markets")]);
    let allowed = watched.replace("markets = [\"btc-updown-5m-{start}\"]", both);
    let config = Config::parse(&allowed).expect("right");
    let on = "BTC/USD btc-updown-5m-{start}, ETH/USD eth-updown-5m-{start}";
    assert_eq!(config.strategies[0].values()["on"], on);
}

#[test]
fn one_outcome_is_traded_of_a_market_that_is_listed_without_it() {
    let token = ON.replace("btc-updown-5m-{start}", "btc-100k#Yes");
    let text = DEFAULT_TOML.replace(ON, &token);
    let told = |text: &str| problems(text).iter().map(ToString::to_string).collect::<Vec<_>>();
    let given = "athena.momentum.on[0].market = \"btc-100k#Yes\": allowed: before the # one of";
    assert_eq!(told(&text), [format!("{given} argos.markets"), format!("{given} risk.markets")]);
    let (lists, without) = ("markets = [\"btc-updown-5m-{start}\"]", "without an outcome");
    let listed = text.replace(lists, "markets = [\"btc-100k\", \"btc-updown-5m-{start}\"]");
    let config = Config::parse(&listed).expect("right");
    assert_eq!(config.strategies[0].values()["on"], "BTC/USD btc-100k#Yes");
    let wrong = told(&text.replace(lists, "markets = [\"btc-100k#Yes\"]"));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    for (told, key) in wrong.iter().zip(["argos.markets", "risk.markets"]) {
        assert!(told.starts_with(&format!("{key} = [\"btc-100k#Yes\"]")) && told.ends_with(without), "{told}");
    }
    let window = ON.replace("{start}", "1795348800#Down");
    Config::parse(&DEFAULT_TOML.replace(ON, &window)).expect("a window of a pattern that is on both lists");
    let pattern = wrong_on(&ON.replace("{start}", "{start}#Up"));
    assert!(
        pattern[0].starts_with("athena.momentum.on[0].market = \"btc-updown-5m-{start}#Up\": allowed: a slug"),
        "{pattern:?}"
    );
}

#[test]
fn instruments_are_shared_only_over_redis() {
    let shared = DEFAULT_TOML.replace("shard = \"1/1\"", "shard = \"2/3\"");
    let found = problems(&shared);
    assert_eq!((found.len(), found[0].key.as_str(), found[0].value.as_str()), (1, "athena.shard", "\"2/3\""));
    let config = Config::parse(&shared.replace("memory://", "redis://127.0.0.1")).expect("right");
    assert_eq!(config.shard.to_string(), "2/3");
    let found = problems(&DEFAULT_TOML.replace("shard = \"1/1\"", "shard = \"3/2\""));
    assert_eq!((found[0].key.as_str(), found[0].value.as_str()), ("athena.shard", "\"3/2\""));
}

#[test]
fn a_password_is_never_shown() {
    let url = BusUrl::new("redis://desk:s3cret@localhost:6379/1".into());
    assert_eq!(format!("{url} {url:?}"), "redis://desk@localhost:6379/1 redis://desk@localhost:6379/1");
    let url = BusUrl::new("redis+sentinel://:s3cret@a,b:7000/desk?sentinel_password=s3cret".into());
    assert_eq!(url.to_string(), "redis+sentinel://a:26379,b:7000/desk");
}

#[test]
fn a_wrong_bus_address_is_explained_without_its_password() {
    for (url, named) in [
        ("redis+sentinel://u:s3cret@a:1,b:2", "service"),
        ("redis://u:s3cret@a/x", "database 'x'"),
        ("redis://u:s3cret", "port"),
        ("redis://u:s3cret@a?sentinel_password=s3cret", "only with redis+sentinel"),
        ("http://localhost", "scheme 'http'"),
    ] {
        let found = problems(&DEFAULT_TOML.replace("memory://", url));
        let told = format!("{found:?}");
        assert!(found.len() == 1 && found[0].key == "bus.url" && found[0].allowed.contains(named), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn a_venues_section_must_be_whole() {
    let found = problems(&format!("{DEFAULT_TOML}\n[venues]\nclob = \"ftp://x\"\n"));
    let keys: Vec<&str> = found.iter().map(|p| p.key.as_str()).collect();
    assert_eq!(keys, ["venues.kraken_ws", "venues.clob", "venues.clob_ws", "venues.gamma"]);
}

#[test]
fn a_log_filter_names_levels_and_a_word_that_is_none_is_refused() {
    let with = |filter: &str| DEFAULT_TOML.replace("filter = \"info\"", &format!("filter = \"{filter}\""));
    for filter in ["off", "debug", "cockpit::exec=trace", "warn,cockpit=debug"] {
        assert!(Config::parse(&with(filter)).is_ok(), "{filter}");
    }
    for filter in ["", "inof", "cockpit", "info,", "cockpit=loud", "=info"] {
        let found = problems(&with(filter));
        assert_eq!((found.len(), found[0].key.as_str()), (1, "log.filter"), "{filter}");
        assert!(found[0].allowed.contains("error, warn, info, debug, trace"), "{}", found[0].allowed);
    }
}
