use std::time::Duration;

use rust_decimal::dec;

use super::sample::{Sample, params};
use super::*;

fn changes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
}

#[test]
fn a_table_reads_back_what_it_wrote() {
    assert_declared(&params());
}

#[test]
fn a_change_takes_effect_whole_or_not_at_all() {
    let changed = params().with(&changes(&[("threshold", "0.0005"), ("window_s", "30")])).expect("in range");
    assert_eq!((changed.threshold, changed.window), (dec!(0.0005), Duration::from_secs(30)));
    assert_eq!(Sample { threshold: dec!(0.0001), window: Duration::from_secs(15), ..changed }, params());
    let refused = params().with(&changes(&[("threshold", "0.0005"), ("window_s", "0")])).expect_err("out of range");
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].to_string(), "window_s = 0: allowed: whole seconds from 1 to 3600");
}

#[test]
fn every_wrong_change_is_named_with_what_would_be_right() {
    let wrong = [
        ("threshold", "0.6", "a decimal from 0.00001 to 0.5"),
        ("threshold", "lots", "a decimal from 0.00001 to 0.5"),
        ("min_ticks", "1", "a whole number from 2 to 10000"),
        ("min_ticks", "-4", "a whole number from 2 to 10000"),
        ("send_within_ms", "9", "whole milliseconds from 10 to 60000"),
        ("on", "ETH/USD eth-updown-5m-{start}", "fixed while the desk runs"),
        ("treshold", "0.1", "only on, window_s"),
    ];
    for (name, text, allowed) in wrong {
        let problems = params().with(&changes(&[(name, text)])).expect_err(name);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let problem = problems[0].to_string();
        assert!(problem.contains(allowed) && problem.starts_with(name), "{problem}");
    }
    let same = params().with(&changes(&[("on", "BTC/USD btc-updown-5m-{start}")]));
    assert_eq!(same.as_ref(), Ok(&params()), "naming what is fixed as it is changes nothing");
}

#[test]
fn what_is_fixed_stays_whatever_the_texts_say() {
    let mut texts = params().texts();
    texts.insert("threshold".into(), "0.0005".into());
    texts.insert("on".into(), "ETH/USD eth-updown-5m-{start}".into());
    assert_eq!(params().retuned(&texts), Ok(Sample { threshold: dec!(0.0005), ..params() }));
    texts.remove("on");
    assert_eq!(params().retuned(&texts), Ok(Sample { threshold: dec!(0.0005), ..params() }));
    texts.remove("size");
    assert_eq!(params().retuned(&texts).map_err(|problems| problems.len()), Err(1));
}

#[test]
fn instruments_are_pairs_with_markets_each_pair_once() {
    let spec = Sample::TABLE[0];
    for text in ["BTC/USD btc-updown-5m-{start}", "BTC/USD a, ETH/USD a"] {
        assert!(spec.admits(text), "{text}");
    }
    for text in ["", "btc a", "BTC/USD", "BTC/USD A", "BTC/USD a, BTC/USD b", "BTC/USD  a", "BTC/USD a,"] {
        assert!(!spec.admits(text), "{text}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let mut texts = params().texts();
    texts.remove("size");
    let problems = Sample::from_texts(&texts).expect_err("incomplete");
    assert_eq!(problems[0].to_string(), "size = (missing): allowed: a decimal from 0.01 to 1000000000");
}
