//! Text from elsewhere, made safe for a terminal, and broken into lines: one way for the cockpit and the command line.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` without anything that could drive a terminal: no control characters, no direction overrides, no invisible ones; line breaks
/// and tabs are spaces.
#[must_use]
pub fn safe(text: &str) -> String {
    text.chars()
        .map(|character| if matches!(character, '\n' | '\r' | '\t') { ' ' } else { character })
        .filter(|character| !character.is_control() && !is_invisible(*character))
        .collect()
}

const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Breaks `text` at spaces into lines of at most `cols` columns; a word that is wider has a line to itself. At least one line.
#[must_use]
pub fn lines(text: &str, cols: usize) -> Vec<String> {
    fill(text, cols, false)
}

/// The same, and wider words are broken too: no line is wider than `cols`. Nothing for no columns.
#[must_use]
pub fn wrap(text: &str, cols: usize) -> Vec<String> {
    if cols == 0 { Vec::new() } else { fill(text, cols, true) }
}

fn fill(text: &str, cols: usize, breaks_words: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        let gap = usize::from(!line.is_empty());
        if line.width() + gap + word.width() > cols && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        } else if gap == 1 {
            line.push(' ');
        }
        while breaks_words && word.width() > cols {
            let (head, tail) = word.split_at(head_of(word, cols));
            lines.push(head.to_owned());
            word = tail;
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// How many bytes of `text` fit into `cols` columns; at least one character, so that wrapping always moves on.
fn head_of(text: &str, cols: usize) -> usize {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > cols && at > 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_a_terminal() {
        assert_eq!(safe("Up\u{1b}[31m or\nDown\u{202e}!\u{7}\u{9b}2J"), "Up[31m or Down!2J");
        assert_eq!(safe("\u{1b}]0;title\u{7}"), "]0;title");
    }

    #[test]
    fn words_are_broken_between_and_within_only_where_asked() {
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
        assert_eq!(lines("overlong x", 4), ["overlong", "x"]);
        assert_eq!(lines("", 4), [""]);
        assert_eq!(wrap("overlong x", 4), ["over", "long", "x"]);
        assert_eq!(wrap("東京の天気", 4), ["東京", "の天", "気"]);
    }
}
