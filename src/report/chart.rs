//! Charts as SVG text: scales, ticks, lines, bands and marks. A chart names classes and nothing else; colours, dark mode and
//! print are the page's CSS. Beside the picture each chart carries its figures as a table, for readers who cannot see it and
//! for the keyboard, whose stops are the table's rows.

pub mod course;
pub mod forest;
pub mod latency;
pub mod trend;

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::escape;

/// A picture with the figures behind it. Both are markup already: a page has thousands of cells, and a template takes several
/// times as long for each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What can be seen in it, in one sentence.
    pub summary: String,
    /// The picture: markup, everything foreign in it escaped.
    pub svg: String,
    /// The same as figures: a table as markup, everything foreign in it escaped.
    pub table: String,
    /// How many rows of figures it has.
    pub rows: usize,
    /// Where along the x axis each row of the table stands, in units of the picture; for the cursor.
    pub stops: String,
}

/// How values become places on an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    log: bool,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// `low..high` evenly onto `from..to`.
    pub fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { log: false, low, high, from, to }
    }

    /// `low..high` onto `from..to` so that equal ratios are equally far apart; both above zero.
    pub fn log(low: f64, high: f64, from: f64, to: f64) -> Self {
        let low = if low > 0.0 { low } else { 1e-3 };
        let high = if high > low { high } else { low * 2.0 };
        Self { log: true, low, high, from, to }
    }

    /// Where the value is, kept inside the axis.
    pub fn at(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values along the axis, at most about `most`.
    pub fn ticks(&self, most: usize) -> Vec<f64> {
        if self.log { self.log_ticks(most) } else { self.linear_ticks(most) }
    }

    fn linear_ticks(&self, most: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / most.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|nice| nice * power).find(|step| *step >= rough * 0.999);
        let mut step = step.unwrap_or(rough);
        // A lone zero says nothing about the height of what stands above it.
        if step > self.high - self.low {
            step /= 2.0;
        }
        let first = (self.low / step - 1e-9).ceil();
        (0..=most).map(|at| (first + at as f64) * step).take_while(|tick| *tick <= self.high + step * 1e-9).collect()
    }

    fn log_ticks(&self, most: usize) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let nice: &[f64] = match decades / most.max(1) as f64 {
            few if few < 0.15 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
            few if few < 0.3 => &[1.0, 2.0, 3.0, 5.0],
            few if few < 0.4 => &[1.0, 2.0, 5.0],
            few if few < 0.6 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let ticks = (first..=last).flat_map(|decade| nice.iter().map(move |nice| nice * 10_f64.powi(decade)));
        let inside: Vec<f64> = ticks.filter(|tick| *tick >= self.low * 0.999 && *tick <= self.high * 1.001).collect();
        // Within a narrow range no power of ten may lie: then evenly spaced values are as good.
        if inside.len() < 2 { Self { log: false, ..*self }.linear_ticks(most.min(4)) } else { inside }
    }
}

/// The range of the values, a little wider at both ends; `None` of nothing.
pub fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|value| value.is_finite()).fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

/// A picture under construction.
#[derive(Debug)]
pub struct Svg {
    body: String,
}

impl Svg {
    /// `width` by `height` units, which are pixels at the page's full width.
    pub fn new(width: f64, height: f64, title: &str, summary: &str) -> Self {
        let mut body = String::with_capacity(MARKUP);
        place(&mut body, [("<svg viewBox=\"0 0 ", width), (" ", height)]);
        let (title, summary) = (escape::html(title), escape::html(summary));
        body.extend(["\" role=\"img\"><title>", &title, "</title><desc>", &summary, "</desc>"]);
        Self { body }
    }

    /// A picture that only repeats what the text beside it says. The page's CSS gives it its size.
    pub fn bare() -> Self {
        Self { body: "<svg aria-hidden=\"true\">".to_owned() }
    }

    /// A path; nothing is drawn of an empty one.
    pub fn path(&mut self, class: &str, path: &Path) {
        if !path.0.is_empty() {
            self.body.extend(["<path class=\"", class, "\" d=\"", &path.0, "\"/>"]);
        }
    }

    /// A filled box.
    pub fn area(&mut self, class: &str, (x, y): (f64, f64), width: f64, height: f64) {
        let mut path = Path::default();
        path.area((x, y), width, height);
        self.path(class, &path);
    }

