//! `rules` and `accepted`: each entry read with the units of its metric, and the ones that could never matter refused.

use serde_saphyr::Location;

use super::Names;
use super::error::{Complaint, ConfigError, in_file, nearest, shown};
use super::read::{At, MOST};
use super::value;
use super::wire;
use crate::policy::{Acceptance, FromZero, Limit, Pattern, Place, Policy, Rule};
use crate::run::metric::{Direction, Metric};
use crate::run::{Notice, TOTAL, label};

pub(super) const FROM_ZERO: [(&str, FromZero); 3] =
    [("fail", FromZero::Fail), ("warn", FromZero::Warn), ("ignore", FromZero::Ignore)];
pub(super) const DIRECTIONS: [(&str, Direction); 2] = [("lower", Direction::Lower), ("higher", Direction::Higher)];

/// The rules of the file, in order.
pub(super) fn rules(wire: &[wire::Placed<wire::Rule>], names: &Names, file: &str) -> Result<Vec<Rule>, ConfigError> {
    let at = At::new(file, "rules");
    at.few(wire, MOST, |rule| rule.place)?;
    wire.iter().enumerate().map(|(index, one)| rule(one, names, &at.index(index))).collect()
}

fn rule(one: &wire::Placed<wire::Rule>, names: &Names, at: &At<'_>) -> Result<Rule, ConfigError> {
    let wire = &one.value;
    let metric = at.key("metric").read(&wire.metric, value::metric)?;
    let rule = Rule {
        endpoint: endpoint(wire.endpoint.as_ref(), names, &at.key("endpoint"))?,
        limit: at.key("limit").maybe(wire.limit.as_ref(), |text| value::change(text, &metric))?,
        critical: at.key("critical").maybe(wire.critical.as_ref(), |text| value::change(text, &metric))?,
        floor: at.key("floor").maybe(wire.floor.as_ref(), |text| value::distance(text, &metric))?,
        from_zero: at.key("from_zero").maybe(wire.from_zero.as_ref(), |text| value::word(text, &FROM_ZERO))?,
        max: at.key("max").maybe(wire.max.as_ref(), |text| value::budget(text, &metric))?,
        min: at.key("min").maybe(wire.min.as_ref(), |text| value::budget(text, &metric))?,
        direction: at.key("direction").maybe(wire.direction.as_ref(), |text| value::word(text, &DIRECTIONS))?,
        metric,
        place: Some(in_file(one.place, at.file())),
    };
    match misplaced(&rule, one).or_else(|| impossible(&rule, one)) {
        None => Ok(rule),
        Some(("", place, complaint)) => Err(complaint.about(at.text(), place, at.file())),
        Some((key, place, complaint)) => Err(complaint.about(at.key(key).text(), place, at.file())),
    }
}

