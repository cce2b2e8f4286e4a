//! Several instruments of one strategy, as a configuration file names them.

use super::*;
use crate::config::{Config, DEFAULT_TOML};

const THREE: [&str; 3] = ["BTC", "ETH", "SOL"];

/// The default configuration with momentum on three pairs, for one part of them.
fn config(shard: &str) -> Config {
    let one = "[[athena.momentum.on]]\nsymbol = \"BTC/USD\"\nmarket = \"btc-updown-5m-{start}\"\n";
    let series = |base: &str| format!("{}-updown-5m-{{start}}", base.to_lowercase());
    let on = THREE.map(|base| {
        let market = series(base);
        format!("[[athena.momentum.on]]\nsymbol = \"{base}/USD\"\nmarket = \"{market}\"\n")
    });
    let text = DEFAULT_TOML
        .replace(one, &on.concat())
        .replace(
            "symbols = [\"BTC/USD\", \"ETH/USD\"]",
            &format!("symbols = {:?}", THREE.map(|base| format!("{base}/USD"))),
        )
        .replace("markets = [\"btc-updown-5m-{start}\"]", &format!("markets = {:?}", THREE.map(series)))
        .replace("memory://", "redis://127.0.0.1")
        .replace("shard = \"1/1\"", &format!("shard = \"{shard}\""));
    Config::parse(&text).expect("right")
}

fn prepared(shard: &str) -> Prepared {
    let Config { strategies, shard, limits, .. } = config(shard);
    prepare(&strategies, shard, limits).expect("each once")
}

fn symbols(of: &Prepared) -> Vec<String> {
    of.engine.keys().into_iter().map(|(_, symbol)| symbol.to_string()).collect()
}

#[test]
fn each_shard_gets_its_own_pairs_and_every_one_the_same_parameters() {
    assert_eq!(symbols(&prepared("1/1")), THREE.map(|base| format!("{base}/USD")));
    let parts = ["1/2", "2/2"].map(prepared);
    let mut both: Vec<_> = parts.iter().flat_map(symbols).collect();
    both.sort();
    assert_eq!(both, ["BTC/USD", "ETH/USD", "SOL/USD"], "each once, none left out");
    for (part, shard) in parts.iter().zip([Shard::new(1, 2), Shard::new(2, 2)]) {
        let shard = shard.expect("a part");
        let own: Vec<_> = symbols(part);
        assert!(!own.is_empty() && own.iter().all(|symbol| shard.owns(&symbol.as_str().into())), "{own:?}");
        let (strategy, _, values) = &part.books[0];
        let on = "BTC/USD btc-updown-5m-{start}, ETH/USD eth-updown-5m-{start}, SOL/USD sol-updown-5m-{start}";
        assert_eq!((strategy.as_str(), values["on"].as_str()), ("momentum", on), "whoever decides shows all of them");
    }
}

#[test]
fn a_version_holds_for_every_instrument_and_moves_none() {
    let mut part = prepared("1/1");
    let (strategy, _, mut values) = part.books.remove(0);
    values.insert("threshold".into(), "0.0007".into());
    values.insert("on".into(), "DOGE/USD doge-updown-5m-{start}".into());
    let version = crate::domain::ParamVersion {
        strategy,
        version: 2,
        values,
        changed: Vec::new(),
        by: "test".into(),
        why: "test".into(),
        at: Timestamp::from_secs(scene::OPENS),
        command: None,
    };
    part.engine.set_params(&version).expect("they fit");
    let report = part.engine.report(Timestamp::from_secs(scene::OPENS));
    assert!(report.iter().all(|state| state.threshold == dec!(0.0007)), "{report:?}");
    assert_eq!(symbols(&part), THREE.map(|base| format!("{base}/USD")));
}
