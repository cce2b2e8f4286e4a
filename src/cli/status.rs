use super::desk::Desk;
use super::output::say;
use super::{CliError, Globals, print_json};
use crate::domain::Status;

/// Arguments of `cockpit status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the document as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(globals: &Globals, args: &Args) -> Result<(), CliError> {
    let config = globals.config()?;
    let status = Desk::of(&config)?.status().await?;
    if args.json {
        return print_json(&status);
    }
    print(&status)
}

fn print(status: &Status) -> Result<(), CliError> {
    say!("mode       {}, trading {}", status.mode, status.trading_state)?;
    if let Some(kill) = &status.kill {
        let open = kill.open_orders.map_or_else(|| "unknown".to_owned(), |open| open.to_string());
        say!(
            "kill       {:?} in epoch {} by {}: {} (open at the venue: {open})",
            kill.state,
            kill.epoch,
            kill.by,
            kill.why
        )?;
    }
    for (name, daemon) in &status.daemons {
        let age = daemon.age_ms.map_or_else(|| "never seen".to_owned(), |age| format!("{age} ms old"));
        say!("{name:<10} {} ({age})", if daemon.up { "up" } else { "DOWN" })?;
    }
    let ticks = status.ticks;
    say!(
        "ticks      {} received, {} published, {} rejected, {} dropped",
        ticks.received,
        ticks.published,
        ticks.rejected,
        ticks.dropped
    )?;
    let signals = status.signals;
    let doubt = if signals.in_doubt > 0 { format!(", {} in doubt", signals.in_doubt) } else { String::new() };
    say!("signals    {} emitted, {} denied{doubt}", signals.emitted, signals.denied)?;
    let orders = status.orders;
    say!(
        "orders     {} sent, {} accepted, {} open, {} filled, {} cancelled, {} rejected, {} unknown, {} denied",
        orders.sent,
        orders.accepted,
        orders.open,
        orders.filled,
        orders.cancelled,
        orders.rejected,
        orders.unknown,
        orders.denied
    )?;
    say!("fills      {}", status.fills)?;
    for position in &status.positions {
        let mark = position.mark.map_or_else(|| "no mark".to_owned(), |mark| mark.to_string());
        let market = position.slug.as_ref().map_or_else(|| position.market.to_string(), ToString::to_string);
        let (size, outcome, average) = (position.size, &position.outcome, position.avg_price);
        say!("position   {size} {outcome} of {market} at {average} (mark {mark})")?;
    }
    let pnl = status.pnl;
    say!("pnl        {} = {} realised + {} unrealised - {} fees", pnl.total, pnl.realised, pnl.unrealised, pnl.fees)?;
    say!("exposure   {} of {}", status.exposure.gross, status.exposure.limit)?;
    say!("dlq        {}", status.dlq)
}
