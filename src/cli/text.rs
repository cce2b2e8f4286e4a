//! Lines for a terminal of 80 columns.

use super::CliError;
use super::output::say;
use crate::text::{lines, safe};

/// Columns of the narrowest terminal that is written for.
pub(super) const COLUMNS: usize = 80;

/// Words after a label, broken at 80 columns and continued under their beginning. A label without room for a space behind it has
/// a line of its own.
pub(super) fn under(label: &str, width: usize, words: &str) -> Vec<String> {
    let above = width > 0 && label.chars().count() >= width && !label.ends_with(' ');
    let mut out: Vec<String> = above.then(|| label.to_owned()).into_iter().collect();
    let beside = if above { "" } else { label };
    let words = lines(&safe(words), COLUMNS.saturating_sub(width));
    out.extend(words.iter().enumerate().map(|(at, line)| {
        let label = if at == 0 { beside } else { "" };
        format!("{label:<width$}{line}")
    }));
    out
}

/// Prints words after a label as [`under`] sets them.
///
/// # Errors
/// When standard output fails.
pub(super) fn labelled(label: &str, width: usize, words: &str) -> Result<(), CliError> {
    under(label, width, words).iter().try_for_each(|line| say!("{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_never_touches_its_words() {
        assert_eq!(under("size", 6, "20 shares"), ["size  20 shares"]);
        assert_eq!(under("repeated_window_s", 17, "300 s"), ["repeated_window_s", "                 300 s"]);
        assert_eq!(under("momentum ", 9, "version 1"), ["momentum version 1"]);
        let long = under("why", 5, &"a reason ".repeat(12));
        assert!(long.len() > 1 && long.iter().all(|line| line.len() <= COLUMNS), "{long:?}");
        assert!(long[1].starts_with("     a") || long[1].starts_with("     r"), "{long:?}");
    }
}
