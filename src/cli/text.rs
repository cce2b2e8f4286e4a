//! Lines for a terminal of 80 columns.

use super::CliError;
use super::output::say;
use crate::text::{lines, safe};

/// Columns of the narrowest terminal that is written for.
pub(super) const COLUMNS: usize = 80;

/// Prints words after a label, broken at 80 columns and continued under their beginning.
///
/// # Errors
/// When standard output fails.
pub(super) fn labelled(label: &str, width: usize, words: &str) -> Result<(), CliError> {
    for (index, line) in lines(&safe(words), COLUMNS.saturating_sub(width)).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        say!("{label:<width$}{line}")?;
    }
    Ok(())
}
