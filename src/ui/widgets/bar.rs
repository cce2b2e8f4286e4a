//! A share of a limit as a bar of given width.

/// `████░░░░` for a share in per mille; anything above the limit fills the bar.
pub(crate) fn bar(per_mille: u32, cols: usize) -> String {
    let per_mille = usize::try_from(per_mille.min(1_000)).unwrap_or(1_000);
    let full = if per_mille == 0 { 0 } else { (per_mille * cols).div_ceil(1_000) };
    let mut text = "█".repeat(full.min(cols));
    text.push_str(&"░".repeat(cols - full.min(cols)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_seen_of_anything_above_zero() {
        assert_eq!(bar(0, 4), "░░░░");
        assert_eq!(bar(1, 4), "█░░░");
        assert_eq!(bar(500, 4), "██░░");
        assert_eq!(bar(9_999, 4), "████");
        assert_eq!(bar(500, 0), "");
    }
}
