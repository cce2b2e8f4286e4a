use std::path::PathBuf;

use super::output::{print_data, say};
use super::{CliError, Globals};
use crate::config::{Config, DEFAULT_TOML};

/// What can be done with a configuration.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check a file; every problem at once, exit code 2 when there is one.
    Check {
        /// The file; `--config` works as well.
        file: Option<PathBuf>,
    },
    /// Print the commented default.
    Default,
}

pub(super) fn run(globals: &Globals, command: &Command) -> Result<(), CliError> {
    match command {
        Command::Default => print_data(DEFAULT_TOML),
        Command::Check { file } => match file.as_ref().or(globals.config.as_ref()) {
            Some(path) => {
                Config::load(path).map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
                say!("{}: in order", path.display())
            }
            None => Err(CliError::Usage("config check: name a file".to_owned())),
        },
    }
}
