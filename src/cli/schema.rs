use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};

use super::{CliError, print_json};
use crate::bus::{Channel, Envelope, Key, Stream};
use crate::domain::{
    Ack, ArgosState, AthenaState, Command, DeadLetter, HermesState, KillLatch, ParamBook, PolymarketData,
    RejectedPayload, SignalEntry, Status, Tick, TradeEvent, WeatherData,
};

/// Arguments of `cockpit schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print only this one, such as `trade.signals`.
    name: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let schemas = all();
    match &args.name {
        None => print_json(&schemas),
        Some(name) => {
            let unknown = || {
                let names: Vec<&str> = schemas.keys().map(String::as_str).collect();
                CliError::Usage(format!("schema '{name}': there is {}", names.join(", ")))
            };
            print_json(schemas.get(name).ok_or_else(unknown)?)
        }
    }
}

/// Every name on the bus that is not Athena's own with the schema of its messages, and the status document.
fn all() -> BTreeMap<String, Schema> {
    let mut schemas = BTreeMap::from([
        (Channel::Crypto.name().to_owned(), of::<Tick>()),
        (Channel::Weather.name().to_owned(), of::<WeatherData>()),
        (Channel::Polymarket.name().to_owned(), of::<PolymarketData>()),
        (Stream::Rejected.name().to_owned(), of::<RejectedPayload>()),
        (Stream::Signals.name().to_owned(), of::<SignalEntry>()),
        (Stream::Events.name().to_owned(), of::<TradeEvent>()),
        (Stream::Dlq.name().to_owned(), of::<DeadLetter>()),
        (Stream::Commands.name().to_owned(), of::<Command>()),
        (Stream::Acks.name().to_owned(), of::<Ack>()),
    ]);
    schemas.insert(Key::Kill.to_string(), of::<KillLatch>());
    schemas.insert(Key::ARGOS.to_string(), of::<ArgosState>());
    schemas.insert(Key::ATHENA.to_string(), of::<AthenaState>());
    schemas.insert(Key::HERMES.to_string(), of::<HermesState>());
    schemas.insert(Key::Params("<strategy>".into()).to_string(), of::<ParamBook>());
    schemas.insert("status".to_owned(), schema_for!(Status));
    schemas
}

fn of<T: JsonSchema>() -> Schema {
    schema_for!(Envelope<T>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_has_a_schema_that_demands_its_envelope() {
        let schemas = all();
        for stream in Stream::ALL {
            let schema = serde_json::to_value(&schemas[stream.name()]).expect("a schema is JSON");
            let required = schema["required"].as_array().expect("required fields");
            assert!(required.iter().any(|field| field == "seq"), "{stream}: {schema}");
        }
    }
}
