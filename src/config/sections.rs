//! One function a section: which keys there are and what they may hold.

use std::path::PathBuf;

use crate::bus::BusError;
use crate::bus::url::RedisUrl;
use crate::domain::params::{Params, RISK, is_pair};
use crate::domain::{Instruments, Mode, ParamKind, Symbol, is_market, means, split_outcome};
use crate::pipeline::athena::{KINDS, Kind, Shard, StrategySettings};
use crate::risk::Limits;
use crate::risk::checks::allow_list;

use super::reader::{MARKETS, Reader};
use super::{Account, Argos, BusUrl, Config, Hermes, LedgerUrl, Ui, Venues};

/// What a bus address may be; `config.toml` explains each.
const BUS_URLS: &str =
    "\"memory://\", \"redis://...\", \"rediss://...\", \"redis+sentinel://...\" or \"rediss+sentinel://...\"";

/// Reads every section, so that every problem is noted, then puts them together when all could be read.
pub(super) fn read(r: &mut Reader) -> Option<Config> {
    let mode = r.text("mode", "\"sim\"; paper and live are not in this version", |text| text == "sim");
    let state_dir = r.text("state_dir", "a path, or \"auto\"", |text| !text.is_empty());
    let bus_url = r.secret("bus.url", BUS_URLS, check_bus_url, shown_bus_url);
    let ledger_url = r.secret("ledger.url", super::ledger_url::ALLOWED, LedgerUrl::check, shown_bus_url);
    let sim = sim(r);
    let venues = if r.has("venues") { venues(r).map(Some) } else { Some(None) };
    let argos = argos(r);
    let shard = r.text("athena.shard", "\"1/1\", or this process's part such as \"2/3\" (of at most 64)", |text| {
        Shard::parse(text).is_some()
    });
    let strategies = strategies(r);
    let limits = limits(r);
    let account = account(r);
    let hermes = hermes(r);
    let ui = ui(r);
    let log_filter = r.text("log.filter", LOG_FILTERS, is_log_filter);
    // What is there is held against the rest of what is there, whatever else is wrong: every problem is told at once.
    consistent(r, &strategies, argos.as_ref(), limits.as_ref());
    let strategies: Option<Vec<_>> = strategies.into_iter().collect();
    let (shard, bus_url) = (shard.and_then(|text| Shard::parse(&text)), bus_url.map(BusUrl::new));
    if let (Some(shard), Some(bus_url)) = (shard, &bus_url)
        && bus_url.is_memory()
        && shard != Shard::WHOLE
    {
        r.problem("athena.shard", format!("\"{shard}\""), "\"1/1\" with \"memory://\", which only one process is on");
    }
    let ledger_url = ledger_url.map(LedgerUrl::new);
    if let Some(url) = ledger_url.as_ref().filter(|url| !url.is_auto() && matches!(venues, Some(None))) {
        r.problem("ledger.url", url, "\"sqlite://auto\" without [venues]: an embedded world begins anew each time");
    }
    mode?;
    Some(Config {
        mode: Mode::Sim,
        state_dir: state_dir.filter(|text| text != "auto").map(PathBuf::from),
        bus_url: bus_url?,
        ledger_url: ledger_url?,
        sim: sim?,
        venues: venues?,
        argos: argos?,
        shard: shard?,
        strategies: strategies?,
        limits: limits?,
        account: account?,
        hermes: hermes?,
        ui: ui?,
        log_filter: log_filter?,
    })
}

/// Every strategy that this build knows, whether it runs or not; nothing for one that cannot be read.
fn strategies(r: &mut Reader) -> Vec<Option<StrategySettings>> {
    KINDS.iter().map(|kind| strategy(r, kind)).collect()
}

fn strategy(r: &mut Reader, kind: &Kind) -> Option<StrategySettings> {
    let section = format!("athena.{}", kind.name());
    let enabled = r.flag(&format!("{section}.enabled"));
    let values = r.params(&section, kind.specs());
    kind.settings(enabled?, &values?).ok()
}

