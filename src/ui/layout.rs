//! Where everything goes, from the size of the screen alone. Used by `view` to draw and by `update` to scroll and to
//! find what the mouse points at, so that both always agree.

use ratatui::layout::Rect;

use crate::ui::model::panes::Pane;
use crate::ui::model::screens::Screen;

/// Below this nothing but the state of the desk and the kill key is shown.
const MIN: (u16, u16) = (40, 10);
/// From here on there are two columns of panels.
const COMPACT: (u16, u16) = (72, 20);
/// From here on columns have room for everything.
const NORMAL: (u16, u16) = (100, 26);
/// From here on there are three columns.
const WIDE: (u16, u16) = (160, 36);

/// What kind of layout fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// State and kill key only.
    TooSmall,
    /// One panel at a time.
    Single,
    /// Two narrow columns.
    Compact,
    /// Two columns.
    Normal,
    /// Three columns.
    Wide,
}

impl Class {
    const fn of(width: u16, height: u16) -> Self {
        const fn at_least(size: (u16, u16), width: u16, height: u16) -> bool {
            width >= size.0 && height >= size.1
        }
        if at_least(WIDE, width, height) {
            Self::Wide
        } else if at_least(NORMAL, width, height) {
            Self::Normal
        } else if at_least(COMPACT, width, height) {
            Self::Compact
        } else if at_least(MIN, width, height) {
            Self::Single
        } else {
            Self::TooSmall
        }
    }
}

/// Where everything goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// What kind of layout.
    pub(crate) class: Class,
    /// State of the desk: two rows.
    pub(crate) header: Rect,
    /// The killed banner; without height while nothing is killed.
    pub(crate) banner: Rect,
    /// Panels and their places.
    pub(crate) panes: Vec<(Pane, Rect)>,
    /// Last report, or hints: one row.
    pub(crate) footer: Rect,
    /// Header, banner and footer taken away.
    pub(crate) body: Rect,
}

impl Layout {
    /// The layout of the screen that the focused panel is on. `banner` is whether the kill needs its own lines; one panel may
    /// have the whole body.
    pub(crate) fn of(area: Rect, banner: bool, focus: Pane, zoomed: bool) -> Self {
        let class = Class::of(area.width, area.height);
        if class == Class::TooSmall {
            let none = Rect::new(area.x, area.y, 0, 0);
            return Self { class, header: area, banner: none, panes: Vec::new(), footer: none, body: none };
        }
        let banner_rows = match (banner, class) {
            (false, _) => 0,
            (true, Class::Single) if area.height < 16 => 2,
            (true, _) => 4,
        };
        let [header, banner, body, footer] =
            rows(area, [2, banner_rows, area.height.saturating_sub(3 + banner_rows), 1]);
        let panes = match focus.screen() {
            _ if zoomed || class == Class::Single => vec![(focus, body)],
            Screen::Overview => overview(class, body),
            Screen::Risk => vec![(Pane::Risk, body)],
            Screen::Dlq => vec![(Pane::Letters, body)],
            Screen::System => vec![(Pane::System, body)],
        };
        Self { class, header, banner, panes, footer, body }
    }

    /// The panel's place, when it is on screen.
    pub(crate) fn pane(&self, pane: Pane) -> Option<Rect> {
        self.panes.iter().find(|(shown, _)| *shown == pane).map(|(_, area)| *area)
    }

    /// The panel at a point.
    pub(crate) fn at(&self, column: u16, row: u16) -> Option<(Pane, Rect)> {
        self.panes.iter().find(|(_, area)| area.contains((column, row).into())).copied()
    }

    /// The nearest panel to the left or right of `from`, level with its middle.
    pub(crate) fn beside(&self, from: Pane, right: bool) -> Option<Pane> {
        let own = self.pane(from)?;
        let middle = own.y + own.height / 2;
        self.panes
            .iter()
            .filter(|(_, area)| if right { area.x >= own.right() } else { area.right() <= own.x })
            .min_by_key(|(_, area)| {
                let sideways = if right { area.x - own.right() } else { own.x - area.right() };
                let level = if middle < area.y { area.y - middle } else { (middle + 1).saturating_sub(area.bottom()) };
                (sideways, level)
            })
            .map(|(pane, _)| *pane)
    }
}

/// Rows of a panel that hold data: its border and its column names taken away.
pub(crate) const fn data_rows(panel: Rect) -> u16 {
    panel.height.saturating_sub(3)
}

/// The row of data at a line of the screen.
pub(crate) const fn data_row_at(panel: Rect, line: u16) -> Option<u16> {
    match line.checked_sub(panel.y.saturating_add(2)) {
        Some(row) if row < data_rows(panel) => Some(row),
        _ => None,
    }
}

