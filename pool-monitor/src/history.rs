//! The last quarter of an hour, in cells of a fixed length: what it takes does not grow with the traffic or
//! with how often the pool is looked at.

use std::collections::VecDeque;
use std::time::Duration;

use crate::window::Window;

/// How far back a history goes.
pub const HISTORY_SPAN: Duration = Duration::from_mins(15);
/// How much of it is one cell.
const CELL: Duration = Duration::from_secs(15);
const CELLS: usize = (HISTORY_SPAN.as_secs() / CELL.as_secs()) as usize;

/// What happened to a pool in the last quarter of an hour, in cells of at least 15 s.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Oldest first; the last is still growing.
    cells: VecDeque<Window>,
}

impl History {
    pub(crate) fn push(&mut self, window: Window) {
        match self.cells.back_mut() {
            Some(last) if last.span < CELL => {
                *last = Window::merge([&*last, &window].into_iter());
            }
            _ => {
                if self.cells.len() > CELLS {
                    self.cells.pop_front();
                }
                self.cells.push_back(window);
            }
        }
    }

    /// The cells, oldest first. The last may be shorter than the others.
    #[must_use]
    pub fn cells(&self) -> impl DoubleEndedIterator<Item = &Window> + ExactSizeIterator + Clone {
        self.cells.iter()
    }

    /// The last of it, as one: as many cells as make up `span`, or all there are.
    #[must_use]
    pub fn last(&self, span: Duration) -> Window {
        let mut covered = Duration::ZERO;
        let enough = self.cells.iter().rev().take_while(|cell| {
            let is_needed = covered < span;
            covered += cell.span;
            is_needed
        });
        let first = self.cells.len() - enough.count();
        Window::merge(self.cells.range(first..))
    }

    /// How much of it there is.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.cells.iter().map(|cell| cell.span).sum()
    }

    /// Bytes it takes.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let heap: usize = self.cells.iter().map(Window::heap).sum();
        size_of::<Self>() + self.cells.capacity() * size_of::<Window>() + heap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{Histogram, Totals};

    const SEC: Duration = Duration::from_secs(1);

    fn window(span: Duration, opened: u64) -> Window {
        Window { span, opened, ..Window::default() }
    }

    #[test]
    fn the_last_of_it_is_as_many_cells_as_are_needed() {
        let mut history = History::default();
        for second in 0..60 {
            history.push(window(SEC, second));
        }
        assert_eq!(history.cells().len(), 4);
        assert_eq!(history.last(SEC).span, 15 * SEC);
        let last = history.last(16 * SEC);
        assert_eq!((last.span, last.opened), (30 * SEC, (30..60).sum()));
        assert_eq!(history.last(Duration::MAX).opened, (0..60).sum::<u64>());
        assert_eq!(History::default().last(SEC), Window::default());
    }

    #[test]
    fn it_forgets_what_is_older_than_a_quarter_of_an_hour() {
        let mut history = History::default();
        for _ in 0..20 * 60 {
            history.push(window(SEC, 1));
        }
        assert!(history.span() >= HISTORY_SPAN, "{:?}", history.span());
        assert!(history.span() <= HISTORY_SPAN + CELL, "{:?}", history.span());
    }

    #[test]
    fn with_every_bucket_filled_in_every_cell_it_takes_less_than_a_quarter_of_a_mebibyte() {
        let histogram = Histogram::new();
        (0..63).for_each(|power| {
            (0..64).for_each(|part| {
                let nanos = (1_u64 << power) + (((1_u128 << power) * part / 64) as u64);
                histogram.record(Duration::from_nanos(nanos));
            });
        });
        let all = histogram.totals().since(&Totals::zero());
        let mut history = History::default();
        for _ in 0..2 * CELLS {
            let (wait, held, connect) = (all.clone(), all.clone(), all.clone());
            history.push(Window { wait, held, connect, ..window(CELL, 1) });
        }
        let bytes = history.bytes();
        assert!(bytes > 61 * 3 * 5 * 200, "{bytes}");
        assert!(bytes < 256 * 1024, "{bytes}");
    }
}
