//! How the live view looks: from what is known to cells, without a terminal.

use pool_core::{PoolConfig, PoolStats};
use pool_health::HealthState;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Constraint, Layout, Rect};
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget as _;
use ratatui_widgets::block::Block;
use ratatui_widgets::borders::Borders;
use ratatui_widgets::gauge::Gauge;
use ratatui_widgets::paragraph::Paragraph;
use ratatui_widgets::sparkline::Sparkline;

use super::state::LiveState;
use crate::report::Latency;
use crate::words::{counted, grouped, time};

/// The smallest terminal that holds the view: columns and lines.
pub(super) const LEAST: (u16, u16) = (40, 12);
/// From so many columns on, the percentiles stand in one line.
const WIDE: u16 = 72;
/// From so many lines on, the throughput gets more of them.
const TALL: u16 = 20;
/// Columns of the words at the beginning of a line.
const LABEL: usize = 12;

/// Draws a state. Without colours nothing is lost: what they tell apart has different signs, too.
pub(super) fn draw(state: &LiveState, coloured: bool, area: Rect, buffer: &mut Buffer) {
    let view = View { state, coloured };
    if area.width < LEAST.0 || area.height < LEAST.1 {
        view.cramped(area, buffer);
        return;
    }
    let (sparkline, response) =
        (if area.height < TALL { 2 } else { 5 }, if area.width < WIDE { 2 } else { 1 });
    let [time, now, seconds, latency, bar, pool, load, events, hint] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(sparkline),
        Constraint::Length(response),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(1),
    ])
    .areas(area);
    view.time(time, buffer);
    view.now().render(now, buffer);
    view.seconds(seconds, buffer);
    view.latency(latency, buffer);
    view.bar(bar).render(bar, buffer);
    view.pool().render(pool, buffer);
    view.load().render(load, buffer);
    view.events(events, buffer);
    let what = if state.ended { "the load is over; what it made is removed" } else { "" };
    let hint_words = if what.is_empty() { "Ctrl-C ends the run" } else { what };
    Line::styled(hint_words, Modifier::DIM).render(hint, buffer);
}

struct View<'a> {
    state: &'a LiveState,
    coloured: bool,
}

impl View<'_> {
    fn style(&self, color: Color) -> Style {
        if self.coloured { Style::new().fg(color) } else { Style::new() }
    }

    /// The time in one line of a terminal that holds no more.
    fn cramped(&self, area: Rect, buffer: &mut Buffer) {
        let words = [self.now().to_string(), self.time_words(), "Ctrl-C ends the run".to_owned()];
        let lines: Vec<_> = words.into_iter().map(Line::from).collect();
        Paragraph::new(lines).render(area, buffer);
    }

    fn time_words(&self) -> String {
        let LiveState { elapsed, duration, warm_up_left, .. } = self.state;
        let seconds = |duration: std::time::Duration| format!("{:.0} s", duration.as_secs_f64());
        if let Some(left) = warm_up_left {
            return format!("warming up, {} left", seconds(*left));
        }
        let (elapsed, whole, left) =
            (seconds(*elapsed), seconds(*duration), seconds(self.state.left()));
        format!("{elapsed} of {whole}, {left} left")
    }

    fn time(&self, area: Rect, buffer: &mut Buffer) {
        let gauge = Gauge::default().ratio(self.state.share()).label(self.time_words());
        gauge.gauge_style(self.style(Color::Blue)).render(area, buffer);
    }

    fn now(&self) -> Line<'static> {
        let LiveState { throughput, operations, .. } = self.state;
        Line::from(vec![
            label("throughput"),
            Span::styled(
                format!("{}/s", grouped(throughput.round() as u64)),
                self.style(Color::Green).add_modifier(Modifier::BOLD),
            ),
            Span::from(format!("  {}", counted(*operations, "operation"))),
        ])
    }

    /// The throughput of each second, as many of the last ones as there are columns.
    fn seconds(&self, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width);
        let seconds = &self.state.seconds;
        let last = seconds.iter().skip(seconds.len().saturating_sub(columns));
        Sparkline::default().data(last).style(self.style(Color::Green)).render(area, buffer);
    }

    fn latency(&self, area: Rect, buffer: &mut Buffer) {
        let shown = |name: &str, micros: Option<f64>| {
            let value = micros.map_or_else(|| "-".to_owned(), time);
            Span::from(format!("{name} {value:<9}"))
        };
        let find =
            |value: fn(&Latency) -> Option<f64>| self.state.response.as_ref().and_then(value);
        let [p50, p90, p99, max] = [
            shown("p50", find(|it| it.p50)),
            shown("p90", find(|it| it.p90)),
            shown("p99", find(|it| it.p99)),
            shown("max", find(|it| it.max)),
        ];
        let lines = if area.height == 1 {
            vec![Line::from(vec![label("response"), p50, p90, p99, max])]
        } else {
            vec![
                Line::from(vec![label("response"), p50, p90]),
                Line::from(vec![label(""), p99, max]),
            ]
        };
        Paragraph::new(lines).render(area, buffer);
    }

    /// The pool as a bar of `max_open` connections.
    fn bar(&self, area: Rect) -> Line<'static> {
        let columns = usize::from(area.width).saturating_sub(LABEL);
        let mut spans = vec![label("pool")];
        let Some(pool) = &self.state.pool else { return Line::from(spans) };
        let parts = [
            ("█", self.style(Color::Green)),
            ("▒", self.style(Color::Blue)),
            ("░", self.style(Color::Yellow)),
            ("·", self.style(Color::DarkGray)),
        ];
        let cells = cells(pool, columns);
        spans.extend(
            parts
                .iter()
                .zip(cells)
                .map(|((sign, style), cells)| Span::styled(sign.repeat(cells), *style)),
        );
        Line::from(spans)
    }

    fn pool(&self) -> Line<'static> {
        let Some(PoolStats { in_use, idle, opening, max_open, .. }) = self.state.pool else {
            return Line::from(label(""));
        };
        let opening = if opening == 0 { String::new() } else { format!(" ░ {opening} opening") };
        let most = match max_open {
            PoolConfig::UNLIMITED => String::new(),
            most => format!(" of {most}"),
        };
        let words = format!("█ {in_use} in use ▒ {idle} idle{opening}{most}");
        Line::from(vec![label(""), Span::from(words)])
    }

    /// Who waits, what failed, and how the pool is.
    fn load(&self) -> Line<'static> {
        let LiveState { errors, dropped, health, ref pool, .. } = *self.state;
        let waiting = pool.as_ref().map_or(0, |pool| pool.waiting as u64);
        let bad = |is_bad: bool| if is_bad { self.style(Color::Red) } else { Style::new() };
        let is_ill = !matches!(health, HealthState::Healthy | HealthState::Unknown);
        let mut spans = vec![
            label("load"),
            Span::from(counted(waiting, "waiter")),
            Span::from("  "),
            Span::styled(counted(errors, "error"), bad(errors > 0)),
            Span::from("  "),
            Span::styled(format!("{health}"), bad(is_ill)),
        ];
        if dropped > 0 {
            // First of all, as the end of it may not fit.
            let words = format!("{} dropped  ", grouped(dropped));
            spans.insert(1, Span::styled(words, bad(true)));
        }
        Line::from(spans)
    }

    /// The latest events that there is room for.
    fn events(&self, area: Rect, buffer: &mut Buffer) {
        let block = Block::new().borders(Borders::TOP).title(" events ");
        let rows = usize::from(block.inner(area).height);
        let events = &self.state.events;
        let last = events.iter().skip(events.len().saturating_sub(rows));
        let lines: Vec<_> = last.map(|event| Line::from(event.as_str())).collect();
        Paragraph::new(lines).block(block).render(area, buffer);
    }
}

