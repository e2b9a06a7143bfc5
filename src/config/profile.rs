//! Load profiles: how many users, for how long.

use std::time::Duration;

use super::error::{Complaint, ConfigError, choice, shown};
use super::read::At;
use super::value::{self, Read};
use super::wire;
use crate::run::metric::Metric;

/// The profiles that come with loadgate (SPEC section 8); the config may give them another meaning.
pub const BUILT_IN: [&str; 2] = ["baseline", "progressive"];

/// A named load.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The load.
    pub shape: Shape,
    /// Time at the start that is not judged.
    pub warm_up: Duration,
    /// What ends it early.
    pub abort_on: Option<Abort>,
}

impl Profile {
    /// A profile that comes with loadgate.
    pub fn built_in(name: &str) -> Option<Self> {
        let [baseline, progressive] = BUILT_IN;
        let seconds = Duration::from_secs;
        let stage = |users, ramp, hold| Stage { users, ramp: seconds(ramp), hold: seconds(hold) };
        let (shape, warm_up) = if name == baseline {
            (Shape::Constant { users: 1, spawn_rate: None, duration: seconds(120) }, 15)
        } else if name == progressive {
            (Shape::Stages(vec![stage(10, 10, 170), stage(50, 60, 240), stage(100, 60, 360)]), 0)
        } else {
            return None;
        };
        Some(Self { name: name.to_owned(), shape, warm_up: seconds(warm_up), abort_on: None })
    }
}

/// What ends a run early: a metric over a limit, for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Abort {
    /// Error rate or a latency.
    pub metric: Metric,
    /// More than this, in the metric's unit.
    pub over: f64,
    /// Over this time.
    pub length: Duration,
}

/// `error_rate > 50% for 30s`
fn abort(text: &str) -> Read<Abort> {
    let wrong = || {
        let message = format!("expected a condition such as `error_rate > 50% for 30s`, found {}", shown(text));
        Complaint::new(message, "error_rate or a latency, `>`, a value, `for` and a length of time")
    };
    let (metric, rest) = text.split_once('>').ok_or_else(wrong)?;
    let (over, length) = rest.split_once(" for ").ok_or_else(wrong)?;
    let metric = value::metric(metric.trim())?;
    if metric != Metric::ErrorRate && metric != Metric::LatencyMean && metric.quantile().is_none() {
        return Err(wrong());
    }
    Ok(Abort { over: value::budget(over, &metric)?, length: value::duration(length.trim())?, metric })
}

/// How the load runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// The same number of users all the time.
    Constant {
        /// Concurrent users.
        users: u32,
        /// Users started per second; `None`: all at once.
        spawn_rate: Option<f64>,
        /// From the first user to the last request.
        duration: Duration,
    },
    /// One level after the other.
    Stages(Vec<Stage>),
}

/// One level of load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Concurrent users.
    pub users: u32,
    /// Time to get there from the level before; not judged.
    pub ramp: Duration,
    /// Time at this level; judged by itself.
    pub hold: Duration,
}

/// The profiles of the file.
pub(super) fn profiles(entries: Option<wire::Entries<wire::Profile>>, file: &str) -> Result<Vec<Profile>, ConfigError> {
    let mut profiles = Vec::new();
    for (name, profile) in entries.map(|entries| entries.0).unwrap_or_default() {
        let at = At::new(file, format!("profiles.{name}"));
        let name = at.read(&wire::Text { value: name, place: profile.place }, plain_name)?;
        let shape = match (&profile.value.stages, &profile.value) {
            (None, wire::Profile { users: Some(users), duration: Some(duration), spawn_rate, .. }) => Shape::Constant {
                users: at.key("users").read(users, |text| value::count(text, 1))?,
                spawn_rate: at.key("spawn_rate").maybe(spawn_rate.as_ref(), value::rate)?,
                duration: at.key("duration").read(duration, value::duration)?,
            },
            (Some(stages), wire::Profile { users: None, duration: None, spawn_rate: None, .. })
                if !stages.is_empty() =>
            {
                Shape::Stages(
                    stages.iter().enumerate().map(|(index, one)| stage(one, &at, index)).collect::<Result<_, _>>()?,
                )
            }
            _ => {
                let message = "expected `users` and `duration`, or `stages` alone";
                let hint = "write `{ users: 5, spawn_rate: 5, duration: 30s }` or `{ stages: [{ users: 10, for: 3m, ramp: 30s }] }`";
                return Err(Complaint::new(message, hint).about(at.text(), profile.place, file));
            }
        };
        let warm_up = at.key("warm_up").maybe(profile.value.warm_up.as_ref(), value::duration)?.unwrap_or_default();
        let abort_on = at.key("abort_on").maybe(profile.value.abort_on.as_ref(), abort)?;
        profiles.push(Profile { name, shape, warm_up, abort_on });
    }
    Ok(profiles)
}

fn stage(stage: &wire::Stage, at: &At<'_>, index: usize) -> Result<Stage, ConfigError> {
    let at = at.key("stages").index(index);
    Ok(Stage {
        users: at.key("users").read(&stage.users, |text| value::count(text, 1))?,
        ramp: at.key("ramp").maybe(stage.ramp.as_ref(), value::duration)?.unwrap_or_default(),
        hold: at.key("for").read(&stage.hold, value::duration)?,
    })
}

/// The name of a profile that exists.
pub(super) fn known(text: &str, profiles: &[Profile]) -> Read<String> {
    let known: Vec<&str> = BUILT_IN.into_iter().chain(profiles.iter().map(|profile| profile.name.as_str())).collect();
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(format!("there is no profile {}", shown(text)), choice(text, &known)))
}

/// A name of the user's own that becomes part of file names.
pub(super) fn plain_name(text: &str) -> Read<String> {
    let plain = !text.trim().is_empty()
        && text.trim() == text
        && text.len() <= 100
        && !text.starts_with('.')
        && !text.chars().any(|char| char.is_control() || "/\\:*?\"<>|".contains(char));
    if plain {
        return Ok(text.to_owned());
    }
    let message = format!("{} cannot be a name", shown(text));
    Err(Complaint::new(message, "it becomes part of file names: use letters, digits, `-` and `_`"))
}
