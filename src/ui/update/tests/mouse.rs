//! What the mouse may do.

use super::*;

#[test]
fn the_mouse_chooses_and_never_trades() {
    let mut model = busy(120, 30);
    let place = settle::layout(&model).pane(Pane::Fills).expect("on screen");
    let click = |row| MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: place.x + 5,
        row,
        modifiers: KeyModifiers::NONE,
    };
    assert_eq!(update(&mut model, Msg::Mouse(click(place.y + 3)), at(60)), []);
    assert_eq!(model.panes.focus(), Pane::Fills);
    assert_eq!(model.panes.selection(Pane::Fills).index, 1);
    update(&mut model, Msg::Mouse(click(place.y + 6)), at(60));
    assert_eq!(model.panes.selection(Pane::Fills).index, 1, "below the last row nothing is chosen");
}
