//! From a profile to the course of one run: stages in whole seconds, with this shard's share of the users.

use std::time::Duration;

use crate::config::{Profile, Shape, Stage};
use crate::format::{Course, Leg};
use crate::run::Shards;

/// Why a profile cannot be run as asked.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CourseError {
    /// Nothing of it is left to judge.
    #[error(
        "after ramp and warm-up nothing of stage {stage} ({seconds} s) is left to judge\nhint: a longer duration, or a larger --scale"
    )]
    NothingToJudge {
        /// From 1.
        stage: usize,
        /// Its length.
        seconds: u32,
    },
    /// A shard without users.
    #[error("{users} users cannot be divided among {shards} shards\nhint: fewer shards, or a profile with more users")]
    TooManyShards {
        /// Of the smallest stage.
        users: u32,
        /// As asked.
        shards: u32,
    },
}

/// The course of `profile`, with all its times multiplied by `scale`.
pub fn course(profile: &Profile, scale: f64, shard: Option<&Shards>) -> Result<Course, CourseError> {
    let scaled = |length: Duration| (length.as_secs_f64() * scale).round().min(f64::from(u32::MAX >> 8)) as u32;
    let stages = stages(&profile.shape);
    let mut legs: Vec<Leg> = Vec::new();
    let mut begin = 0;
    for (index, stage) in stages.iter().enumerate() {
        let ramp = scaled(stage.ramp);
        let end = begin + ramp + scaled(stage.hold).max(1);
        let warm = if index == 0 { scaled(profile.warm_up) } else { 0 };
        let from = begin + ramp.max(warm);
        if from >= end {
            return Err(CourseError::NothingToJudge { stage: index + 1, seconds: end - begin });
        }
        let own_users = share(stage.users, shard)?;
        legs.push(Leg { name: None, users: stage.users, own_users, begin, ramp, from, end });
        begin = end;
    }
    name(&mut legs);
    let shard = shard.map(|shard| format!("{}/{}", shard.have.first().copied().unwrap_or_default(), shard.of));
    Ok(Course { prefix: String::new(), profile: Some(profile.name.clone()), shard, stages: legs })
}

fn stages(shape: &Shape) -> Vec<Stage> {
    match shape {
        Shape::Stages(stages) => stages.clone(),
        Shape::Constant { users, spawn_rate, duration } => {
            let ramp = spawn_rate.map_or(0.0, |rate| f64::from(*users) / rate);
            let ramp = Duration::try_from_secs_f64(ramp).unwrap_or(Duration::MAX).min(*duration);
            // One user is there at once, whatever the rate.
            let ramp = if *users == 1 { Duration::ZERO } else { ramp };
            vec![Stage { users: *users, ramp, hold: duration.saturating_sub(ramp) }]
        }
    }
}

/// Users of one shard: the first ones get the remainder.
fn share(users: u32, shard: Option<&Shards>) -> Result<u32, CourseError> {
    let Some((of, index)) = shard.and_then(|shard| Some((shard.of, *shard.have.first()?))) else { return Ok(users) };
    if users < of {
        return Err(CourseError::TooManyShards { users, shards: of });
    }
    Ok(users / of + u32::from(index <= users % of))
}

/// Several stages are told apart by their users, and by their place where the users are the same.
fn name(legs: &mut [Leg]) {
    if legs.len() < 2 {
        return;
    }
    let all: Vec<u32> = legs.iter().map(|leg| leg.users).collect();
    for (index, leg) in legs.iter_mut().enumerate() {
        let users = if leg.users == 1 { "user" } else { "users" };
        let again = all.iter().filter(|users| **users == leg.users).count() > 1;
        let place = if again { format!(" (stage {})", index + 1) } else { String::new() };
        leg.name = Some(format!("at {} {users}{place}", leg.users));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(name: &str) -> Profile {
        Profile::built_in(name).unwrap()
    }

    #[test]
    fn the_built_in_profiles_run_as_promised() {
        let baseline = course(&built_in("baseline"), 1.0, None).unwrap();
        let [leg] = baseline.stages.as_slice() else { panic!("one stage") };
        assert_eq!((leg.users, leg.from, leg.end, leg.name.as_deref()), (1, 15, 120, None));
        let progressive = course(&built_in("progressive"), 1.0, None).unwrap();
        let legs: Vec<_> = progressive.stages.iter().map(|leg| (leg.users, leg.begin, leg.from, leg.end)).collect();
        assert_eq!(legs, [(10, 0, 10, 180), (50, 180, 240, 480), (100, 480, 540, 900)]);
        assert_eq!(progressive.stages[1].name.as_deref(), Some("at 50 users"));
    }

    #[test]
    fn a_scale_shortens_and_never_to_nothing() {
        let short = course(&built_in("progressive"), 0.02, None).unwrap();
        assert_eq!(short.seconds(), 17);
        let profile = Profile { warm_up: Duration::from_secs(30), ..built_in("baseline") };
        assert_eq!(course(&profile, 1.0, None).unwrap().stages[0].from, 30);
        let profile = Profile { warm_up: Duration::from_secs(120), ..built_in("baseline") };
        assert_eq!(course(&profile, 1.0, None), Err(CourseError::NothingToJudge { stage: 1, seconds: 120 }));
    }

    #[test]
    fn shards_share_the_users() {
        let users = |index| {
            let shard = Shards::one(index, 4).unwrap();
            let course = course(&built_in("progressive"), 1.0, Some(&shard)).unwrap();
            course.stages.iter().map(|leg| leg.own_users).collect::<Vec<_>>()
        };
        let all: Vec<Vec<u32>> = (1..=4).map(users).collect();
        assert_eq!(all, [[3, 13, 25], [3, 13, 25], [2, 12, 25], [2, 12, 25]]);
        let shard = Shards::one(1, 4).unwrap();
        assert!(course(&built_in("baseline"), 1.0, Some(&shard)).is_err());
    }

    #[test]
    fn the_spawn_rate_is_a_ramp() {
        let shape = Shape::Constant { users: 50, spawn_rate: Some(5.0), duration: Duration::from_secs(60) };
        let profile = Profile { shape, ..built_in("baseline") };
        let legs = course(&profile, 1.0, None).unwrap().stages;
        assert_eq!((legs[0].ramp, legs[0].from, legs[0].end), (10, 15, 60));
    }
}