fn label(words: &'static str) -> Span<'static> {
    Span::from(format!("{words:<LABEL$}"))
}

/// How many of `columns` stand for connections in use, idle, opening, and not open. There is a column
/// for whatever there is one of, if there are four.
fn cells(pool: &PoolStats, columns: usize) -> [usize; 4] {
    let counts = [pool.in_use, pool.idle, pool.opening];
    let open: usize = counts.iter().sum();
    let whole = match pool.max_open {
        PoolConfig::UNLIMITED => open,
        // More than that are open for a while after it was lowered.
        most => most.max(open),
    };
    let whole = whole.max(1);
    let mut left = columns;
    let mut cells = [0; 4];
    for (cells, count) in cells.iter_mut().zip(counts) {
        let share = (count as f64 / whole as f64 * columns as f64).round() as usize;
        *cells = share.max(usize::from(count > 0)).min(left);
        left -= *cells;
    }
    cells[3] = left;
    cells
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::Histogram;
    use ratatui_core::backend::TestBackend;
    use ratatui_core::terminal::Terminal;

    use super::super::state::tests::{idle_pool, progress};
    use super::*;
    use crate::load::Progress;

    fn state() -> LiveState {
        let mut nanos = Histogram::<u64>::new(3).expect("three digits");
        for micros in [1_000, 1_000, 2_000, 40_000] {
            nanos.record(micros * 1_000).expect("in range");
        }
        let mut pool = idle_pool();
        (pool.max_open, pool.in_use, pool.idle, pool.opening, pool.waiting) = (16, 8, 4, 2, 1);
        let mut state = LiveState::new(Duration::from_secs(10));
        state.advance(&progress(1_000, 1_000), HealthState::Healthy);
        let second = Progress {
            errors: 2,
            response: Some(Latency::new(&nanos)),
            pool,
            ..progress(2_000, 2_204)
        };
        state.advance(&second, HealthState::Degraded);
        state.add_event("  1.5 s  max_open 8 -> 16".to_owned());
        state
    }

    fn drawn(state: &LiveState, coloured: bool, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("infallible");
        let drawn = terminal.draw(|frame| {
            let area = frame.area();
            draw(state, coloured, area, frame.buffer_mut());
        });
        drawn.expect("infallible").buffer.clone()
    }

    fn lines(buffer: &Buffer) -> Vec<String> {
        let rows = buffer.content.chunks(usize::from(buffer.area.width));
        let text = |row: &[ratatui_core::buffer::Cell]| {
            row.iter().map(ratatui_core::buffer::Cell::symbol).collect::<String>()
        };
        rows.map(|row| text(row).trim_end().to_owned()).collect()
    }

    #[test]
    fn a_usual_terminal_shows_everything() {
        let lines = lines(&drawn(&state(), true, 80, 24));
        assert!(lines[0].contains("2 s of 10 s, 8 s left"), "{lines:#?}");
        assert_eq!(lines[1], "throughput  1 204/s  2 204 operations");
        assert!(lines[6].starts_with("▇█") || lines[6].starts_with("██"), "{lines:#?}");
        let latency = "response    p50 1.00 ms  p90 40.0 ms  p99 40.0 ms  max 40.0 ms";
        assert_eq!(lines[7], latency);
        let bar = ["█".repeat(34), "▒".repeat(17), "░".repeat(9), "·".repeat(8)].concat();
        assert_eq!(lines[8], format!("pool        {bar}"));
        assert_eq!(lines[9], "            █ 8 in use ▒ 4 idle ░ 2 opening of 16");
        assert_eq!(lines[10], "load        1 waiter  2 errors  degraded");
        assert!(lines[11].starts_with("─ events ─") || lines[11].starts_with(" events ─"));
        assert_eq!(lines[12], "  1.5 s  max_open 8 -> 16");
        assert_eq!(lines[23], "Ctrl-C ends the run");
    }

    #[test]
    fn the_smallest_terminal_shows_everything_too() {
        let lines = lines(&drawn(&state(), true, 40, 12));
        for words in [
            "2 s of 10 s, 8 s left",
            "1 204/s",
            "p50 1.00 ms",
            "p99 40.0 ms",
            "max 40.0 ms",
            "8 in use",
            "4 idle",
            "1 waiter  2 errors  degraded",
            "max_open 8 -> 16",
            "Ctrl-C ends the run",
        ] {
            assert!(lines.iter().any(|line| line.contains(words)), "{words:?} not in {lines:#?}");
        }
    }

    #[test]
    fn arrivals_that_are_dropped_are_shown() {
        let mut state = state();
        assert!(!lines(&drawn(&state, true, 80, 24)).concat().contains("dropped"));
        state.dropped = 1_234;
        for (width, height) in [(80, 24), (40, 12)] {
            let lines = lines(&drawn(&state, true, width, height));
            assert!(lines.concat().contains("load        1 234 dropped  1 waiter"), "{lines:#?}");
        }
    }

    #[test]
    fn a_load_that_warms_up_says_so() {
        let mut state = LiveState::new(Duration::from_secs(10));
        let warm_up_left = Some(Duration::from_secs(4));
        state.advance(&Progress { warm_up_left, ..progress(0, 0) }, HealthState::Healthy);
        let shown = lines(&drawn(&state, true, 80, 24));
        assert!(shown[0].contains("warming up, 4 s left"), "{shown:#?}");
        state.advance(&progress(1_000, 5), HealthState::Healthy);
        assert!(!lines(&drawn(&state, true, 80, 24)).concat().contains("warming up"));
    }

    #[test]
    fn a_terminal_that_has_become_too_small_shows_the_throughput_and_how_to_end() {
        let lines = lines(&drawn(&state(), true, 24, 3));
        assert!(lines[0].starts_with("throughput  1 204/s"), "{lines:#?}");
        assert_eq!(lines[2], "Ctrl-C ends the run");
    }

    #[test]
    fn without_colours_the_signs_are_the_same_and_no_cell_has_one() {
        let (with, without) = (drawn(&state(), true, 80, 24), drawn(&state(), false, 80, 24));
        assert_eq!(lines(&with), lines(&without));
        let is_coloured = |buffer: &Buffer| {
            buffer.content.iter().any(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset))
        };
        assert_eq!((is_coloured(&with), is_coloured(&without)), (true, false));
    }

    #[test]
    fn the_latest_events_are_those_that_are_shown() {
        let mut state = state();
        (0..50).for_each(|number| state.add_event(format!("event {number}")));
        let lines = lines(&drawn(&state, false, 80, 24));
        assert_eq!((&*lines[12], &*lines[22]), ("event 39", "event 49"));
    }

    #[test]
    fn one_connection_of_many_is_seen() {
        let mut pool = idle_pool();
        (pool.max_open, pool.in_use, pool.idle, pool.opening) = (10_000, 1, 1, 0);
        assert_eq!(cells(&pool, 20), [1, 1, 0, 18]);
        (pool.max_open, pool.in_use, pool.idle) = (2, 6, 2);
        assert_eq!(cells(&pool, 20), [15, 5, 0, 0], "more than max_open, for a while");
        pool.max_open = PoolConfig::UNLIMITED;
        assert_eq!(cells(&pool, 20), [15, 5, 0, 0], "all there are");
        let mut state = state();
        state.pool = Some(pool);
        let words = "█ 6 in use ▒ 2 idle";
        assert_eq!(lines(&drawn(&state, false, 80, 24))[9].trim(), words);
    }
}
