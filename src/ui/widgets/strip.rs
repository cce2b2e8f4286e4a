//! One row of segments that gives up the least important ones when there is no room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::{Line, line_width, put_line};
use crate::ui::theme::Theme;

const GAP: usize = 2;

/// A piece of a strip; the higher its rank, the sooner it goes.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    rank: u8,
    line: Line,
}

impl Segment {
    /// A segment of that rank; 0 stays as long as anything does.
    pub(crate) const fn new(rank: u8, line: Line) -> Self {
        Self { rank, line }
    }

    /// Columns that it takes.
    pub(crate) fn width(&self) -> usize {
        line_width(&self.line)
    }
}

/// Draws segments from the left and one at the right edge, which stays.
pub(crate) fn strip(buf: &mut Buffer, area: Rect, left: Vec<Segment>, right: &Line, theme: Theme) {
    let reserved = if right.is_empty() { 0 } else { line_width(right) + GAP };
    let room = usize::from(area.width).saturating_sub(reserved);
    let mut kept = left;
    while total(&kept) > room && kept.len() > 1 {
        let highest = kept.iter().map(|segment| segment.rank).max();
        let Some(index) = kept.iter().rposition(|segment| Some(segment.rank) == highest) else { break };
        kept.remove(index);
    }
    let mut x = area.x;
    let end = area.x + u16::try_from(room).unwrap_or(area.width).min(area.width);
    for segment in &kept {
        let place = Rect::new(x, area.y, end.saturating_sub(x), area.height.min(1));
        x = (x + put_line(buf, place, area.y, &segment.line, theme) + u16::try_from(GAP).unwrap_or(0)).min(end);
    }
    let width = u16::try_from(line_width(right)).unwrap_or(u16::MAX).min(area.width);
    put_line(buf, Rect::new(area.right() - width, area.y, width, area.height.min(1)), area.y, right, theme);
}

fn total(segments: &[Segment]) -> usize {
    segments.iter().map(Segment::width).sum::<usize>() + GAP * segments.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Role;

    fn drawn(width: u16) -> String {
        let segment = |rank, text: &str| Segment::new(rank, vec![(text.to_owned(), Role::Text)]);
        let area = Rect::new(0, 0, width, 1);
        let mut buf = Buffer::empty(area);
        let left = vec![segment(0, "SIM"), segment(2, "embedded"), segment(1, "armed")];
        strip(&mut buf, area, left, &vec![("K".to_owned(), Role::Key)], Theme::new(false));
        (0..width).map(|x| buf[(x, 0)].symbol()).collect()
    }

    #[test]
    fn the_least_important_goes_first_and_the_right_end_stays() {
        assert_eq!(drawn(25), "SIM  embedded  armed    K");
        assert_eq!(drawn(16), "SIM  armed     K");
        assert_eq!(drawn(8), "SIM    K");
        assert_eq!(drawn(4), "…  K");
        assert_eq!(drawn(1), "K");
        assert_eq!(drawn(0), "");
    }
}
