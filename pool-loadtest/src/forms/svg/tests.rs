//! Plots as their paths tell them.

use super::*;

fn plot(layers: Vec<Layer>) -> Plot {
    Plot {
        name: "figures",
        title: "Figures <of> \"all\" kinds".to_owned(),
        description: "What & how".to_owned(),
        x: Axis::time(),
        y: Axis::new("per second", Unit::Plain, Spread::Linear),
        layers,
        marks: vec![(1.0, "max_open = <4>".to_owned())],
    }
}

fn line(values: &[Option<f64>]) -> Layer {
    let places = values.iter().enumerate().map(|(at, value)| (at as f64, *value));
    Layer::new("figures", Colour::Blue, Shape::Line(places.collect()))
}

fn area(values: &[f64]) -> Layer {
    let places = values.iter().enumerate().map(|(at, value)| (at as f64, Some(*value)));
    Layer::new("figures", Colour::Green, Shape::Area(places.collect()))
}

/// What the paths of a shape say.
fn paths<'a>(drawn: &'a str, shape: &str) -> Vec<&'a str> {
    let start = format!("<path class=\"{shape}\"");
    let paths = drawn.split(&*start).skip(1);
    paths
        .map(|rest| rest.split("d=\"").nth(1).expect("a path").split('"').next().expect("ends"))
        .collect()
}

/// The heights of the corners of a path.
fn heights(path: &str) -> Vec<f64> {
    let corners = path.trim_matches(|c| c == 'M' || c == 'Z').split(['L', 'M']);
    corners.map(|corner| corner.split(' ').nth(1).expect("y").parse().expect("a figure")).collect()
}

#[test]
fn a_larger_figure_is_higher() {
    let drawn = plot(vec![line(&[Some(1.0), Some(9.0), Some(5.0)])]).draw("figures", Size::WIDE);
    let heights = heights(paths(&drawn, "line blue")[0]);
    assert!(heights[0] > heights[2] && heights[2] > heights[1], "{heights:?}");
}

#[test]
fn no_figure_that_is_none_is_drawn() {
    let values = [Some(f64::NAN), Some(1.0), Some(f64::INFINITY), None, Some(2.0), Some(3.0)];
    let mut odd = vec![line(&values), area(&[f64::NAN, 1.0, f64::INFINITY, 0.0, 2.0, 1.0])];
    odd.push(Layer::new("dots", Colour::Red, Shape::Dots(vec![(f64::NAN, Some(1.0))])));
    odd.push(Layer::new("bars", Colour::Red, Shape::Intervals(vec![(1.0, f64::NAN, 2.0)])));
    for spread in [Spread::Linear, Spread::Logarithmic] {
        let mut plot = plot(odd.clone());
        plot.y.spread = spread;
        plot.marks.push((f64::NAN, "never".to_owned()));
        for size in [Size::WIDE, Size::NARROW] {
            let drawn = plot.draw("figures", size);
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }
}

#[test]
fn a_gap_parts_a_line_and_what_is_alone_between_two_is_a_dot() {
    let values = [Some(1.0), Some(2.0), None, Some(3.0), None, Some(4.0), Some(5.0)];
    let drawn = plot(vec![line(&values)]).draw("figures", Size::WIDE);
    assert_eq!(paths(&drawn, "line blue")[0].matches('M').count(), 2, "{drawn}");
    assert_eq!(drawn.matches("<circle").count(), 1, "{drawn}");
}

#[test]
fn areas_stand_upon_each_other() {
    let drawn = plot(vec![area(&[2.0, 2.0]), area(&[1.0, 3.0])]).draw("figures", Size::WIDE);
    let areas = paths(&drawn, "area green");
    let (below, above) = (heights(areas[0]), heights(areas[1]));
    // Start, both figures, then the ground backwards and back to the start.
    assert_eq!((below.len(), above.len()), (6, 6));
    assert!((above[3] - below[2]).abs() < 1e-9, "where one ends the next begins");
    assert!(above[2] < below[2], "{above:?} upon {below:?}");
}

#[test]
fn a_plot_of_nothing_is_still_a_plot_with_words() {
    let empty = plot(Vec::new());
    assert!(!empty.has_figures());
    let drawn = empty.draw("figures", Size::NARROW);
    assert!(
        drawn.contains("<title id=\"figures-title\">Figures &lt;of&gt; &quot;all&quot; kinds<")
    );
    assert!(drawn.contains("aria-labelledby=\"figures-title figures-text\""), "{drawn}");
    assert!(drawn.contains("max_open = &lt;4&gt;"), "{drawn}");
}

#[test]
fn a_legend_that_is_too_wide_goes_on_below() {
    let layers =
        || (0..6).map(|number| Layer { label: format!("layer number {number}"), ..area(&[1.0]) });
    let drawn = plot(layers().collect()).draw("figures", Size::NARROW);
    let rows: std::collections::BTreeSet<_> = drawn
        .lines()
        .filter(|line| line.contains("layer number"))
        .map(|line| line.rsplit("y=\"").next().expect("a place").split('"').next())
        .collect();
    assert_eq!(rows.len(), 3, "{drawn}");
}

#[test]
fn what_happened_is_cut_where_it_would_run_over_others_and_says_so() {
    let mut plot = plot(vec![line(&[Some(1.0), Some(2.0), Some(3.0)])]);
    let long = "degraded: saturated for 5.77 s: 5 of 5 connections are in use";
    plot.marks = vec![(0.5, "max_open 3 -> 5".to_owned()), (1.5, long.to_owned())];
    let drawn = plot.draw("figures", Size::WIDE);
    assert!(drawn.contains(">degraded: saturated for 5.77 s\u{2026}</text>"), "{drawn}");
    assert!(drawn.contains(">max_open 3 -&gt; 5</text>"), "{drawn}");
}

#[test]
fn values_that_were_tried_stand_below_their_figures_as_far_as_there_is_room() {
    let places = [1.0, 2.0, 4.0, 8.0, 9.0, 64.0];
    let drawn = |size| {
        let dots = Shape::Dots(places.iter().map(|x| (*x, Some(1.0))).collect());
        let mut plot = plot(vec![Layer::new("tried", Colour::Blue, dots)]);
        let ticks = places.iter().map(|x| (*x, format!("{x} <tasks>")));
        plot.x = Axis::new("max_open", Unit::Plain, Spread::Logarithmic).with_ticks(ticks);
        let drawn = plot.draw("figures", size);
        let below = places.iter().filter(|x| drawn.contains(&format!(">{x} &lt;tasks&gt;</text>")));
        below.copied().collect::<Vec<_>>()
    };
    assert_eq!(drawn(Size::WIDE), [1.0, 2.0, 4.0, 8.0, 64.0], "9 would run into 8");
    assert_eq!(drawn(Size::NARROW), [1.0, 4.0, 64.0]);
}

#[test]
fn a_file_of_plots_needs_nothing_else() {
    let file = file("A <run>", &[plot(vec![line(&[Some(1.0), Some(2.0)])])]);
    assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{file}");
    assert!(file.contains(STYLE) && file.contains("A &lt;run&gt;"), "{file}");
    assert_eq!(file.matches("<svg ").count(), file.matches("</svg>").count());
    let links = file.matches("http").count();
    assert_eq!(links, 1, "nothing but the name of the language");
}
