//! What happened within a run: latency, requests per second, errors and users on one axis of time.

use crate::run::display::{Scale, count, duration, value};
use crate::run::metric::Unit;
use crate::run::timeline::{Slice, Timeline};

use super::{Axis, Chart, LETTER, Path, Plot, Svg, label_lines, range, stops, table};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 38.0;
const TITLE: f64 = 20.0;
/// Room for the names of stages above all strips, where no line can cross them.
const NAMES: f64 = 18.0;
const GAP: f64 = 12.0;
const BOTTOM: f64 = 28.0;
/// Heights of the strips: latency, then each of the others.
const TALL: f64 = 130.0;
const LOW: f64 = 52.0;

/// A strip of the picture: one quantity over time.
struct Strip<'a> {
    title: &'a str,
    lines: Vec<(&'a str, Vec<Option<f64>>)>,
    unit: Unit,
}

/// The run over time; `None` if nothing is known of it.
pub fn course(timeline: &Timeline) -> Option<Chart> {
    let slices: Vec<&Slice> = timeline.slices().collect();
    if !timeline.has_course() || slices.iter().all(|slice| slice.requests == 0) {
        return None;
    }
    let width = timeline.width_s();
    let percentile = |at: usize| -> Vec<Option<f64>> {
        slices.iter().map(|slice| slice.percentiles().and_then(|both| both.get(at).copied())).collect()
    };
    let (p50, p95) = (percentile(0), percentile(1));
    let users: Vec<Option<f64>> = slices.iter().map(|slice| slice.users).collect();
    // The first and the last slice with requests are seldom whole: their requests per second would seem to drop.
    let first = slices.iter().position(|slice| slice.requests > 0);
    let last = slices.iter().rposition(|slice| slice.requests > 0);
    let whole = first.unwrap_or_default() + 1..last.unwrap_or_default();
    let rates: Vec<Option<f64>> = slices
        .iter()
        .enumerate()
        .map(|(at, slice)| whole.contains(&at).then(|| slice.requests as f64 / width))
        .collect();
    let errors: Vec<Option<f64>> = slices
        .iter()
        .map(|slice| slice.failures.filter(|_| slice.requests > 0).map(|failed| failed as f64 / slice.requests as f64))
        .collect();
    let known = |values: &[Option<f64>]| values.iter().flatten().count() > 0;
    let strips: Vec<Strip<'_>> = [
        Strip {
            title: "latency p50 and p95",
            lines: vec![("s p50", p50.clone()), ("s p95", p95.clone())],
            unit: Unit::Milliseconds,
        },
        Strip { title: "requests per second", lines: vec![("s rate", rates)], unit: Unit::PerSecond },
        Strip { title: "error rate", lines: vec![("s err", errors.clone())], unit: Unit::Ratio },
        Strip { title: "users", lines: vec![("s users", users.clone())], unit: Unit::Number },
    ]
    .into_iter()
    .filter(|strip| strip.lines.iter().any(|(_, values)| known(values)))
    .collect();
    let heights = strips.iter().map(|strip| TITLE + height(strip) + GAP).sum::<f64>();
    let seconds = width * slices.len() as f64;
    let title = format!("{} in slices of {}", duration(seconds), duration(width));
    let summary = format!("{title}.");
    let named = timeline.stages().any(|(name, _)| !name.is_empty());
    let mut top = if named { NAMES } else { 0.0 };
    let mut svg = Svg::new(WIDTH, top + heights + BOTTOM, &title, &summary);
    let x = Axis::linear(0.0, seconds, LEFT, WIDTH - RIGHT);
    let mut last = None;
    let shaded = shaded(timeline);
    for strip in &strips {
        let plot = strip.draw(&mut svg, x, top, width, &shaded);
        if last.is_none() {
            name_stages(&mut svg, &plot, timeline, seconds);
        }
        top += TITLE + height(strip) + GAP;
        last = Some(plot);
    }
    if let Some(plot) = last {
        let step = time_step(seconds);
        let ticks = (0..).map(|at| f64::from(at) * step).take_while(|second| *second <= seconds);
        let labels: Vec<(f64, String)> = ticks.map(|second| (x.at(second), clock(second))).collect();
        plot.below(&mut svg, &labels);
    }
    let middle = |at: usize| x.at((at as f64 + 0.5) * width);
    Some(Chart {
        title,
        summary,
        svg: svg.finish(),
        table: figures(&slices, width, &errors),
        rows: slices.len(),
        stops: stops((0..slices.len()).map(middle)),
    })
}

fn height(strip: &Strip<'_>) -> f64 {
    if strip.unit == Unit::Milliseconds { TALL } else { LOW }
}