fn overview(class: Class, body: Rect) -> Vec<(Pane, Rect)> {
    let stack = |area: Rect, panes: &[(Pane, u16, u16)]| -> Vec<(Pane, Rect)> {
        let heights = share(area.height, panes);
        let mut y = area.y;
        panes
            .iter()
            .zip(heights)
            .map(|((pane, ..), height)| {
                let place = Rect::new(area.x, y, area.width, height);
                y += height;
                (*pane, place)
            })
            .collect()
    };
    if class == Class::Wide {
        let left = body.width * 3 / 10;
        let middle = body.width * 4 / 10;
        let [a, b, c] = cols(body, [left, middle, body.width - left - middle]);
        let mut panes = stack(a, &[(Pane::Ticks, 6, 2), (Pane::Strategies, 5, 2), (Pane::Pnl, 8, 3)]);
        panes.extend(stack(b, &[(Pane::Signals, 6, 1), (Pane::Orders, 6, 1)]));
        panes.extend(stack(c, &[(Pane::Positions, 6, 2), (Pane::Fills, 6, 3)]));
        return panes;
    }
    let left = if class == Class::Normal { (body.width * 2 / 5).clamp(44, 60) } else { body.width * 19 / 40 };
    let [a, b] = cols(body, [left, body.width - left]);
    let mut panes =
        stack(a, &[(Pane::Ticks, 5, 1), (Pane::Strategies, 5, 1), (Pane::Positions, 4, 4), (Pane::Pnl, 3, 5)]);
    panes.extend(stack(b, &[(Pane::Signals, 5, 3), (Pane::Orders, 5, 4), (Pane::Fills, 4, 4)]));
    panes
}

/// Heights of stacked panels: each its least, what is left by weight; shortage takes from the last ones.
fn share(total: u16, panes: &[(Pane, u16, u16)]) -> Vec<u16> {
    let least: u16 = panes.iter().map(|(_, least, _)| least).sum();
    let weights: u16 = panes.iter().map(|(.., weight)| weight).sum::<u16>().max(1);
    let spare = total.saturating_sub(least);
    let mut heights: Vec<u16> = panes.iter().map(|(_, least, weight)| least + spare * weight / weights).collect();
    let mut used: u16 = heights.iter().sum();
    if let Some(last) = heights.last_mut() {
        *last += total.saturating_sub(used);
    }
    used = used.max(total);
    for height in heights.iter_mut().rev() {
        let cut = (used - total).min(*height);
        *height -= cut;
        used -= cut;
    }
    heights
}

fn rows<const N: usize>(area: Rect, heights: [u16; N]) -> [Rect; N] {
    let mut y = area.y;
    heights.map(|height| {
        let height = height.min(area.bottom().saturating_sub(y));
        let row = Rect::new(area.x, y, area.width, height);
        y += height;
        row
    })
}

fn cols<const N: usize>(area: Rect, widths: [u16; N]) -> [Rect; N] {
    let mut x = area.x;
    widths.map(|width| {
        let column = Rect::new(x, area.y, width, area.height);
        x += width;
        column
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_stay_inside_the_body_and_never_overlap() {
        for width in (0..=300).step_by(3) {
            for height in (0..=100).step_by(2) {
                for banner in [false, true] {
                    let area = Rect::new(0, 0, width, height);
                    let layout = Layout::of(area, banner, Pane::Orders, false);
                    let mut covered = 0;
                    for (_, place) in &layout.panes {
                        assert_eq!(layout.body.intersection(*place), *place, "{width}x{height}");
                        covered += u32::from(place.width) * u32::from(place.height);
                    }
                    if layout.class != Class::TooSmall {
                        assert_eq!(covered, layout.body.area(), "{width}x{height}: every cell belongs to one panel");
                        assert!(
                            layout.pane(Pane::Orders).is_some_and(|place| data_rows(place) > 0),
                            "{width}x{height}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn four_breakpoints_and_too_small() {
        for (size, class) in [
            ((200, 60), Class::Wide),
            ((120, 30), Class::Normal),
            ((80, 24), Class::Compact),
            ((60, 16), Class::Single),
            ((40, 10), Class::Single),
            ((39, 10), Class::TooSmall),
            ((40, 9), Class::TooSmall),
        ] {
            assert_eq!(Class::of(size.0, size.1), class, "{size:?}");
        }
    }

    #[test]
    fn left_and_right_go_to_the_panel_beside() {
        let layout = Layout::of(Rect::new(0, 0, 120, 30), false, Pane::Orders, false);
        assert_eq!(layout.beside(Pane::Ticks, true), Some(Pane::Signals));
        assert_eq!(layout.beside(Pane::Signals, false), Some(Pane::Ticks));
        assert_eq!(layout.beside(Pane::Ticks, false), None);
        assert_eq!(layout.beside(Pane::Pnl, true), Some(Pane::Fills));
    }

    #[test]
    fn every_panel_can_be_seen_at_every_size() {
        for (width, height) in [(200, 60), (120, 30), (80, 24), (40, 10)] {
            for pane in Pane::ALL {
                let layout = Layout::of(Rect::new(0, 0, width, height), false, pane, false);
                assert!(layout.pane(pane).is_some_and(|place| place.height > 0), "{pane:?} at {width}x{height}");
            }
        }
    }
}