/// A strategy can only see what Argos collects, and only trade what the risk gate allows. The markets of a daily event are listed one by
/// one there, if at all.
fn consistent(r: &mut Reader, strategies: &[Option<StrategySettings>], argos: Option<&Argos>, limits: Option<&Limits>) {
    for strategy in strategies.iter().flatten().filter(|strategy| strategy.is_enabled()) {
        for spec in strategy.kind().specs() {
            let Some(text) = strategy.values().get(spec.name) else { continue };
            let key = format!("athena.{}.{}", strategy.kind().name(), spec.name);
            match spec.kind {
                ParamKind::Instruments => {
                    for (index, of) in Instruments::parse(text).iter().flatten().enumerate() {
                        let symbols = argos.map(|argos| &argos.symbols);
                        if symbols.is_some_and(|symbols| !symbols.contains(&of.symbol)) {
                            let given = format!("\"{}\"", of.symbol);
                            r.problem(&format!("{key}[{index}].symbol"), given, "one of argos.symbols");
                        }
                        tradable(r, &format!("{key}[{index}].market"), &of.market, argos, limits);
                    }
                }
                ParamKind::Event => tradable(r, &key, text, argos, None),
                _ => {}
            }
        }
    }
}

/// Both lists are of whole markets, also where one outcome alone is traded.
fn tradable(r: &mut Reader, key: &str, traded: &str, argos: Option<&Argos>, limits: Option<&Limits>) {
    let (market, outcome) = split_outcome(traded);
    let before = if outcome.is_some() { "before the # " } else { "" };
    let collected = argos.is_none_or(|argos| argos.markets.iter().any(|entry| means(entry, market)));
    let allowed = limits.is_none_or(|limits| allow_list::lists(limits, market));
    for (right, list) in [(collected, "argos.markets"), (allowed, "risk.markets")] {
        if !right {
            r.problem(key, format!("\"{traded}\""), format!("{before}one of {list}"));
        }
    }
}

fn sim(r: &mut Reader) -> Option<crate::sim::Settings> {
    let speed = r.real("sim.speed", 0.1..=100.0);
    let seed = r.integer("sim.seed", 0..=i64::MAX);
    let history = r.text("sim.history", "the path of a CSV, or \"\" for the embedded recording", |_| true);
    let port = r.integer("sim.port", 0..=65_000);
    let history = history.map(|text| Some(text).filter(|text| !text.is_empty()).map(PathBuf::from));
    Some(crate::sim::Settings { speed: speed?, seed: seed?, history: history?, port: port? })
}

fn venues(r: &mut Reader) -> Option<Venues> {
    let kraken_ws = r.text("venues.kraken_ws", "a ws:// or wss:// address", is_ws_url);
    let clob = r.text("venues.clob", "an http:// or https:// address", is_http_url);
    let clob_ws = r.text("venues.clob_ws", "a ws:// or wss:// address that ends before /ws/market", is_ws_url);
    let gamma = r.text("venues.gamma", "an http:// or https:// address", is_http_url);
    Some(Venues { kraken_ws: kraken_ws?, clob: clob?, clob_ws: clob_ws?, gamma: gamma? })
}

fn argos(r: &mut Reader) -> Option<Argos> {
    let symbols = r.texts("argos.symbols", "a list of pairs such as \"BTC/USD\"", is_pair);
    let markets = r.texts("argos.markets", MARKETS, is_market);
    let silence = r.seconds("argos.silence_s", 2..=60);
    let subscribe_within = r.seconds("argos.subscribe_within_s", 1..=60);
    Some(Argos {
        symbols: symbols?.into_iter().map(Symbol::from).collect(),
        markets: markets?,
        silence: silence?,
        subscribe_within: subscribe_within?,
    })
}

