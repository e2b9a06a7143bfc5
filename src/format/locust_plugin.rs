//! What loadgate's own plug-in for Locust writes during `loadgate run`: one NDJSON file per process.
//!
//! It is the whole account of a run, so the CSVs beside it are not read. Requests belong to the second in which they began;
//! a plan of stages says which seconds are judged, and with several stages each is a set of endpoints of its own. Ramps
//! and warm-ups are in the file and not in the run. A file without its last line is that of a process which was killed.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use serde::{Deserialize, Serialize};

use super::{Confidence, Format, Gives, ParseError, Part, Source};
use crate::run::recorder::{Recorder, Samples};
use crate::run::timeline::Stage;
use crate::run::{CUT_SHORT, Notice, SATURATED};

pub(super) static EVENTS: Format = Format {
    id: "locust-loadgate",
    tool: "Locust",
    title: "events of `loadgate run` (`NAME_events_PID.ndjson`)",
    versions: "2.47",
    gives: Gives { percentiles: "any (from samples)", failures: true, users: true, time: true },
    part: Part::Account { suffix: "_events" },
    sniff: |head| Confidence::certain_if(head.text.trim_start().starts_with(MARK)),
    parse,
};

/// How every file begins.
const MARK: &str = r#"{"schema":"loadgate.locust/1""#;
/// Longest line that is read, in bytes: one second of a process with thousands of endpoints.
const MAX_LINE: u64 = 64 << 20;
/// A generator process that needs more of a core than this measures itself.
const BUSY: f64 = 0.9;
/// For so many seconds in a row, so that one late second is not an alarm.
const BUSY_SECONDS: usize = 5;
/// Seconds by which a stop may come before the planned end: clocks of processes start one after the other.
const EARLY_S: f64 = 1.0;

/// The load that a run was asked for, as it is handed to the plug-in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Where files go and how their names begin.
    pub prefix: String,
    /// Name of the profile.
    pub profile: Option<String>,
    /// `2/4`, if this is one of several shards.
    pub shard: Option<String>,
    /// In order, without gaps.
    pub stages: Vec<Leg>,
}

/// One stage of a [`Course`]. Times are whole seconds from the start of the test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// Appended to the names of endpoints; `None` where there is only one stage.
    pub name: Option<String>,
    /// Users of all shards together.
    pub users: u32,
    /// Users of this one.
    pub own_users: u32,
    /// Its begin.
    pub begin: u32,
    /// Seconds until all users are there.
    pub ramp: u32,
    /// From here on it is judged.
    pub from: u32,
    /// Its end.
    pub end: u32,
}

impl Course {
    /// Seconds from the start to the planned end.
    pub fn seconds(&self) -> u32 {
        self.stages.last().map_or(0, |leg| leg.end)
    }
}

/// One line of a file; which fields are there depends on `event`, and the first line has none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Line {
    /// Of the first line.
    pub schema: Option<String>,
    /// `local`, `master` or `worker`.
    pub role: String,
    /// Locust's version.
    pub locust: Option<String>,
    /// Facts about the generator's machine.
    pub host: BTreeMap<String, String>,
    /// What was asked for.
    pub plan: Course,
    /// `second`, `worker` (a second of a remote worker), `exception`, `end`, `stopped`.
    pub event: String,
    /// When the test began, in seconds since the epoch.
    pub started: Option<f64>,
    /// Seconds since the test began.
    pub at: f64,
    /// Users now.
    pub users: f64,
    /// Share of one core that the process used or waited for.
    pub cpu: f64,
    /// Requests that ended in this second.
    pub rows: Vec<Row>,
    /// Text of an exception, or why loadgate stopped the run.
    pub message: String,
    /// How many exceptions there were.
    pub exceptions: u64,
}

/// Requests of one endpoint that began in one second.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Since the test began.
    pub second: u32,
    /// Request type.
    pub method: String,
    /// Name.
    pub name: String,
    /// How many.
    pub requests: u64,
    /// Failed ones, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Latency in microseconds, rounded to three digits, and how often.
    pub micros: Vec<(u64, u64)>,
}