impl Strip<'_> {
    fn draw(&self, svg: &mut Svg, x: Axis, top: f64, width: f64, shaded: &[(f64, f64)]) -> Plot {
        let (low, high) = range(self.lines.iter().flat_map(|(_, values)| values.iter().flatten().copied()))
            .map_or((0.0, 1.0), |(low, high)| (low, if high > 0.0 { high * 1.05 } else { 0.01 }));
        // Latency that differs by much is drawn by its ratio; everything else starts at zero.
        let (from, to) = (top + TITLE + height(self), top + TITLE);
        let wide = self.unit == Unit::Milliseconds && low > 0.0 && high / low > 8.0;
        let y = if wide { Axis::log(low * 0.9, high, from, to) } else { Axis::linear(0.0, high, from, to) };
        let plot = Plot { x, y };
        for (from, to) in shaded {
            plot.shade(svg, "ramp", *from, *to);
        }
        let scale = Scale::of(self.unit, high);
        plot.grid(svg, &y.ticks(if self.unit == Unit::Milliseconds { 5 } else { 2 }), |tick| scale.text(tick));
        svg.text("cap", (LEFT, top + 14.0), self.title);
        let mut names = Vec::new();
        for (class, values) in &self.lines {
            let points = values.iter().enumerate();
            plot.line(svg, class, points.map(|(at, value)| value.map(|value| ((at as f64 + 0.5) * width, value))));
            if *class == "s p50" || *class == "s p95" {
                let end = values.iter().enumerate().rev().find_map(|(at, value)| value.map(|value| (at, value)));
                let end = end.map(|(at, value)| plot.at(((at as f64 + 0.5) * width, value)));
                names.extend(end.zip(Some(class.trim_start_matches("s "))));
            }
        }
        label_lines(svg, names);
        plot
    }
}

/// What is shaded, in seconds: what the plan leaves out, or else where the number of users changes, unless it does so most of
/// the time.
fn shaded(timeline: &Timeline) -> Vec<(f64, f64)> {
    let seconds = timeline.width_s() * timeline.slices().len() as f64;
    let inside = |second: f64| second.clamp(0.0, seconds);
    let planned: Vec<(f64, f64)> =
        timeline.stages().map(|(_, [begin, from, _])| (inside(begin), inside(from))).filter(|(a, b)| a < b).collect();
    if timeline.stages().next().is_some() {
        return planned;
    }
    let users: Vec<Option<f64>> = timeline.slices().map(|slice| slice.users).collect();
    let ramps = ramps(&users);
    let width = if ramps.iter().map(|(from, to)| to - from).sum::<usize>() * 2 > users.len() {
        0.0
    } else {
        timeline.width_s()
    };
    ramps.into_iter().map(|(from, to)| (from as f64 * width, to as f64 * width)).filter(|(a, b)| a < b).collect()
}

/// What is shaded, in words.
pub fn shading(timeline: &Timeline) -> &'static str {
    if shaded(timeline).is_empty() {
        ""
    } else if timeline.stages().next().is_some() {
        "shaded: ramp and warm-up, not judged"
    } else {
        "shaded: the number of users changes"
    }
}

/// The name of each stage over its judged part, and where it begins.
fn name_stages(svg: &mut Svg, plot: &Plot, timeline: &Timeline, seconds: f64) {
    for (name, [begin, from, end]) in
        timeline.stages().filter(|(name, [_, from, _])| !name.is_empty() && *from < seconds)
    {
        let (left, right) = (plot.x.at(from.max(0.0)), plot.x.at(end.min(seconds)));
        if right - left >= name.chars().count() as f64 * LETTER {
            svg.text("lab mid", (f64::midpoint(left, right), NAMES - 5.0), name);
        }
        let mut line = Path::default();
        let x = plot.x.at(begin.max(0.0));
        line.segment((x, plot.y.to), (x, plot.y.from));
        svg.path("cut", &line);
    }
}

/// Where the number of users changes: stretches of slices, from and to. A slice knows the most users it had. Steps that follow
/// each other within a twentieth of the time are one ramp.
fn ramps(users: &[Option<f64>]) -> Vec<(usize, usize)> {
    let rest = users.len() / 20;
    let mut ramps: Vec<(usize, usize)> = Vec::new();
    for (at, pair) in users.windows(2).enumerate() {
        let &[Some(before), Some(now)] = pair else { continue };
        if before == now {
            continue;
        }
        match ramps.last_mut() {
            Some(last) if last.1 + rest > at => last.1 = at + 2,
            _ => ramps.push((if at == 0 { 0 } else { at + 1 }, at + 2)),
        }
    }
    ramps
}

fn figures(slices: &[&Slice], width: f64, errors: &[Option<f64>]) -> String {
    let text = |value_of: Option<f64>, unit| value_of.map_or_else(|| "–".to_owned(), |found| value(found, unit));
    let rows = slices.iter().zip(errors).enumerate().map(|(at, (slice, errors))| {
        let [p50, p95] = slice.percentiles().map_or([None, None], |both| both.map(Some));
        [
            clock(at as f64 * width),
            count(slice.requests),
            text(p50, Unit::Milliseconds),
            text(p95, Unit::Milliseconds),
            text(*errors, Unit::Ratio),
            text(slice.users, Unit::Number),
        ]
    });
    table(["from", "requests", "p50", "p95", "errors", "users"], rows)
}

