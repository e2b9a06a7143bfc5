//! `rules` and `accepted`: each entry read with the units of its metric, and the ones that could never matter refused.

use serde_saphyr::Location;

use super::Names;
use super::error::{Complaint, ConfigError, in_file, nearest, shown};
use super::read::{At, MOST};
use super::value;
use super::wire;
use crate::policy::{Acceptance, FromZero, Limit, Pattern, Policy, Rule};
use crate::run::metric::{Direction, Metric};
use crate::run::{Notice, TOTAL, label};

pub(super) const FROM_ZERO: [(&str, FromZero); 3] =
    [("fail", FromZero::Fail), ("warn", FromZero::Warn), ("ignore", FromZero::Ignore)];
pub(super) const DIRECTIONS: [(&str, Direction); 2] = [("lower", Direction::Lower), ("higher", Direction::Higher)];

/// The rules of the file, in order.
pub(super) fn rules(wire: &[wire::Placed<wire::Rule>], names: &Names, file: &str) -> Result<Vec<Rule>, ConfigError> {
    let at = |index| At::new(file, "rules").index(index);
    At::new(file, "rules").few(wire, MOST, |rule| rule.place)?;
    let mut rules = Vec::new();
    for (index, one) in wire.iter().enumerate() {
        rules.push(rule(one, names, &at(index))?);
    }
    for (index, (early, one)) in rules.iter().zip(wire).enumerate() {
        if let Some(later) = rules.iter().skip(index + 1).position(|late| replaces(late, early)) {
            let message = format!("can never decide: rules[{}] speaks about all it speaks about", index + 1 + later);
            let hint = "later rules win: put the general rule first, or remove this one";
            return Err(Complaint::new(message, hint).about(at(index).text(), one.place, file));
        }
    }
    Ok(rules)
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
    if let Some((key, place, complaint)) = pointless(&rule, one) {
        let at = if key.is_empty() { at.text().to_owned() } else { at.key(key).text().to_owned() };
        return Err(complaint.about(at, place, one_file(&rule)));
    }
    Ok(rule)
}

fn one_file(rule: &Rule) -> &str {
    rule.place.as_ref().map_or("", |place| &place.file)
}

/// Why the rule could never matter, or not as it was meant, and which key says so.
fn pointless(rule: &Rule, one: &wire::Placed<wire::Rule>) -> Option<(&'static str, Location, Complaint)> {
    let metric = rule.metric.name();
    let wire = &one.value;
    let (limit, critical) = (wire.limit.as_ref(), wire.critical.as_ref());
    let complain = |key, text: Option<&wire::Text>, message: String, hint: &str| {
        Some((key, text.map_or(one.place, |text| text.place), Complaint::new(message, hint)))
    };
    if !rule.compares() && rule.max.is_none() && rule.min.is_none() {
        return complain(
            "",
            None,
            "allows nothing and forbids nothing".to_owned(),
            "give it at least one of `limit`, `critical`, `max` and `min`",
        );
    }
    if rule.floor.is_some()
        && !matches!((rule.limit, rule.critical), (Some(Limit::Relative(_)), _) | (_, Some(Limit::Relative(_))))
    {
        let hint = "a floor keeps small changes from breaking a limit in %; here is none";
        return complain("floor", wire.floor.as_ref(), "has nothing to act on".to_owned(), hint);
    }
    if rule.from_zero.is_some() && (rule.metric != Metric::ErrorRate || !rule.compares()) {
        let hint =
            "it is about the first failures of an endpoint: it belongs to a rule with `metric: error_rate` and a limit";
        return complain(
            "from_zero",
            wire.from_zero.as_ref(),
            format!("means nothing for this rule about {metric}"),
            hint,
        );
    }
    if rule.direction.is_some() && !matches!(rule.metric, Metric::Custom(_)) {
        let hint = "only custom metrics need one; remove it";
        return complain("direction", wire.direction.as_ref(), format!("that of {metric} is fixed"), hint);
    }
    for (key, text, limit) in [("limit", limit, rule.limit), ("critical", critical, rule.critical)] {
        if rule.direction() == Direction::Higher && matches!(limit, Some(Limit::Relative(share)) if share >= 1.0) {
            let hint = "a change is written in the bad direction: `30%` of throughput is 30 % less, and more than 100 % less cannot be";
            return complain(key, text, "can never be exceeded".to_owned(), hint);
        }
        if rule.metric == Metric::ErrorRate && matches!(limit, Some(Limit::Absolute(points)) if points >= 1.0) {
            return complain(key, text, "can never be exceeded".to_owned(), "an error rate is at most 100 %");
        }
    }
    let smaller = match (rule.limit, rule.critical) {
        (Some(Limit::Relative(limit)), Some(Limit::Relative(critical)))
        | (Some(Limit::Absolute(limit)), Some(Limit::Absolute(critical))) => critical < limit,
        _ => false,
    };
    if smaller {
        let hint = "critical is the larger change, for which even a thin baseline is enough";
        return complain("critical", critical, "is smaller than `limit`".to_owned(), hint);
    }
    if rule.min.zip(rule.max).is_some_and(|(min, max)| min > max) {
        let hint = "`min` is the least that is allowed, `max` the most";
        return complain("min", wire.min.as_ref(), "is above `max`: nothing could be right".to_owned(), hint);
    }
    if rule.metric == Metric::ErrorRate && rule.max.is_some_and(|max| max >= 1.0) {
        return complain(
            "max",
            wire.max.as_ref(),
            "can never be exceeded".to_owned(),
            "an error rate is at most 100 %",
        );
    }
    if rule.min == Some(0.0) && !matches!(rule.metric, Metric::Custom(_)) {
        return complain("min", wire.min.as_ref(), "can never be broken".to_owned(), "no figure is below 0; remove it");
    }
    None
}

/// Whether `early` never decides because `late` comes after it.
fn replaces(late: &Rule, early: &Rule) -> bool {
    let budgets = |rule: &Rule| rule.max.is_some() || rule.min.is_some();
    let wider = match (&late.endpoint, &early.endpoint) {
        (None, None) => true,
        (None, Some(early)) => !early.matches(TOTAL),
        (Some(late), Some(early)) => {
            late.as_str() == early.as_str() || (is_plain(early) && late.matches(early.as_str()))
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
    if !is_plain(&pattern) {
        return Ok(pattern);
    }
    at.read(text, |written| {
        if names.ignores(written) {
            let message = format!("{} can never match: `endpoints.ignore` leaves it out", shown(written));
            return Err(Complaint::new(message, "remove one of the two"));
        }
        let (method, name) = match written.split_once(' ') {
            Some((method, name)) => (Some(method), name),
            None => (None, written),
        };
        let renamed = names
            .rename
            .iter()
            .fold((method.map(str::to_owned), name.to_owned()), |(method, name), rename| rename.apply(method, &name));
        let renamed = label(renamed.0.as_deref(), &renamed.1);
        if renamed != written {
            let message = format!("{} can never match: `endpoints.rename` changes the name", shown(written));
            return Err(Complaint::new(message, format!("did you mean {}?", shown(&renamed))));
        }
        Ok(())
    })?;
    Ok(pattern)
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

/// Whether the pattern is a label as it stands.
fn is_plain(pattern: &Pattern) -> bool {
    !pattern.as_str().contains(['*', '?', '[', '{', '\\'])
}