    /// Text; `class` also says to which side of the place it stands.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        self.body.extend(["<text class=\"", class]);
        place(&mut self.body, [("\" x=\"", x), ("\" y=\"", y)]);
        self.body.extend(["\">", &escape::html(text), "</text>"]);
    }

    /// One of the page's marks with its middle at the place.
    pub fn mark(&mut self, mark: &str, (x, y): (f64, f64)) {
        self.body.extend(["<use href=\"#m-", mark]);
        place(&mut self.body, [("\" x=\"", x), ("\" y=\"", y)]);
        self.body.push_str("\"/>");
    }

    /// The markup.
    pub fn finish(mut self) -> String {
        self.body.push_str("</svg>");
        self.body
    }
}

/// The `d` of a path.
#[derive(Debug, Default, Clone)]
pub struct Path(String);

impl Path {
    /// Lines through the points; `None` is a gap. A point alone between gaps becomes a dot.
    pub fn line(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> Self {
        let mut path = Self::default();
        let mut run = 0;
        for point in points {
            match point {
                Some((x, y)) => {
                    path.go(if run == 0 { "M" } else { "L" }, x, y);
                    run += 1;
                }
                None => path.end(&mut run),
            }
        }
        path.end(&mut run);
        path
    }

    fn end(&mut self, run: &mut usize) {
        if *run == 1 {
            self.0.push_str("h0");
        }
        *run = 0;
    }

    /// A dot: a line of no length, which round or square line ends make visible.
    pub fn dot(&mut self, x: f64, y: f64) {
        self.go("M", x, y);
        self.0.push_str("h0");
    }

    /// A line from one point to another.
    pub fn segment(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.go("M", from.0, from.1);
        self.go("L", to.0, to.1);
    }

    /// A box.
    pub fn area(&mut self, (x, y): (f64, f64), width: f64, height: f64) {
        self.go("M", x, y);
        place(&mut self.0, [("h", width), ("v", height), ("h", -width)]);
        self.0.push('z');
    }

    /// Steps as high as the given places, each to its own right end, from the ground up and back to it; for filling.
    pub fn steps(left: f64, ground: f64, steps: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut path = String::new();
        place(&mut path, [("M", left), (" ", ground)]);
        for (right, y) in steps {
            place(&mut path, [("V", y.round()), ("H", right.round())]);
        }
        place(&mut path, [("V", ground)]);
        Self(path + "z")
    }

    fn go(&mut self, command: &str, x: f64, y: f64) {
        place(&mut self.0, [(command, x), (" ", y)]);
    }
}

/// Height that a line of axis labels takes.
const LABELS: f64 = 18.0;
/// Room that a letter of a label takes.
const LETTER: f64 = 6.5;

/// A rectangle with an x and a y axis, as part of a picture.
#[derive(Debug, Clone, Copy)]
pub struct Plot {
    /// Across.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
}

impl Plot {
    fn left(&self) -> f64 {
        self.x.from
    }

    fn right(&self) -> f64 {
        self.x.to
    }

    /// Horizontal grid lines with a label each.
    pub fn grid(&self, svg: &mut Svg, ticks: &[f64], label: impl Fn(f64) -> String) {
        let mut grid = Path::default();
        for tick in ticks {
            let y = self.y.at(*tick);
            grid.segment((self.left(), y), (self.right(), y));
        }
        svg.path("grid", &grid);
        for tick in ticks {
            svg.text("lab end", (self.left() - 6.0, self.y.at(*tick) + 4.0), &label(*tick));
        }
    }

    /// Labels below, at the places given; one that would touch the label before it is left out.
    pub fn below(&self, svg: &mut Svg, labels: &[(f64, String)]) {
        let bottom = self.y.from;
        let mut ticks = Path::default();
        for (x, _) in labels {
            ticks.segment((*x, bottom), (*x, bottom + 4.0));
        }
        svg.path("grid", &ticks);
        let mut free = f64::NEG_INFINITY;
        for (x, label) in labels {
            let half = label.chars().count() as f64 * LETTER / 2.0;
            if x - half >= free {
                svg.text("lab mid", (*x, bottom + LABELS), label);
                free = x + half + LETTER;
            }
        }
    }

    /// The place of a point.
    pub fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    /// A line through the points; `None` is a gap.
    pub fn line(&self, svg: &mut Svg, class: &str, points: impl IntoIterator<Item = Option<(f64, f64)>>) {
        svg.path(class, &Path::line(points.into_iter().map(|point| point.map(|point| self.at(point)))));
    }