/// Every limit that the gate knows.
fn limits(r: &mut Reader) -> Option<Limits> {
    Limits::from_texts(&r.params(RISK, Limits::TABLE)?).ok()
}

fn account(r: &mut Reader) -> Option<Account> {
    let kinds = ["eoa", "proxy", "safe", "deposit_wallet"];
    let said = "\"eoa\", \"proxy\", \"safe\" or \"deposit_wallet\"";
    let signature_type = r.text("account.signature_type", said, |text| kinds.contains(&text));
    let wallet =
        r.text("account.wallet", "\"derived\", or 0x and 40 hex digits", |text| text == "derived" || is_address(text));
    // Up to what the venue takes from one address, whatever the tier.
    let orders_per_s = r.integer("account.orders_per_s", 1..=400);
    let cancels_per_s = r.integer("account.cancels_per_s", 10..=300);
    Some(Account {
        signature_type: signature_type?,
        wallet: wallet.map(|text| Some(text).filter(|text| text != "derived"))?,
        orders_per_s: orders_per_s?,
        cancels_per_s: cancels_per_s?,
    })
}

fn hermes(r: &mut Reader) -> Option<Hermes> {
    let reconcile_every = r.seconds("hermes.reconcile_s", 1..=300);
    let heartbeat_every = r.seconds("hermes.heartbeat_s", 1..=9);
    let claim_after = r.seconds("hermes.claim_after_s", 1..=3600);
    let signals_kept = r.seconds("hermes.signals_kept_s", 60..=604_800);
    let dead_letters_kept = r.seconds("hermes.dlq_kept_s", 60..=31_536_000);
    Some(Hermes {
        reconcile_every: reconcile_every?,
        heartbeat_every: heartbeat_every?,
        claim_after: claim_after?,
        signals_kept: signals_kept?,
        dead_letters_kept: dead_letters_kept?,
    })
}

fn ui(r: &mut Reader) -> Option<Ui> {
    let keymap = r.text("ui.keymap", "the path of a keymap, or \"\"", |_| true);
    let max_fps = r.integer("ui.max_fps", 10..=60);
    let mouse = r.flag("ui.mouse");
    let keymap = keymap.map(|text| Some(text).filter(|text| !text.is_empty()).map(PathBuf::from));
    Some(Ui { keymap: keymap?, max_fps: max_fps?, mouse: mouse? })
}

fn check_bus_url(text: &str) -> Result<(), String> {
    if text == "memory://" {
        return Ok(());
    }
    RedisUrl::parse(text).map(drop).map_err(|error| match error {
        BusError::Url(wrong) => format!("{BUS_URLS}; {wrong}"),
        other => other.to_string(),
    })
}

/// In quotes, unless what stands there may be a password.
fn shown_bus_url(text: &str) -> String {
    let behind = text.split_once("://").map_or(text, |(_scheme, behind)| behind);
    if behind.contains(['@', ':', '?', '#']) {
        "(not shown: it may hold a password)".to_owned()
    } else {
        format!("{text:?}")
    }
}

fn is_ws_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "ws" | "wss") && url.has_host())
}

fn is_http_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn is_address(text: &str) -> bool {
    text.strip_prefix("0x").is_some_and(|hex| hex.len() == 40 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

const LOG_LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const LOG_FILTERS: &str = "a level (off, error, warn, info, debug, trace) or target=level, several with commas between, such as \
                           \"info,cockpit::exec=debug\"";

/// A word that is no level would be taken for a target, and nothing but that target would be logged: so it is refused.
fn is_log_filter(text: &str) -> bool {
    let is_directive = |part: &str| match part.split_once('=') {
        Some((target, level)) => !target.is_empty() && LOG_LEVELS.contains(&level),
        None => LOG_LEVELS.contains(&part),
    };
    text.split(',').all(is_directive) && tracing_subscriber::EnvFilter::try_new(text).is_ok()
}
