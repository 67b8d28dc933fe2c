//! From figures to places on a plot: ranges that end at round numbers, and the ticks in them.

/// How figures are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Evenly, from nothing on.
    Linear,
    /// Evenly, around the figures: for those that may be less than nothing.
    Around,
    /// Each power of ten takes the same room.
    Logarithmic,
}

/// The range of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    spread: Spread,
}

impl Scale {
    /// One that has room for all `values` and ends at round numbers. Figures that have no place on
    /// it are left out: those that are not finite, and on a logarithmic one those not above zero.
    pub(crate) fn rounded(values: impl Iterator<Item = f64>, spread: Spread) -> Self {
        let (low, high) = extent(values, spread);
        match spread {
            Spread::Linear => {
                let high = if high > 0.0 { high } else { 1.0 };
                let step = step(high, 4);
                Self { low: 0.0, high: ((high / step).ceil() * step).max(step), spread }
            }
            Spread::Around => {
                let step = step(if high > low { high - low } else { 1.0 }, 4);
                let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
                Self { low, high: high.max(low + step), spread }
            }
            Spread::Logarithmic => {
                let low = 10_f64.powf(low.log10().floor());
                let high = 10_f64.powf((high.log10() - 1e-9).ceil());
                Self { low, high: high.max(low * 10.0), spread }
            }
        }
    }

    /// One that ends where the `values` do.
    pub(crate) fn exact(values: impl Iterator<Item = f64>, spread: Spread) -> Self {
        let (low, high) = extent(values, spread);
        match spread {
            Spread::Linear => Self { low: 0.0, high: if high > 0.0 { high } else { 1.0 }, spread },
            Spread::Around => Self { low, high: if high > low { high } else { low + 1.0 }, spread },
            Spread::Logarithmic => {
                Self { low, high: if high > low { high } else { low * 10.0 }, spread }
            }
        }
    }

    /// Where `value` lies between `from` and `to`; nowhere if it has no place on this scale.
    pub(crate) fn place(&self, value: f64, from: f64, to: f64) -> Option<f64> {
        let share = match self.spread {
            _ if !value.is_finite() => return None,
            Spread::Linear | Spread::Around => (value - self.low) / (self.high - self.low),
            Spread::Logarithmic if value <= 0.0 => return None,
            Spread::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        share.is_finite().then(|| from + share.clamp(0.0, 1.0) * (to - from))
    }

    /// Round numbers on it, about as many as are `wanted`.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<f64> {
        match self.spread {
            Spread::Linear | Spread::Around => {
                let step = step(self.high - self.low, wanted);
                let first = (self.low / step - 1e-9).ceil();
                let count = (self.high / step + 1e-9).floor() - first;
                (0..=count as usize).map(|tick| (first + tick as f64) * step).collect()
            }
            Spread::Logarithmic => self.powers(wanted),
        }
    }

    /// Powers of ten; where there are few, with 2 and 5 times each; where there are many, not all.
    fn powers(&self, wanted: usize) -> Vec<f64> {
        let inside = |value: &f64| (self.low * 0.999..=self.high * 1.001).contains(value);
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let every = ((last - first) as usize).div_ceil(wanted.max(1)).max(1);
        let powers = (first..=last).step_by(every).map(|power| 10_f64.powi(power));
        let few = (last - first) as usize * 2 < wanted;
        let between: &[f64] = if few { &[1.0, 2.0, 5.0] } else { &[1.0] };
        powers.flat_map(|power| between.iter().map(move |it| it * power)).filter(inside).collect()
    }
}

/// The least and the largest of the values that have a place; of none, a range that has one.
fn extent(values: impl Iterator<Item = f64>, spread: Spread) -> (f64, f64) {
    let has_place =
        |value: &f64| value.is_finite() && (spread != Spread::Logarithmic || *value > 0.0);
    let empty = (f64::INFINITY, f64::NEG_INFINITY);
    let widened = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
    match values.filter(has_place).fold(empty, widened) {
        found if found.0 <= found.1 => found,
        _ => (1.0, 1.0),
    }
}

