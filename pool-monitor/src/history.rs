//! The last quarter of an hour, in cells of at least 15 s: what it takes does not grow with the traffic or
//! with how often the pool is looked at.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::window::Window;

/// How far back a history goes.
pub const HISTORY_SPAN: Duration = Duration::from_mins(15);
/// How much of it is one cell.
const CELL: Duration = Duration::from_secs(15);
/// What was calm longer ago says nothing of today's load.
const CALM_KEPT: Duration = Duration::from_hours(24);

/// What happened to a pool in the last quarter of an hour, in cells of at least 15 s.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Oldest first; the last is still growing. Who looked before has the others, too: they are not copied
    /// when the next look adds to this.
    cells: VecDeque<Arc<Window>>,
    /// Of cells that are forgotten, the last that was calm: a pool that is too small for a quarter of an
    /// hour would otherwise have nothing left to be compared with.
    calm: Option<Calm>,
}

/// How a pool was used while it was far from its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Calm {
    /// How long connections were held on average.
    pub(crate) held: Duration,
    /// How many were in use on average.
    pub(crate) in_use: f64,
    /// How long ago it ended.
    pub(crate) ago: Duration,
}

impl Calm {
    /// `None` if `window` was not calm, or used too little to say.
    fn of(window: &Window, ago: Duration) -> Option<Self> {
        let held = window.mean_hold().filter(|held| !held.is_zero())?;
        let in_use = window.mean_in_use();
        window.is_calm().then_some(Self { held, in_use, ago })
    }
}

impl History {
    pub(crate) fn push(&mut self, window: Window) {
        self.calm = self.calm.map(|calm| Calm { ago: calm.ago + window.span, ..calm });
        self.calm = self.calm.filter(|calm| calm.ago < CALM_KEPT);
        match self.cells.back_mut() {
            Some(last) if last.span < CELL => {
                *last = Arc::new(Window::merge([&**last, &window].into_iter()));
            }
            _ => self.cells.push_back(Arc::new(window)),
        }
        while let Some(first) = self.cells.front() {
            let rest = self.span() - first.span;
            if rest < HISTORY_SPAN {
                break;
            }
            self.calm = Calm::of(first, rest).or(self.calm);
            self.cells.pop_front();
        }
    }

    /// The calm times of it; if there were none, the latest before it.
    pub(crate) fn calm(&self) -> Option<Calm> {
        let calm = Window::merge(self.cells().filter(|cell| cell.is_calm()));
        let since = self.cells.iter().rev().take_while(|cell| !cell.is_calm());
        Calm::of(&calm, since.map(|cell| cell.span).sum()).or(self.calm)
    }

    /// The cells, oldest first. The last may be shorter than the others.
    #[must_use]
    pub fn cells(&self) -> impl DoubleEndedIterator<Item = &Window> + ExactSizeIterator + Clone {
        self.cells.iter().map(|cell| &**cell)
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
        Window::merge(self.cells().skip(first))
    }

    /// How much of it there is.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.cells.iter().map(|cell| cell.span).sum()
    }

    /// Bytes it takes.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        let cell = |cell: &Window| size_of::<Window>() + 2 * size_of::<usize>() + cell.heap();
        let cells: usize = self.cells().map(cell).sum();
        size_of::<Self>() + self.cells.capacity() * size_of::<Arc<Window>>() + cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{Histogram, Totals};

    const CELLS: usize = (HISTORY_SPAN.as_secs() / CELL.as_secs()) as usize;
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
    fn a_look_copies_no_cell_that_is_full() {
        let mut history = Arc::new(History::default());
        (0..4).for_each(|_| Arc::make_mut(&mut history).push(window(CELL, 1)));
        let seen = Arc::clone(&history);
        Arc::make_mut(&mut history).push(window(SEC, 1));
        assert_eq!((seen.cells.len(), history.cells.len()), (4, 5));
        assert!(seen.cells.iter().zip(&history.cells).all(|(then, now)| Arc::ptr_eq(then, now)));
        let grown = history.clone();
        Arc::make_mut(&mut history).push(window(SEC, 1));
        assert_eq!((grown.last(SEC).span, history.last(SEC).span), (SEC, 2 * SEC));
    }

    #[test]
    fn it_forgets_what_is_older_than_a_quarter_of_an_hour_however_often_one_looks() {
        for interval in [1, 7, 14, 15, 16, 100, 899, 900].map(|seconds| seconds * SEC) {
            let mut history = History::default();
            for _ in 0..4000 / interval.as_secs() {
                history.push(window(interval, 1));
            }
            let (span, cell) = (history.span(), CELL.max(interval) + interval);
            assert!(span >= HISTORY_SPAN, "every {interval:?}: {span:?}");
            assert!(span <= HISTORY_SPAN + cell, "every {interval:?}: {span:?}");
        }
    }

    #[test]
    fn the_latest_calm_time_is_kept_for_a_day() {
        let used = |held: Duration, full: Duration| {
            let histogram = Histogram::new();
            (0..50).for_each(|_| histogram.record(held));
            let held_all = histogram.totals().since(&Totals::zero());
            Window { max_open: 4, held: held_all, hold_time: 50 * held, full, ..window(CELL, 1) }
        };
        let (quick, slow) = (SEC / 100, SEC / 10);
        let mut history = History::default();
        assert_eq!(history.calm(), None);
        (0..10).for_each(|_| history.push(used(quick, Duration::ZERO)));
        (0..100).for_each(|_| history.push(used(slow, CELL)));
        let calm = history.calm().expect("kept");
        assert_eq!((calm.held, calm.ago), (quick, 100 * CELL));
        history.push(used(slow, Duration::ZERO));
        assert_eq!(history.calm().expect("new").held, slow);
        (0..7000).for_each(|_| history.push(used(slow, CELL)));
        assert_eq!(history.calm(), None);
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
