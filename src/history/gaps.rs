//! Runs that should have been and were not: a schedule that stopped is seen by nobody else.

use jiff::Timestamp;

/// Fewest runs that show a rhythm.
const LEAST: usize = 4;
/// An interval within this share of the usual one is on time: schedules are hours late on busy days.
const SLACK: f64 = 0.25;
/// Shorter rhythms are pushes, not a schedule.
const SHORTEST_S: f64 = 3_600.0;

/// A stretch of time without the runs that the rhythm promises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The last run before it.
    pub after: Timestamp,
    /// The first run after it, or the present.
    pub before: Timestamp,
    /// How many runs are missing.
    pub missed: usize,
    /// The usual time from one run to the next, in days.
    pub every_days: f64,
}

impl Gap {
    /// `2 runs are missing between 2026-03-01 and 2026-03-22 (usually one every 7 days)`
    pub fn text(&self) -> String {
        let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
        let what = if self.missed == 1 { "1 run is".to_owned() } else { format!("{} runs are", self.missed) };
        let rhythm = if self.every_days < 1.5 {
            format!("{:.0} hours", self.every_days * 24.0)
        } else {
            format!("{:.0} days", self.every_days)
        };
        format!("{what} missing between {} and {} (usually one every {rhythm})", day(self.after), day(self.before))
    }
}

/// Where runs are missing, oldest gap first. Nothing is said of runs without a rhythm: at least half of the intervals must
/// be near the middle one.
pub fn gaps(times: &[Timestamp], now: Timestamp) -> Vec<Gap> {
    let Some(every) = rhythm(times) else { return Vec::new() };
    let ends = times.iter().copied().skip(1).chain([now]);
    times
        .iter()
        .copied()
        .zip(ends)
        .filter_map(|(after, before)| {
            // Up to one interval may pass before the next run, and a little more before it is late.
            let missed = ((seconds(after, before) / every - SLACK).ceil() - 1.0).max(0.0) as usize;
            (missed > 0).then_some(Gap { after, before, missed, every_days: every / 86_400.0 })
        })
        .collect()
}

/// The usual time between two runs in seconds.
fn rhythm(times: &[Timestamp]) -> Option<f64> {
    if times.len() < LEAST {
        return None;
    }
    let mut intervals: Vec<f64> =
        times.iter().zip(times.iter().skip(1)).map(|(one, next)| seconds(*one, *next)).collect();
    let every = crate::compare::stats::median(&mut intervals)?;
    let near = intervals.iter().filter(|interval| (*interval - every).abs() <= SLACK * every).count();
    (every >= SHORTEST_S && 2 * near >= intervals.len()).then_some(every)
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(1_767_492_000 + day * 86_400).unwrap()
    }

    #[test]
    fn missed_weeks_are_counted() {
        let times: Vec<Timestamp> = [0, 7, 14, 35, 42].into_iter().map(day).collect();
        let found = gaps(&times, day(50));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text(), "2 runs are missing between 2026-01-18 and 2026-02-08 (usually one every 7 days)");
        let silent = gaps(&times, day(60));
        assert_eq!((silent.len(), silent[1].missed), (2, 2));
    }

    #[test]
    fn without_a_rhythm_nothing_is_missing() {
        let at = |hours: &[i64]| {
            hours.iter().map(|hour| day(0) + jiff::SignedDuration::from_hours(*hour)).collect::<Vec<_>>()
        };
        assert!(gaps(&at(&[0, 30, 31, 90, 200, 201, 500]), day(60)).is_empty());
        assert!(gaps(&at(&[0, 168, 336]), day(90)).is_empty(), "three runs show no rhythm");
        assert!(gaps(&[], day(1)).is_empty());
    }
}
