//! A step that may become durable in pieces: what the venue lists can be thousands of fills, and a ledger that is far away takes one
//! transaction of them in no reasonable time. Each piece stands for itself, so that whatever a crash leaves behind is a state in which
//! the books may be: a fill is never without its journal and the order's row that counts it.

use super::Step;
use crate::store::ledger::Write;

impl Step {
    /// What was written so far stands for itself: the writes may be cut here.
    pub(super) fn may_cut(&mut self) {
        let end = self.writes.len();
        if end > 0 && self.cuts.last() != Some(&end) {
            self.cuts.push(end);
        }
    }
}

/// The writes in pieces, in their order, each as long as `cuts` allow and not above `most`; where no cut does, longer.
pub(in crate::exec) fn pieces(mut writes: Vec<Write>, cuts: &[usize], most: usize) -> Vec<Vec<Write>> {
    let mut ends = Vec::new();
    let (mut begun, mut fits) = (0, 0);
    for &cut in cuts.iter().chain([&writes.len()]) {
        if cut - begun > most && fits > begun {
            ends.push(fits);
            begun = fits;
        }
        fits = cut;
    }
    let mut pieces: Vec<Vec<Write>> = ends.into_iter().rev().map(|end| writes.split_off(end)).collect();
    pieces.push(writes);
    pieces.reverse();
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(value: usize) -> Write {
        Write::Meta { key: "k", value: value.to_string() }
    }

    fn lengths(writes: usize, cuts: &[usize], most: usize) -> Vec<usize> {
        let all: Vec<Write> = (0..writes).map(meta).collect();
        let pieces = pieces(all.clone(), cuts, most);
        assert_eq!(pieces.concat(), all, "all of them, in their order");
        pieces.iter().map(Vec::len).collect()
    }

    #[test]
    fn pieces_are_as_long_as_they_may_be_and_end_where_a_cut_is() {
        assert_eq!(lengths(0, &[], 4), [0]);
        assert_eq!(lengths(9, &[], 4), [9], "no cut");
        assert_eq!(lengths(4, &[1, 2, 3, 4], 4), [4]);
        assert_eq!(lengths(9, &[3, 6], 4), [3, 3, 3]);
        assert_eq!(lengths(9, &[2, 4, 6, 8], 4), [4, 4, 1]);
        assert_eq!(lengths(9, &[2, 8], 4), [2, 6, 1], "what may not be cut stays together");
        assert_eq!(lengths(9, &[1, 7, 8, 9], 4), [1, 6, 2]);
    }

    #[test]
    fn a_cut_is_where_something_was_written() {
        let mut step = Step::default();
        step.may_cut();
        step.writes.push(meta(1));
        step.may_cut();
        step.may_cut();
        assert_eq!(step.cuts, [1]);
    }
}