/// 1, 2 or 5 times a power of ten, of which `wanted` make up `whole`, or a few more.
fn step(whole: f64, wanted: usize) -> f64 {
    let rough = whole / wanted.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let nice = [1.0, 2.0, 5.0].into_iter().find(|nice| rough <= nice * power * (1.0 + 1e-9));
    nice.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_close(found: &[f64], expected: &[f64]) {
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(found.iter().zip(expected).all(close), "{found:?} for {expected:?}");
    }

    fn linear(most: f64) -> Scale {
        Scale::rounded([0.0, most].into_iter(), Spread::Linear)
    }

    #[test]
    fn values_that_are_near_each_other_take_all_the_room_and_one_alone_has_a_place() {
        let near = Scale::exact([1.0, 2.0, 4.0].into_iter(), Spread::Logarithmic);
        assert_eq!([1.0, 2.0, 4.0].map(|it| near.place(it, 0.0, 8.0)), [0.0, 4.0, 8.0].map(Some));
        let alone = Scale::exact([4.0].into_iter(), Spread::Logarithmic);
        assert_eq!(alone.place(4.0, 0.0, 8.0), Some(0.0));
    }

    #[test]
    fn ticks_are_round_and_reach_the_largest_figure() {
        assert_close(&linear(5_220.0).ticks(4), &[0.0, 2_000.0, 4_000.0, 6_000.0]);
        assert_close(&linear(0.07).ticks(4), &[0.0, 0.02, 0.04, 0.06, 0.08]);
        assert_close(&linear(8.0).ticks(4), &[0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_close(&linear(1e9).ticks(2), &[0.0, 5e8, 1e9]);
    }

    #[test]
    fn a_range_around_figures_has_nothing_among_its_ticks_if_they_lie_on_both_sides_of_it() {
        let around = |values: &[f64]| Scale::rounded(values.iter().copied(), Spread::Around);
        assert_close(&around(&[-12.0, 5.0]).ticks(4), &[-15.0, -10.0, -5.0, 0.0, 5.0]);
        assert_close(&around(&[101.0, 103.5]).ticks(4), &[101.0, 102.0, 103.0, 104.0]);
        assert_eq!(around(&[-10.0, 10.0]).place(0.0, 0.0, 8.0), Some(4.0));
    }

    #[test]
    fn a_logarithmic_range_ends_at_powers_of_ten() {
        let scale = Scale::rounded([87.0, 23_000.0].into_iter(), Spread::Logarithmic);
        assert_close(&scale.ticks(6), &[10.0, 100.0, 1_000.0, 10_000.0, 100_000.0]);
        let near = Scale::rounded([110.0, 130.0].into_iter(), Spread::Logarithmic);
        assert_close(&near.ticks(5), &[100.0, 200.0, 500.0, 1_000.0]);
        let wide = Scale::rounded([1.0, 1e12].into_iter(), Spread::Logarithmic);
        assert!(wide.ticks(5).len() <= 6, "{:?}", wide.ticks(5));
    }

    #[test]
    fn a_figure_lies_in_proportion_and_never_outside() {
        let scale = linear(10.0);
        let places = [0.0, 5.0, 10.0, 11.0].map(|value| scale.place(value, 100.0, 0.0));
        assert_eq!(places, [Some(100.0), Some(50.0), Some(0.0), Some(0.0)]);
        let scale = Scale::rounded([1.0, 100.0].into_iter(), Spread::Logarithmic);
        let middle = scale.place(10.0, 0.0, 10.0).expect("a place");
        assert!((middle - 5.0).abs() < 1e-9, "{middle}");
    }

    #[test]
    fn what_has_no_place_is_nowhere() {
        let scale = linear(10.0);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(scale.place(value, 0.0, 1.0), None);
        }
        let scale = Scale::rounded([1.0, 100.0].into_iter(), Spread::Logarithmic);
        assert_eq!((scale.place(0.0, 0.0, 1.0), scale.place(-1.0, 0.0, 1.0)), (None, None));
    }

    #[test]
    fn a_range_of_nothing_still_has_room() {
        for spread in [Spread::Linear, Spread::Around, Spread::Logarithmic] {
            for values in [&[][..], &[0.0], &[f64::NAN], &[0.0, 0.0]] {
                let scale = Scale::rounded(values.iter().copied(), spread);
                assert!(scale.low < scale.high, "{scale:?} of {values:?}");
                assert!(scale.place(1.0, 0.0, 1.0).is_some_and(f64::is_finite), "{scale:?}");
                assert!((1..20).contains(&scale.ticks(5).len()), "{scale:?}");
            }
        }
    }
}
