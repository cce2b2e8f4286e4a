//! A curve in braille dots: two across and four down in each cell.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::theme::{Role, Theme};

const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// Draws `values`, oldest left, over the whole of `area`. Above zero is a gain, below a loss; zero is a dotted line.
pub(crate) fn curve(buf: &mut Buffer, area: Rect, values: &[i64], theme: Theme) {
    let area = area.intersection(buf.area);
    let (Some(least), Some(most)) = (values.iter().min().copied(), values.iter().max().copied()) else { return };
    let (across, down) = (usize::from(area.width) * 2, usize::from(area.height) * 4);
    if across == 0 || down == 0 {
        return;
    }
    let scale = Scale { least, most, down };
    let mut dots = vec![0_u8; usize::from(area.width) * usize::from(area.height)];
    let mut before = None;
    for x in 0..across {
        let index = if across == 1 { 0 } else { x * (values.len() - 1) / (across - 1) };
        let Some(value) = values.get(index) else { continue };
        let y = scale.row(*value);
        // A step up or down is joined in this column, from just beside where the one before ended.
        let from = match before {
            Some(before) if before < y => before + 1,
            Some(before) if before > y => before - 1,
            _ => y,
        };
        for y in from.min(y)..=from.max(y) {
            let cell = (y / 4) * usize::from(area.width) + x / 2;
            if let Some(cell) = dots.get_mut(cell) {
                *cell |= DOTS[x % 2][y % 4];
            }
        }
        before = Some(y);
    }
    let zero = (least <= 0 && most >= 0).then(|| scale.row(0) / 4);
    let whole = if values.last().is_some_and(|last| *last < 0) { Role::Down } else { Role::Up };
    for row in 0..area.height {
        let role = match zero {
            Some(zero) if usize::from(row) > zero => Role::Down,
            Some(_) => Role::Up,
            None => whole,
        };
        for column in 0..area.width {
            let bits = dots[usize::from(row) * usize::from(area.width) + usize::from(column)];
            let cell = &mut buf[(area.x + column, area.y + row)];
            if bits != 0 {
                cell.set_char(char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ')).set_style(theme.style(role));
            } else if zero == Some(usize::from(row)) {
                cell.set_char('┈').set_style(theme.style(Role::Dim));
            }
        }
    }
}

struct Scale {
    least: i64,
    most: i64,
    down: usize,
}

impl Scale {
    /// The dot row of a value, 0 at the top.
    fn row(&self, value: i64) -> usize {
        let span = i128::from(self.most) - i128::from(self.least);
        let last = self.down - 1;
        if span == 0 {
            return last / 2;
        }
        let height = (i128::from(value) - i128::from(self.least)) * i128::try_from(last).unwrap_or(0) / span;
        last - usize::try_from(height).unwrap_or(0).min(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: u16, height: u16, values: &[i64]) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        curve(&mut buf, area, values, Theme::new(false));
        (0..height).map(|y| (0..width).map(|x| buf[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn a_rise_goes_from_the_lower_left_to_the_upper_right() {
        assert_eq!(drawn(4, 2, &[1, 2, 3, 4, 5, 6, 7, 8]), ["  ⡠⠊", "⡠⠊  "]);
    }

    #[test]
    fn extremes_and_single_values_do_not_break_it() {
        assert_eq!(drawn(2, 1, &[7]), ["⠒⠒"]);
        drawn(3, 2, &[i64::MIN, i64::MAX, 0]);
        drawn(0, 0, &[1, 2]);
        assert_eq!(drawn(1, 1, &[]), [" "]);
    }
}
