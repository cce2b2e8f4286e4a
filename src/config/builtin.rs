use std::time::Duration;

use rust_decimal::dec;

use crate::domain::{Mode, Size, Symbol, Usd};
use crate::pipeline::athena::{KINDS, Kind, Shard};
use crate::risk::Limits;

use super::{Account, Argos, BusUrl, Config, Hermes, LedgerUrl, Ui};

const UP_DOWN: &str = "btc-updown-5m-{start}";

impl Config {
    /// The embedded desk: what `config.toml` says, without reading it.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            mode: Mode::Sim,
            state_dir: None,
            bus_url: BusUrl::new("memory://".to_owned()),
            ledger_url: LedgerUrl::new("sqlite://auto".to_owned()),
            sim: crate::sim::Settings { speed: 1.0, seed: 7, history: None, port: 0 },
            venues: None,
            argos: Argos {
                symbols: vec![Symbol::new("BTC/USD"), Symbol::new("ETH/USD")],
                markets: vec![UP_DOWN.to_owned()],
                silence: Duration::from_secs(4),
                subscribe_within: Duration::from_secs(10),
            },
            shard: Shard::WHOLE,
            strategies: KINDS.iter().map(Kind::embedded).collect(),
            limits: Limits {
                reduce_only: false,
                order_size: Size(dec!(100)),
                order_notional: Usd(dec!(100)),
                price_collar: dec!(0.05),
                position_cap: Size(dec!(200)),
                market_cap: Size(dec!(300)),
                gross_exposure: Usd(dec!(500)),
                market_loss: Usd(dec!(150)),
                group_loss: Usd(dec!(200)),
                strategy_exposure: Usd(dec!(400)),
                open_orders: 50,
                strategy_rate: 30,
                account_rate: 60,
                repeated_executions: 100,
                repeated_window: Duration::from_mins(5),
                duplicate_within: Duration::from_secs(2),
                markets: vec!["btc-updown-5m-{start}".to_owned()],
                blackout: Duration::from_secs(5),
                daily_loss: Usd(dec!(150)),
                daily_drawdown: Usd(dec!(200)),
                rolling_loss: Usd(dec!(250)),
                rolling_hours: 24,
                drawdown_confirmations: 3,
                mark_age: Duration::from_secs(30),
                mismatch_limit: Usd(dec!(5)),
                breaker_rejections: 5,
                data_age: Duration::from_secs(3),
                data_mute: Duration::from_mins(2),
                unknown_halt: Duration::from_mins(1),
                unknown_kill: Duration::from_mins(5),
            },
            account: Account { signature_type: "eoa".to_owned(), wallet: None, orders_per_s: 40, cancels_per_s: 80 },
            hermes: Hermes {
                reconcile_every: Duration::from_secs(30),
                heartbeat_every: Duration::from_secs(5),
                claim_after: Duration::from_secs(30),
                signals_kept: Duration::from_hours(1),
                dead_letters_kept: Duration::from_hours(720),
            },
            ui: Ui { keymap: None, max_fps: 30, mouse: true },
            log_filter: "info".to_owned(),
        }
    }
}