/// A key, its place, and what is wrong with it; the key is empty where it is the rule as a whole.
type Doubt = (&'static str, Location, Complaint);

fn doubt(key: &'static str, place: Location, message: impl Into<String>, hint: &str) -> Doubt {
    (key, place, Complaint::new(message, hint))
}

/// Keys that mean nothing for such a rule.
fn misplaced(rule: &Rule, one: &wire::Placed<wire::Rule>) -> Option<Doubt> {
    let metric = rule.metric.name();
    let wire = &one.value;
    if !rule.compares() && rule.max.is_none() && rule.min.is_none() {
        let hint = "give it at least one of `limit`, `critical`, `max` and `min`";
        return Some(doubt("", one.place, "allows nothing and forbids nothing", hint));
    }
    let relative = [rule.limit, rule.critical].iter().any(|limit| matches!(limit, Some(Limit::Relative(_))));
    if let (Some(floor), false) = (&wire.floor, relative) {
        let hint = "a floor keeps small changes from breaking a limit in %; here is none";
        return Some(doubt("floor", floor.place, "has nothing to act on", hint));
    }
    if let (Some(from_zero), true) = (&wire.from_zero, rule.metric != Metric::ErrorRate || !rule.compares()) {
        let message = format!("means nothing for this rule about {metric}");
        let hint =
            "it is about the first failures of an endpoint: it belongs to a rule with `metric: error_rate` and a limit";
        return Some(doubt("from_zero", from_zero.place, message, hint));
    }
    if let (Some(direction), false) = (&wire.direction, matches!(rule.metric, Metric::Custom(_))) {
        let hint = "only custom metrics need one; remove it";
        return Some(doubt("direction", direction.place, format!("that of {metric} is fixed"), hint));
    }
    None
}

/// Limits and budgets that nothing can break, or everything.
fn impossible(rule: &Rule, one: &wire::Placed<wire::Rule>) -> Option<Doubt> {
    const NEVER: &str = "can never be exceeded";
    const ALL: &str = "an error rate is at most 100 %";
    let wire = &one.value;
    let place = |text: &Option<wire::Text>| text.as_ref().map_or(one.place, |text| text.place);
    let rates = rule.metric == Metric::ErrorRate;
    for (key, text, limit) in [("limit", &wire.limit, rule.limit), ("critical", &wire.critical, rule.critical)] {
        match limit {
            Some(Limit::Relative(share)) if rule.direction() == Direction::Higher && share >= 1.0 => {
                let hint = "a change is written in the bad direction: `30%` of throughput is 30 % less, and more than 100 % less cannot be";
                return Some(doubt(key, place(text), NEVER, hint));
            }
            Some(Limit::Absolute(points)) if rates && points >= 1.0 => {
                return Some(doubt(key, place(text), NEVER, ALL));
            }
            _ => {}
        }
    }
    let smaller = match (rule.limit, rule.critical) {
        (Some(Limit::Relative(limit)), Some(Limit::Relative(critical)))
        | (Some(Limit::Absolute(limit)), Some(Limit::Absolute(critical))) => critical < limit,
        _ => false,
    };
    if smaller {
        let hint = "critical is the larger change, for which even a thin baseline is enough";
        return Some(doubt("critical", place(&wire.critical), "is smaller than `limit`", hint));
    }
    if rule.min.zip(rule.max).is_some_and(|(min, max)| min > max) {
        let hint = "`min` is the least that is allowed, `max` the most";
        return Some(doubt("min", place(&wire.min), "is above `max`: nothing could be right", hint));
    }
    if rates && rule.max.is_some_and(|max| max >= 1.0) {
        return Some(doubt("max", place(&wire.max), NEVER, ALL));
    }
    if rule.min == Some(0.0) && !matches!(rule.metric, Metric::Custom(_)) {
        return Some(doubt("min", place(&wire.min), "can never be broken", "no figure is below 0; remove it"));
    }
    None
}

/// Rules of the file that never decide, because a later one speaks about all they speak about.
pub fn shadowed(policy: &Policy) -> Vec<Notice> {
    let own: Vec<(&Rule, &Place)> = policy.rules.iter().filter_map(|rule| Some((rule, rule.place.as_ref()?))).collect();
    let mut notices = Vec::new();
    for (index, (early, place)) in own.iter().enumerate() {
        if let Some((_, later)) = own.iter().skip(index + 1).find(|(late, _)| replaces(late, early)) {
            let message =
                format!("this rule never decides: the one in line {} speaks about all it speaks about", later.line);
            notices.push(Notice::new("rule_never_decides", message).in_file(&place.file).at_line(place.line));
        }
    }
    notices
}

/// Whether `early` never decides because `late` comes after it.
fn replaces(late: &Rule, early: &Rule) -> bool {
    let budgets = |rule: &Rule| rule.max.is_some() || rule.min.is_some();
    let wider = match (&late.endpoint, &early.endpoint) {
        (None, None) => true,
        (None, Some(early)) => !early.matches(TOTAL),
        (Some(late), Some(early)) => {
            late.as_str() == early.as_str() || (early.is_plain() && late.matches(early.as_str()))
        }
        (Some(_), None) => false,
    };
    wider && late.metric == early.metric && (!early.compares() || late.compares()) && (!budgets(early) || budgets(late))
}

/// The accepted regressions of the file.
pub(super) fn accepted(wire: &[wire::Accepted], names: &Names, file: &str) -> Result<Vec<Acceptance>, ConfigError> {
    At::new(file, "accepted").few(wire, MOST, |one| one.endpoint.place)?;
    let mut accepted = Vec::new();
    for (index, one) in wire.iter().enumerate() {
        let at = At::new(file, "accepted").index(index);
        let metric = at.key("metric").read(&one.metric, value::metric)?;
        accepted.push(Acceptance {
            endpoint: named(&one.endpoint, names, &at.key("endpoint"))?,
            up_to: at.key("up_to").read(&one.up_to, |text| value::change(text, &metric))?,
            reason: at.key("reason").read(&one.reason, value::filled)?,
            until: at.key("until").maybe(one.until.as_ref(), value::date)?,
            metric,
            place: Some(in_file(one.endpoint.place, file)),
        });
    }
    Ok(accepted)
}

fn endpoint(text: Option<&wire::Text>, names: &Names, at: &At<'_>) -> Result<Option<Pattern>, ConfigError> {
    text.map(|text| named(text, names, at)).transpose()
}

/// The pattern, unless `endpoints` leaves nothing that it could match.
fn named(text: &wire::Text, names: &Names, at: &At<'_>) -> Result<Pattern, ConfigError> {
    let pattern = at.read(text, value::pattern)?;
    // What a pattern with wildcards could match is not ours to say.
    if !pattern.is_plain() {
        return Ok(pattern);
    }
    at.read(text, |written| {
        if names.ignores(written) {
            let message = format!("{} can never match: `endpoints.ignore` leaves it out", shown(written));
            return Err(Complaint::new(message, "remove one of the two"));
        }
        // The first word may be a method, or the name may hold a space: only what both ways change is surely another name.
        let parts = written.split_once(' ').map(|(method, name)| (Some(method.to_owned()), name.to_owned()));
        let ways = parts.into_iter().chain([(None, written.to_owned())]);
        let renamed: Vec<String> = ways.map(|way| renamed(names, way)).collect();
        if let (Some(first), false) = (renamed.first(), renamed.iter().any(|name| name == written)) {
            let message = format!("{} can never match: `endpoints.rename` changes the name", shown(written));
            return Err(Complaint::new(message, format!("did you mean {}?", shown(first))));
        }
        Ok(())
    })?;
    Ok(pattern)
}

/// The label of an endpoint after every renaming.
fn renamed(names: &Names, endpoint: (Option<String>, String)) -> String {
    let (method, name) = names.rename.iter().fold(endpoint, |(method, name), rename| rename.apply(method, &name));
    label(method.as_deref(), &name)
}

/// Rules and acceptances of the file that speak about no endpoint of `labels`, each with its place and the nearest name.
///
/// Whether an endpoint exists is known only when results and baseline are read: a new name is no mistake then, so this is
/// told as notices.
pub fn unmatched(policy: &Policy, labels: &[String]) -> Vec<Notice> {
    let rules = policy.rules.iter().map(|rule| (rule.endpoint.as_ref(), rule.place.as_ref()));
    let accepted = policy.accepted.iter().map(|one| (Some(&one.endpoint), one.place.as_ref()));
    let known = || labels.iter().map(String::as_str).chain([TOTAL]);
    let mut notices: Vec<Notice> = rules
        .chain(accepted)
        .filter_map(|(pattern, place)| pattern.zip(place))
        .filter(|(pattern, _)| !known().any(|label| pattern.matches(label)))
        .map(|(pattern, place)| {
            let near = nearest(pattern.as_str(), known());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("`{}` is no endpoint of the results or the baseline{near}", pattern.as_str());
            Notice::new("rule_matches_nothing", message).in_file(&place.file).at_line(place.line)
        })
        .collect();
    notices.dedup();
    notices
}
