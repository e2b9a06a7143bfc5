//! The picture of a verdict, a row of it: how far the change is past its limit, and what is plausible.
//!
//! Every row is drawn in its own limit: 0 is the baseline, 1 the limit, to the right is worse, whatever the metric. So the
//! limit is one line through all rows, and rows that stand worst first go from right to left.

use crate::report::Row;
use crate::verdict::Status;

use super::{Axis, Path, Svg};

/// Where the axis begins and ends, in limits. The page's CSS shades from 1 on.
const ENDS: (f64, f64) = (-2.0, 4.0);
const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 20.0;
/// Room for a mark at the ends.
const EDGE: f64 = 8.0;

/// Dot and interval of a row; `None` where nothing was judged, or there is no limit to draw it against.
pub fn cell(row: &Row) -> Option<String> {
    if matches!(row.status, Status::NotMeasured | Status::Info) {
        return None;
    }
    let (baseline, current) = row.baseline.zip(row.current)?;
    let room = row.boundary.map(|boundary| boundary - baseline).filter(|room| *room != 0.0)?;
    let axis = axis();
    let middle = HEIGHT / 2.0;
    let mut svg = Svg::bare();
    if let Some([one, other]) = interval(row, baseline) {
        let (from, to) = (axis.at(one / room), axis.at(other / room));
        let mut bar = Path::default();
        bar.segment((from.min(to), middle), (from.max(to), middle));
        svg.path("ci", &bar);
    }
    let size = (current - baseline) / room;
    let mark = match row.status {
        _ if size > ENDS.1 => "past",
        Status::Fail => "fail",
        Status::Warn => "warn",
        Status::Inconclusive => "unsure",
        Status::Improved => "better",
        Status::Accepted => "accepted",
        _ => "same",
    };
    svg.mark(mark, (axis.at(size), middle));
    Some(svg.finish())
}

/// The labels above the rows.
pub fn head() -> String {
    let axis = axis();
    let mut svg = Svg::bare();
    svg.text("lab start", (0.0, 14.0), "better");
    svg.text("lab mid", (axis.at(0.0), 14.0), "0");
    svg.text("lab mid", (axis.at(1.0), 14.0), "limit");
    svg.text("lab end", (WIDTH, 14.0), "worse");
    svg.finish()
}

fn axis() -> Axis {
    Axis::linear(ENDS.0, ENDS.1, EDGE, WIDTH - EDGE)
}

/// The plausible changes in the metric's unit: evidence speaks of shares, for rates of differences.
fn interval(row: &Row, baseline: f64) -> Option<[f64; 2]> {
    let ends = row.evidence.as_ref()?.interval?;
    let rate = row.unit == Some(crate::run::metric::Unit::Ratio);
    Some(ends.map(|end| if rate { end } else { end * baseline }))
}
