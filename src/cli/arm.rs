use super::desk::Desk;
use super::{CliError, Globals, actor, print_json};
use crate::domain::{AckVerdict, Action};

/// Arguments of `cockpit arm`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Why, for the record.
    #[arg(long, default_value = "asked for")]
    why: String,
    /// Print the acknowledgement as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(globals: &Globals, args: &Args) -> Result<(), CliError> {
    let ack = Desk::of(&globals.config()?)?.command(&actor("cli"), Action::Arm { why: args.why.clone() }).await?;
    if args.json {
        print_json(&ack)?;
    }
    match ack.verdict {
        AckVerdict::Applied => {
            if !args.json {
                println!("armed; nothing that was queued before the kill can run");
            }
            Ok(())
        }
        AckVerdict::Accepted => Err(CliError::NotProved("arming was accepted but is not in force yet".to_owned())),
        AckVerdict::Denied { reasons } => Err(CliError::Refused(format!("not armed: {}", reasons.join("; ")))),
    }
}
