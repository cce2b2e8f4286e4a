//! A history in one row of blocks.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values between their least and most; a flat history stays in the middle.
pub(crate) fn spark(values: impl Iterator<Item = i64> + Clone) -> String {
    let (Some(least), Some(most)) = (values.clone().min(), values.clone().max()) else { return String::new() };
    let span = i128::from(most) - i128::from(least);
    values
        .map(|value| {
            let level = if span == 0 { 3 } else { (i128::from(value) - i128::from(least)) * 7 / span };
            usize::try_from(level).ok().and_then(|level| LEVELS.get(level)).copied().unwrap_or(' ')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_and_the_most_span_the_levels() {
        assert_eq!(spark([1_i64, 2, 3].into_iter()), "▁▄█");
        assert_eq!(spark([5_i64, 5].into_iter()), "▄▄");
        assert_eq!(spark([i64::MIN, i64::MAX].into_iter()), "▁█");
        assert_eq!(spark(std::iter::empty()), "");
    }
}