/// `0:05`
fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    if whole >= 3_600 {
        return format!("{}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60);
    }
    format!("{}:{:02}", whole / 60, whole % 60)
}

/// A round time between labels, at most about nine of them.
fn time_step(seconds: f64) -> f64 {
    let steps =
        [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0];
    steps
        .into_iter()
        .find(|step| seconds / step <= 9.0)
        .unwrap_or((seconds / 86_400.0 / 8.0).ceil().max(1.0) * 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::timeline::Stage;

    #[test]
    fn ramps_are_where_users_change() {
        let users = [1.0, 5.0, 10.0, 10.0, 10.0, 30.0, 50.0, 50.0].map(Some);
        assert_eq!(ramps(&users), [(0, 3), (5, 7)]);
        assert!(ramps(&[Some(5.0), Some(5.0), None]).is_empty());
        // One more user every third slice, and then ten for long.
        let slow: Vec<Option<f64>> = (0..80).map(|at| Some(f64::from(at / 3).min(9.0))).collect();
        assert_eq!(ramps(&slow), [(3, 28)]);
    }

    /// Ten seconds of users; requests in each.
    fn loaded(users: impl Fn(i64) -> f64) -> Timeline {
        let mut timeline = Timeline::default();
        for second in 0..10 {
            timeline.users(second * 1_000, users(second));
            timeline.add(second * 1_000, Some(5_000_000), Some(true));
        }
        timeline
    }

    /// Left and right edges of what is shaded in the first strip, as seconds of a course of ten.
    fn shades(svg: &str) -> Vec<(f64, f64)> {
        let second = |x: f64| ((x - LEFT) / (WIDTH - LEFT - RIGHT) * 10.0).round();
        // `Mx yhWIDTHv…`
        let edges = |path: &str| {
            let (x, rest) = path.split_once(' ').unwrap();
            let width = rest.split_once('h').unwrap().1.split_once('v').unwrap().0;
            let x: f64 = x.parse().unwrap();
            (second(x), second(x + width.parse::<f64>().unwrap()))
        };
        let all: Vec<(f64, f64)> = svg.split("class=\"ramp\" d=\"M").skip(1).map(edges).collect();
        let strips = svg.matches("class=\"cap\"").count();
        assert_eq!(all.len() % strips, 0, "every strip is shaded alike");
        all[..all.len() / strips].to_vec()
    }

    #[test]
    fn stages_are_named_and_what_they_leave_out_is_shaded() {
        let mut timeline = loaded(|second| if second < 5 { 10.0 } else { 50.0 });
        let stage = |name: &str, begin, from, end| Stage { name: name.to_owned(), begin, from, end };
        timeline.stage(stage("at 10", 0, 1, 5));
        timeline.stage(stage("at 50", 5, 7, 10));
        let svg = course(&timeline).unwrap().svg;
        assert_eq!(shades(&svg), [(0.0, 1.0), (5.0, 7.0)]);
        assert!(svg.contains(">at 10<") && svg.contains(">at 50<"), "{svg}");
        assert_eq!(svg.matches("class=\"cut\"").count(), 2);
        assert_eq!(shading(&timeline), "shaded: ramp and warm-up, not judged");
    }

    #[test]
    fn without_a_plan_changes_of_users_are_shaded_unless_there_is_nothing_else() {
        let steps = loaded(|second| if second < 5 { 10.0 } else { 50.0 });
        assert_eq!(shades(&course(&steps).unwrap().svg), [(5.0, 6.0)]);
        assert_eq!(shading(&steps), "shaded: the number of users changes");
        let noise = loaded(|second| second as f64 % 3.0);
        assert_eq!(shades(&course(&noise).unwrap().svg), []);
        assert_eq!(shading(&noise), "");
    }

    #[test]
    fn a_run_without_requests_has_no_course() {
        let mut timeline = Timeline::default();
        timeline.users(1_000_000, 3.0);
        timeline.users(1_009_000, 3.0);
        assert_eq!(course(&timeline), None);
        timeline.add(1_003_000, Some(5_000_000), Some(true));
        let chart = course(&timeline).unwrap();
        assert_eq!(chart.rows, 10);
        assert_eq!(chart.stops.split(' ').count(), 10);
        let rows: Vec<&str> = chart.table.split("<tr>").skip(2).collect();
        assert_eq!(rows.len(), 10);
        let cells: Vec<&str> = rows[3].split("<td>").skip(1).collect();
        let [from, requests, p50, p95, _, users] = cells[..] else { panic!("{cells:?}") };
        assert_eq!((from, requests, users), ("0:03", "1", "–"));
        assert!(p50.starts_with("5.") && p50 == p95, "{cells:?}");
    }
}