    /// The height of the plot shaded from one x to another.
    pub fn shade(&self, svg: &mut Svg, class: &str, from: f64, to: f64) {
        let (left, right) = (self.x.at(from), self.x.at(to));
        svg.area(class, (left, self.y.to), right - left, self.y.from - self.y.to);
    }
}

/// Height of a line of labels.
const LINE: f64 = 13.0;

/// Names lines at their right ends; lines that end close together have their names one below the other.
fn label_lines(svg: &mut Svg, mut names: Vec<((f64, f64), &str)>) {
    names.sort_by(|a, b| a.0.1.total_cmp(&b.0.1));
    let mut free = f64::NEG_INFINITY;
    for ((x, y), name) in names {
        let y = y.max(free);
        svg.text("lab start", (x + 9.0, y + 4.0), name);
        free = y + LINE;
    }
}

/// Bytes that a picture or a table of an endpoint usually takes.
const MARKUP: usize = 2_048;

/// A table of figures as markup.
fn table<R>(head: impl IntoIterator<Item = &'static str>, rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = String>,
{
    let mut out = String::with_capacity(MARKUP);
    out.push_str("<table>\n<thead><tr>");
    for cell in head {
        out.extend(["<th scope=\"col\">", cell]);
    }
    out.push_str("<tbody>");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            out.extend(["<td>", &escape::html(&cell)]);
        }
    }
    out + "</table>"
}

/// The places of a cursor as text.
fn stops(places: impl IntoIterator<Item = f64>) -> String {
    let (mut text, mut before) = (String::new(), "");
    for at in places {
        place(&mut text, [(before, at.round())]);
        before = " ";
    }
    text
}

/// Coordinates, each behind its text; one decimal is a tenth of a pixel. Not by [`write`], which takes several times as long:
/// a report has tens of thousands.
fn place<const N: usize>(out: &mut String, coordinates: [(&str, f64); N]) {
    for (before, value) in coordinates {
        out.push_str(before);
        let tenths = (value * 10.0).round();
        if !tenths.is_finite() {
            // To be seen as what it is, not at 0.
            let _ = write!(out, "{tenths}");
            continue;
        }
        if tenths < 0.0 {
            out.push('-');
        }
        let (size, mut digits) = (tenths.abs() as u64, itoa::Buffer::new());
        out.push_str(digits.format(size / 10));
        if size % 10 > 0 {
            out.extend([".", digits.format(size % 10)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn coordinates_have_one_decimal_at_most() {
        let mut shown = String::new();
        place(&mut shown, [0.0, -0.04, -0.5, 12.0, 12.34, -12.36, f64::NAN].map(|value| (" ", value)));
        assert_eq!(shown, " 0 0 -0.5 12 12.3 -12.4 NaN");
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Axis::linear(0.0, 97.0, 0.0, 1.0).ticks(5), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(Axis::linear(0.0, 0.049, 0.0, 1.0).ticks(2), [0.0, 0.025]);
        assert_eq!(Axis::log(3.0, 700.0, 0.0, 1.0).ticks(4), [3.0, 10.0, 30.0, 100.0, 300.0]);
        assert_eq!(Axis::log(90.0, 700.0, 0.0, 1.0).ticks(4), [100.0, 200.0, 300.0, 500.0]);
    }

    #[test]
    fn a_line_breaks_at_gaps_and_keeps_lonely_points() {
        let points = [Some((0.0, 1.0)), Some((2.0, 3.04)), None, Some((4.0, -0.01)), None];
        assert_eq!(Path::line(points).0, "M0 1L2 3M4 0h0");
    }

    #[test]
    fn foreign_text_is_no_markup() {
        let mut svg = Svg::new(10.0, 10.0, "</title><script>", "\"'&");
        svg.text("lab", (0.0, 0.0), "<b>");
        let markup = svg.finish();
        assert!(!markup.contains("<script") && !markup.contains("<b>"), "{markup}");
        let table = table(["head"], [["<b>\"'&".to_owned()]]);
        assert_eq!(table, "<table>\n<thead><tr><th scope=\"col\">head<tbody><tr><td>&lt;b&gt;&quot;&#39;&amp;</table>");
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_axis(low in -1e9_f64..1e9, span in 0.0_f64..1e9, value in prop::num::f64::ANY, most in 0_usize..12) {
            for scale in [Axis::linear(low, low + span, 10.0, 90.0), Axis::log(low, low + span, 90.0, 10.0)] {
                let at = scale.at(value);
                prop_assert!(value.is_nan() || (10.0..=90.0).contains(&at), "{} at {}", value, at);
                prop_assert!(scale.ticks(most).len() <= 60);
            }
        }
    }
}
