//! Lines for a terminal of 80 columns.

/// Columns of the narrowest terminal that is written for.
pub(super) const COLUMNS: usize = 80;

/// Prints words after a label, broken at 80 columns and continued under their beginning.
pub(super) fn labelled(label: &str, width: usize, words: &str) {
    for (index, line) in wrap(words, COLUMNS.saturating_sub(width)).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        println!("{label:<width$}{line}");
    }
}

/// Breaks words into lines of at most `width` characters; a longer word has a line to itself.
fn wrap(words: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let Some(line) = lines.last_mut() else { continue };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_between_and_never_within() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("overlong x", 4), ["overlong", "x"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