impl Row {
    /// Failed requests.
    pub fn failures(&self) -> u64 {
        self.errors.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// One line of text; `None` if it is no line of such a file, as the last one of a killed process is not.
pub fn line(text: &str) -> Option<Line> {
    serde_json::from_str(text).ok()
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let mut account = Account::default();
    let mut text = String::new();
    let mut number = 0;
    let mut has_begun = false;
    loop {
        text.clear();
        number += 1;
        if (&mut *source.reader).take(MAX_LINE).read_line(&mut text)? == 0 {
            break;
        }
        match line(&text) {
            Some(line) if !has_begun => {
                account.begin(line, recorder);
                has_begun = true;
            }
            Some(line) => account.add(line, recorder),
            None if text.trim().is_empty() => {}
            None if !has_begun => return Err(ParseError::new("not the header of a loadgate run").at_line(number)),
            // The killed process's torn last line; loadgate's own word may follow it.
            None if !text.ends_with('\n') => {}
            None => recorder.bad_row(number, "not a line of a loadgate run"),
        }
    }
    account.finish(recorder);
    Ok(())
}

/// What one file tells, until it is known where it ends.
#[derive(Debug, Default)]
struct Account {
    role: String,
    plan: Course,
    started_s: Option<f64>,
    last: f64,
    ended: bool,
    stopped: Option<String>,
    busy: usize,
    saturated: bool,
    exceptions: u64,
    /// By stage, method and name.
    found: BTreeMap<(usize, String, String), Found>,
}

/// What one endpoint did in one stage.
#[derive(Debug)]
struct Found {
    samples: Samples,
    errors: BTreeMap<String, u64>,
}

impl Account {
    fn begin(&mut self, header: Line, recorder: &mut Recorder) {
        recorder.tool("Locust");
        if let Some(version) = &header.locust {
            recorder.tool_version(version);
        }
        for (key, value) in &header.host {
            recorder.environment(key, value);
        }
        if let Some(profile) = &header.plan.profile {
            recorder.profile(profile);
        }
        if let Some(shard) = header.plan.shard.as_deref().and_then(crate::run::Shards::parse) {
            recorder.shard(shard);
        }
        recorder.good_row();
        self.role = header.role;
        self.plan = header.plan;
    }

    fn add(&mut self, line: Line, recorder: &mut Recorder) {
        recorder.good_row();
        match line.event.as_str() {
            "second" => {
                self.started_s = self.started_s.or(line.started);
                self.last = self.last.max(line.at);
                self.note_cpu(line.cpu, line.at);
            }
            "worker" => self.note_cpu(line.cpu, self.last),
            "end" => {
                self.ended = line.at + EARLY_S >= f64::from(self.plan.seconds());
                self.last = line.at;
                self.exceptions = line.exceptions;
            }
            "stopped" => self.stopped = Some(line.message),
            _ => {}
        }
        let started_s = self.started_s;
        let at_ms = |second: f64| started_s.map(|started_s| ((started_s + second) * 1e3) as i64);
        if line.event == "second"
            && self.role != "worker"
            && let Some(at) = at_ms(line.at)
        {
            recorder.timeline().users(at, line.users);
        }
        for row in line.rows {
            if let Some(at) = at_ms(f64::from(row.second)) {
                let latencies = row.micros.iter().map(|(micros, times)| (micros.saturating_mul(1_000), *times));
                recorder.timeline().add_many(at, row.requests, row.failures().min(row.requests), latencies);
            }
            self.count(row);
        }
    }

    /// Locust reports a worker's CPU every few seconds, ours every second; only judged seconds matter.
    fn note_cpu(&mut self, cpu: f64, at: f64) {
        let judged = self.plan.stages.iter().any(|leg| at > f64::from(leg.from) && at <= f64::from(leg.end));
        self.busy = if judged && cpu > BUSY { self.busy + 1 } else { 0 };
        self.saturated |= self.busy >= BUSY_SECONDS;
    }

    fn count(&mut self, row: Row) {
        let judged = |leg: &Leg| (leg.from..leg.end).contains(&row.second);
        let Some(stage) = self.plan.stages.iter().position(judged) else { return };
        let failures = row.failures();
        let new = || Found { samples: Samples::new(), errors: BTreeMap::new() };
        let Found { samples, errors } = self.found.entry((stage, row.method, row.name)).or_insert_with(new);
        samples.requests = samples.requests.saturating_add(row.requests);
        samples.failures = samples.failures.map(|sum| sum.saturating_add(failures));
        for (micros, times) in row.micros {
            samples.latency.record_many(micros.saturating_mul(1_000), times);
        }
        for (message, count) in row.errors {
            let sum = errors.entry(message).or_default();
            *sum = sum.saturating_add(count);
        }
    }

    /// Seconds of a stage that were measured.
    fn measured(&self, leg: &Leg) -> f64 {
        self.last.min(f64::from(leg.end)) - f64::from(leg.from)
    }

    fn finish(self, recorder: &mut Recorder) {
        recorder.sample_step(0.0);
        self.say_how_it_ended(recorder);
        let several = self.plan.stages.len() > 1;
        if let Some(started_s) = self.started_s.filter(|started_s| started_s.is_finite()) {
            let at = |second: u32| started_s as i64 + i64::from(second);
            for leg in &self.plan.stages {
                let name = leg.name.clone().unwrap_or_default();
                recorder.timeline().stage(Stage { name, begin: at(leg.begin), from: at(leg.from), end: at(leg.end) });
            }
        }
        let seen = |leg: &&Leg| self.measured(leg) > 0.0;
        if let (Some(first), Some(last)) = (self.plan.stages.first(), self.plan.stages.iter().rev().find(seen)) {
            let (from, end) = (f64::from(first.from), self.last.min(f64::from(last.end)));
            recorder.duration_s(end - from);
            if let Some(started_s) = self.started_s {
                recorder.spans((started_s + from) * 1e3, (started_s + end) * 1e3);
            }
            recorder.users(self.plan.stages.iter().filter(seen).map(|leg| f64::from(leg.own_users)).fold(0.0, f64::max));
        }
        let whole: f64 = self.plan.stages.iter().filter(seen).map(|leg| self.measured(leg)).sum();
        for ((stage, method, name), Found { samples, errors }) in &self.found {
            let leg = self.plan.stages.get(*stage);
            let name = match leg.and_then(|leg| leg.name.as_ref()) {
                Some(stage) => format!("{name} {stage}"),
                None => name.clone(),
            };
            let draft = recorder.endpoint(Some(method), &name);
            draft.samples().merge(samples);
            if several && let Some(leg) = leg {
                draft.window_s(self.measured(leg));
            }
            for (message, count) in errors {
                draft.error(message, *count);
            }
            let total = recorder.total();
            total.samples().merge(samples);
            if several {
                total.window_s(whole);
            }
        }
    }

    fn say_how_it_ended(&self, recorder: &mut Recorder) {
        recorder.complete(self.ended);
        // Workers follow the master: one sentence is enough, unless only the worker was lost.
        if !self.ended {
            let why = self.stopped.clone().unwrap_or_else(|| match self.role.as_str() {
                "worker" => "a worker process ended early".to_owned(),
                _ => "Locust ended early".to_owned(),
            });
            let message =
                format!("cut short after {} of {}: {why}", clock(self.last), clock(f64::from(self.plan.seconds())));
            recorder.notice(Notice::new(CUT_SHORT, message));
        }
        if self.saturated {
            let message = format!(
                "the load generator was saturated: a Locust process needed more than {:.0} % of a core for {BUSY_SECONDS} s and \
                 more; spread it with `--processes` where cores are free, or lower the load",
                BUSY * 100.0
            );
            recorder.notice(Notice::new(SATURATED, message));
        }
        if self.exceptions > 0 {
            let message =
                format!("the load test's own code raised {} exceptions; these are no failed requests", self.exceptions);
            recorder.notice(Notice::new("user_exceptions", message));
        }
    }
}

/// `3:10` of seconds.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Run;
    use crate::run::metric::Metric;

    const HEADER: &str = r#"{"schema":"loadgate.locust/1","role":"local","locust":"2.47.0","host":{"cpu":"x"},"plan":{"prefix":"p","profile":"steps","shard":"2/4","stages":[{"name":"at 10 users","users":10,"own_users":3,"begin":0,"ramp":2,"from":2,"end":4},{"name":"at 20 users","users":20,"own_users":5,"begin":4,"ramp":1,"from":5,"end":8}]}}"#;

    fn second(at: u32) -> String {
        format!(
            r#"{{"event":"second","started":1767492000.0,"at":{at}.5,"users":3,"cpu":0.1,"rows":[{{"second":{at},"method":"GET","name":"/a","requests":10,"errors":{{"boom":1}},"micros":[[50000,10]]}}]}}"#
        )
    }

    fn read(lines: &[String]) -> Run {
        let text = lines.join("\n");
        let mut recorder = Recorder::new();
        parse(&mut Source { name: "p_events_1.ndjson", reader: &mut text.as_bytes(), blocks: None }, &mut recorder).unwrap();
        recorder.finish().unwrap()
    }

    #[test]
    fn each_hold_is_a_stage_of_its_own_and_ramps_are_left_out() {
        let mut lines = vec![HEADER.to_owned()];
        lines.extend((0..8).map(second));
        lines.push(r#"{"event":"end","at":8.2,"exceptions":0}"#.to_owned());
        let run = read(&lines);
        let ten = run.endpoint("GET /a at 10 users").unwrap();
        assert_eq!((ten.requests, ten.failures, ten.window_s), (Some(20), Some(2), Some(2.0)));
        assert_eq!((ten.value(&Metric::Throughput), ten.value(&Metric::LatencyP50)), (Some(10.0), Some(50.0)));
        assert_eq!(run.endpoint("GET /a at 20 users").unwrap().requests, Some(30));
        assert_eq!(run.total.as_ref().unwrap().value(&Metric::Throughput), Some(10.0));
        assert_eq!((run.complete, run.load.users, run.duration_s), (Some(true), Some(5.0), Some(6.0)));
        assert_eq!(run.shards, crate::run::Shards::one(2, 4));
        assert_eq!(run.environment["cpu"], "x");
        assert_eq!(run.notices, []);
    }

    #[test]
    fn a_killed_process_leaves_a_run_that_was_cut_short() {
        let mut lines = vec![HEADER.to_owned()];
        lines.extend((0..4).map(second));
        lines.push(r#"{"event":"second","started":17674"#.to_owned());
        let run = read(&lines);
        assert_eq!((run.complete, run.endpoints.len()), (Some(false), 1));
        assert_eq!(run.notices[0].message, "cut short after 0:03 of 0:08: Locust ended early");
    }

    #[test]
    fn a_busy_generator_is_told() {
        let long = HEADER.replace("\"end\":8", "\"end\":30");
        let mut lines = vec![long];
        lines.extend((0..20).map(|at| second(at).replace("0.1", "0.95")));
        assert!(read(&lines).notices.iter().any(|notice| notice.code == SATURATED));
    }
}
