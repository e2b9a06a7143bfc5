//! The example with every key, a message per mistake, and that nothing makes reading panic.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::policy::{FromZero, Gate, Limit, Presence};
use crate::run::metric::{Direction, Metric};

const EVERY_KEY: &str = include_str!("../../tests/fixtures/config/every-key.yml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "loadgate.yml")
}

/// The message about the first mistake of `text`, without the line it shows.
fn mistake(text: &str) -> String {
    let error = parse(text).map(|_| ()).expect_err(text);
    ConfigError { excerpt: Box::default(), ..error }.to_string()
}

#[test]
fn a_mistake_is_shown_in_its_line() {
    let shown = |text: &str| parse(text).unwrap_err().to_string();
    assert_eq!(
        shown("version: 1\nrules:\n  - { endpoint: \"GET /größe\", metric: latency_p95, limit: 10 } # loose\n"),
        "loadgate.yml:3:59: rules[0].limit: expected a change such as `10%` or `5ms` or `0.8s`, found `10`
  |
3 |   - { endpoint: \"GET /größe\", metric: latency_p95, limit: 10 } # loose
  |                                                           ^^
hint: latency_p95 is a time (ms, s)"
    );
    assert_eq!(
        shown("gate: 'evi dense' # sure?"),
        "loadgate.yml:1:7: gate: unknown word `evi dense`
  |
1 | gate: 'evi dense' # sure?
  |       ^^^^^^^^^^^
hint: did you mean `evidence`? it can be auto, evidence, plain"
    );
    let long = format!("suites: {{ api: {{ results: [{}] }}, wep: {{ resluts: [x] }} }}", "'a', ".repeat(1000));
    let longest = shown(&long).lines().nth(2).unwrap().chars().count();
    assert!(longest < 120, "{longest}");
}

#[test]
fn every_key_of_the_example_is_read() {
    let config = parse(EVERY_KEY).unwrap();
    let [api, smoke] = config.suites.as_slice() else { panic!("two suites") };
    assert_eq!((api.name.as_str(), api.combine), ("api", Some(Combine::Repeats)));
    assert_eq!(api.results, ["load-results/api_*"]);
    assert_eq!(api.baseline, ".loadgate/baselines/api.json");
    assert_eq!(api.profile.as_deref(), Some("progressive"));
    assert_eq!((smoke.baseline.as_str(), smoke.combine), (".loadgate/baselines/smoke.json", None));
    assert_eq!(config.names.ignore.len(), 1);
    assert_eq!(config.names.rename[0].to, "/orders/{id}");
    assert_eq!(config.issue.reopen_days, 14);
    assert_eq!(config.issue.assignees, ["octocat"]);
    assert_eq!(
        config.history,
        HistoryConfig {
            branch: Some("loadgate-data".to_owned()),
            keep: 400,
            site: Some("https://acme.github.io/shop/".to_owned())
        }
    );
    assert_eq!(config.templates.as_deref(), Some(".github/loadgate"));
    let [smoke, steps] = config.profiles.as_slice() else { panic!("two profiles") };
    let thirty = Duration::from_secs(30);
    assert_eq!(smoke.shape, Shape::Constant { users: 5, spawn_rate: Some(5.0), duration: thirty });
    let stage = |users, ramp, hold| Stage { users, ramp: Duration::from_secs(ramp), hold: Duration::from_secs(hold) };
    assert_eq!(steps.shape, Shape::Stages(vec![stage(10, 0, 180), stage(50, 60, 240)]));
}

#[test]
fn the_rules_of_the_example_come_after_the_shipped_ones() {
    let policy = parse(EVERY_KEY).unwrap().policy();
    let shipped = Policy::shipped().rules.len();
    assert_eq!(policy.rules.len(), shipped + 7);
    let own = &policy.rules[shipped..];
    assert_eq!((own[0].limit, own[0].critical), (Some(Limit::Relative(0.1)), Some(Limit::Relative(0.5))));
    assert_eq!(own[0].floor, Some(5.0));
    assert_eq!((own[1].limit, own[1].from_zero), (Some(Limit::Absolute(0.005)), Some(FromZero::Fail)));
    assert_eq!((own[2].limit, own[2].critical), (None, Some(Limit::Relative(0.3))));
    assert_eq!(own[3].max, Some(800.0));
    assert_eq!(own[4].min, Some(200.0));
    assert!(own[4].covers("(total)") && !own[4].covers("GET /"));
    assert_eq!((&own[5].metric, own[5].max), (&Metric::Custom("sandbox_violations".to_owned()), Some(0.0)));
    assert_eq!((own[6].limit, own[6].direction()), (Some(Limit::Absolute(3.0)), Direction::Higher));
    let line = EVERY_KEY.lines().position(|line| line.contains("POST /checkout")).unwrap() as u64 + 1;
    let place = own[3].place.clone().unwrap();
    assert_eq!((place.file.as_str(), place.line, place.column), ("loadgate.yml", line, 5));
    let [accepted] = policy.accepted.as_slice() else { panic!("one") };
    assert_eq!(accepted.endpoint.as_str(), "POST /login");
    assert_eq!((accepted.up_to, accepted.reason.as_str()), (Limit::Relative(0.3), "bcrypt cost 12"));
    assert_eq!(accepted.until, Some(jiff::civil::date(2027, 3, 1)));
    assert_eq!((policy.missing, policy.new), (Presence::Warn, Presence::Report));
}

#[test]
fn a_file_without_content_is_no_config() {
    for text in ["", "# nothing yet\n", "---\n", "version: 1\n", "rules:\nsuites:\nendpoints:\n", "\u{feff}version: 1"]
    {
        let config = parse(text).unwrap();
        assert!(config.suites.is_empty() && config.profiles.is_empty(), "{text}");
        assert_eq!(config.policy().rules.len(), Policy::shipped().rules.len());
        assert_eq!((config.issue, config.history), (IssueConfig::default(), HistoryConfig::default()));
    }
    assert_eq!(parse("suites: { api: }").unwrap().suites[0].baseline, ".loadgate/baselines/api.json");
}

#[test]
fn words_set_gate_and_presence() {
    let policy = parse("gate: plain\nendpoints: { missing: fail, new: ignore }").unwrap().policy();
    assert_eq!((policy.gate, policy.missing, policy.new), (Gate::Plain, Presence::Fail, Presence::Ignore));
}

#[test]
fn numbers_keep_every_digit() {
    let rule = |text: &str| parse(&format!("rules: [{{ {text} }}]")).unwrap().policy().rules.pop().unwrap();
    // 0.7 / 100 is not the nearest double to 0.007.
    assert_eq!(rule("metric: error_rate, limit: 0.7pp").limit, Some(Limit::Absolute(0.007)));
    assert_eq!(rule("metric: error_rate, limit: 20 %").limit, Some(Limit::Relative(0.2)));
    assert_eq!(rule("metric: error_rate, max: 1%").max, Some(0.01));
    assert_eq!(rule("metric: latency_p50, limit: 1.1s").limit, Some(Limit::Absolute(1100.0)));
    assert_eq!(rule("metric: latency_p50, limit: 10%, floor: 0").floor, Some(0.0));
    assert_eq!(rule("metric: throughput, limit: 20/s").limit, Some(Limit::Absolute(20.0)));
    assert_eq!(rule("metric: requests, min: 1000").min, Some(1000.0));
}

/// One mistake each: the message is the whole of what a user sees.
#[test]
fn each_mistake_has_its_message() {
    let cases: &[(&str, &str)] = &[
        (
            "verison: 1",
            "1:1: unknown key `verison`\nhint: did you mean `version`? it can be version, gate, suites, endpoints, rules, accepted, issue, history, templates, profiles",
        ),
        ("version: 2", "1:10: version: expected 1, found `2`\nhint: this loadgate reads config files of version 1"),
        (
            "gate: evidense",
            "1:7: gate: unknown word `evidense`\nhint: did you mean `evidence`? it can be auto, evidence, plain",
        ),
        (
            "suites:\n  api: { result: [x] }",
            "2:10: suites.api: unknown key `result`\nhint: did you mean `results`? it can be results, baseline, profile, combine",
        ),
        (
            "suites:\n  api: { results: out/*.csv }",
            "2:19: suites.api.results: expected a list, found `out/*.csv }`\nhint: write `[one, two]`, or one `- …` line for each",
        ),
        (
            "suites: { api: { results: [a, [b]] } }",
            "1:31: suites.api.results[1]: expected a single value, found `[b]] } }`\nhint: write one value; a text with special characters wants quotes",
        ),
        (
            "suites: { api: { results: [a, ''] } }",
            "1:31: suites.api.results[1]: expected a text, found nothing\nhint: write one, or remove the key",
        ),
        (
            "suites: { api: { results: [] } }",
            "1:16: suites.api.results: expected at least one file, found an empty list\nhint: name one, or remove the key",
        ),
        (
            "suites: [api]",
            "1:9: suites: expected settings, found `[api]`\nhint: write `{ key: value }`, or one `key: value` line for each, indented",
        ),
        (
            "suites: { ../x: {} }",
            "1:17: suites.../x: `../x` cannot be a name\nhint: it becomes part of file names: use letters, digits, `-` and `_`",
        ),
        (
            "suites: { value: { profile: smok } }\nprofiles: { smoke: { users: 1, duration: 1s } }",
            "1:29: suites.value.profile: there is no profile `smok`\nhint: did you mean `smoke`? it can be baseline, progressive, smoke",
        ),
        (
            "suites: { a: { combine: shard } }",
            "1:25: suites.a.combine: unknown word `shard`\nhint: did you mean `shards`? it can be shards, repeats",
        ),
        (
            "suites:\n  a: {}\n  a: {}",
            "3:3: suites: `a` stands here twice\nhint: a key may stand only once; merge the two, or remove one",
        ),
        (
            "gate: auto\ngate: plain",
            "2:1: `gate` stands here twice\nhint: a key may stand only once; merge the two, or remove one",
        ),
        (
            "rules:\n  - { metric: latency_p59, limit: 10% }",
            "2:15: rules[0].metric: unknown metric `latency_p59`\nhint: did you mean `latency_p95`? it can be error_rate, latency_mean, latency_p50, latency_p75, latency_p90, latency_p95, latency_p98, latency_p99, latency_p999, latency_min, latency_max, throughput, requests, failures, custom:<name>",
        ),
        (
            "rules: [{ limit: 10% }]",
            "1:11: rules[0]: `metric` is missing\nhint: add `metric: …`; docs/CONFIG.md shows every key with an example",
        ),
        (
            "rules: [{ metric: latency_p95, limit: 10 }]",
            "1:39: rules[0].limit: expected a change such as `10%` or `5ms` or `0.8s`, found `10`\nhint: latency_p95 is a time (ms, s)",
        ),
        (
            "rules: [{ metric: latency_p95, limit: 0.5pp }]",
            "1:39: rules[0].limit: expected a change such as `10%` or `5ms` or `0.8s`, found `0.5pp`\nhint: latency_p95 is a time (ms, s)",
        ),
        (
            "rules: [{ metric: error_rate, critical: 5ms }]",
            "1:41: rules[0].critical: expected a change such as `10%` or `0.5pp`, found `5ms`\nhint: error_rate is a share of the requests (%; a change in pp, percentage points)",
        ),
        (
            "rules: [{ metric: latency_p95, limit: -10% }]",
            "1:39: rules[0].limit: expected a change such as `10%` or `5ms` or `0.8s`, found `-10%`\nhint: latency_p95 is a time (ms, s)",
        ),
        (
            "rules: [{ metric: throughput, limit: 10%, floor: 5% }]",
            "1:50: rules[0].floor: expected a difference such as `20/s`, found `5%`\nhint: throughput is a number per second (/s)",
        ),
        (
            "rules: [{ metric: error_rate, max: 5pp }]",
            "1:36: rules[0].max: expected a value such as `1%`, found `5pp`\nhint: error_rate is a share of the requests (%; a change in pp, percentage points); a budget is a value, not a change",
        ),
        (
            "rules: [{ metric: error_rate, limit: 1pp, from_zero: yes }]",
            "1:54: rules[0].from_zero: unknown word `yes`\nhint: it can be fail, warn, ignore",
        ),
        (
            "rules: [{ metric: latency_p95, limit: 1e999% }]",
            "1:39: rules[0].limit: expected a change such as `10%` or `5ms` or `0.8s`, found `1e999%`\nhint: latency_p95 is a time (ms, s)",
        ),
        (
            "rules: [{ metric: latency_p95, floor: 5ms }]",
            "1:9: rules[0]: allows nothing and forbids nothing\nhint: give it at least one of `limit`, `critical`, `max` and `min`",
        ),
        (
            "rules: [{ metric: latency_p95, max: 1s, floor: 5ms }]",
            "1:48: rules[0].floor: has nothing to act on\nhint: a floor keeps small changes from breaking a limit in %; here is none",
        ),
        (
            "rules: [{ metric: latency_p95, limit: 5%, from_zero: fail }]",
            "1:54: rules[0].from_zero: means nothing for this rule about latency_p95\nhint: it is about the first failures of an endpoint: it belongs to a rule with `metric: error_rate` and a limit",
        ),
        (
            "rules: [{ metric: latency_p95, limit: 5%, direction: higher }]",
            "1:54: rules[0].direction: that of latency_p95 is fixed\nhint: only custom metrics need one; remove it",
        ),
        (
            "rules: [{ metric: latency_p95, limit: 50%, critical: 10% }]",
            "1:54: rules[0].critical: is smaller than `limit`\nhint: critical is the larger change, for which even a thin baseline is enough",
        ),
        (
            "rules: [{ metric: throughput, limit: 100% }]",
            "1:38: rules[0].limit: can never be exceeded\nhint: a change is written in the bad direction: `30%` of throughput is 30 % less, and more than 100 % less cannot be",
        ),
        (
            "rules: [{ metric: error_rate, max: 100% }]",
            "1:36: rules[0].max: can never be exceeded\nhint: an error rate is at most 100 %",
        ),
        (
            "rules: [{ metric: throughput, min: 9/s, max: 3/s }]",
            "1:36: rules[0].min: is above `max`: nothing could be right\nhint: `min` is the least that is allowed, `max` the most",
        ),
        (
            "rules: [{ metric: throughput, min: 0 }]",
            "1:36: rules[0].min: can never be broken\nhint: no figure is below 0; remove it",
        ),
        (
            "rules: [{ endpoint: '[a', metric: latency_p95, max: 1s }]",
            "1:21: rules[0].endpoint: `[a` is not a pattern: unclosed character class; missing ']'\nhint: `*` and `?` stand for anything; a backslash makes `[`, `{` or `*` plain",
        ),
        (
            "endpoints: { ignore: [GET /x] }\nrules: [{ endpoint: GET /x, metric: latency_p95, max: 1s }]",
            "2:21: rules[0].endpoint: `GET /x` can never match: `endpoints.ignore` leaves it out\nhint: remove one of the two",
        ),
        (
            "endpoints: { rename: [{ match: '/o/[0-9]+', to: '/o/{id}' }] }\nrules: [{ endpoint: GET /o/17, metric: latency_p95, max: 1s }]",
            "2:21: rules[0].endpoint: `GET /o/17` can never match: `endpoints.rename` changes the name\nhint: did you mean `GET /o/{id}`?",
        ),
        (
            "endpoints: { rename: [{ match: '/o/(', to: x }] }",
            "1:32: endpoints.rename[0].match: `/o/(` is not a regular expression: unclosed group\nhint: a backslash makes `.`, `(`, `[`, `{` or `+` plain: `/orders\\.json`",
        ),
        (
            "endpoints: { missing: report }",
            "1:23: endpoints.missing: unknown word `report`\nhint: it can be ignore, warn, fail",
        ),
        (
            "accepted: [{ endpoint: a, metric: latency_p95, up_to: 30%, reason: x, until: 2027-02-30 }]",
            "1:78: accepted[0].until: expected a date, found `2027-02-30`\nhint: write year, month and day: `2027-03-01`",
        ),
        (
            "accepted: [{ endpoint: a, metric: latency_p95, up_to: 30% }]",
            "1:48: accepted[0]: `reason` is missing\nhint: add `reason: …`; docs/CONFIG.md shows every key with an example",
        ),
        (
            "issue: { close_after: 0 }",
            "1:23: issue.close_after: expected a whole number of at least 1, found `0`\nhint: write digits only, without a unit, sign or separator",
        ),
        (
            "history: { site: acme.github.io }",
            "1:18: history.site: `acme.github.io` is no address of a page\nhint: write it out: `https://acme.github.io/shop/`",
        ),
        (
            "history: { branch: 'a b' }",
            "1:20: history.branch: `a b` cannot be the name of a branch\nhint: name one of its own, without refs/heads/ in front: `loadgate-data`",
        ),
        (
            "profiles: { x: { users: 5 } }",
            "1:16: profiles.x: expected `users` and `duration`, or `stages` alone\nhint: write `{ users: 5, spawn_rate: 5, duration: 30s }` or `{ stages: [{ users: 10, for: 3m, ramp: 30s }] }`",
        ),
        (
            "profiles: { x: { users: 5, duration: 30 } }",
            "1:38: profiles.x.duration: expected a length of time, found `30`\nhint: write it with its unit, up to a week: `30s`, `15m`, `1h30m`",
        ),
        (
            "profiles: { x: { users: 5, spawn_rate: 0, duration: 30s } }",
            "1:40: profiles.x.spawn_rate: expected a number above 0, found `0`\nhint: it is per second, without a unit: `5`, `0.5`",
        ),
        (
            "- a",
            "1:1: expected settings, found `- a`\nhint: write `{ key: value }`, or one `key: value` line for each, indented",
        ),
        (
            "version: 1\n---\nversion: 1",
            "3:1: expected one document, found a second one\nhint: remove the `---` and what follows it",
        ),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (text, mistake(text), format!("loadgate.yml:{expected}")))
        .filter(|(_, found, expected)| found != expected)
        .map(|(text, found, expected)| format!("{text}\n--- found\n{found}\n--- expected\n{expected}\n"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    for (text, place) in
        [("rules: [", "1:8"), ("version: 1\n  suites: 2", "2:9"), ("templates: *x", "1:12"), ("gate: \"\\q\"", "1:7")]
    {
        let message = mistake(text);
        assert!(message.starts_with(&format!("loadgate.yml:{place}: ")), "{message}");
        assert!(message.contains("\nhint: ") && !message.contains(" at line "), "{message}");
    }
}

#[test]
fn the_defaults_of_the_schema_are_the_defaults() {
    let schema = schema();
    let default = |pointer: &str| schema.pointer(&format!("{pointer}/default")).unwrap();
    let (issue, history, policy) = (IssueConfig::default(), HistoryConfig::default(), Policy::shipped());
    assert_eq!(default("/$defs/Issue/properties/open_after"), issue.open_after);
    assert_eq!(default("/$defs/Issue/properties/close_after"), issue.close_after);
    assert_eq!(default("/$defs/Issue/properties/reopen_days"), issue.reopen_days);
    assert_eq!(default("/$defs/Issue/properties/labels"), &serde_json::json!(issue.labels));
    assert_eq!(default("/$defs/History/properties/keep"), history.keep);
    assert_eq!(default("/properties/gate"), &serde_json::json!(policy.gate));
    assert_eq!(default("/$defs/Endpoints/properties/missing"), &serde_json::json!(policy.missing));
    assert_eq!(default("/$defs/Endpoints/properties/new"), &serde_json::json!(policy.new));
}

#[test]
fn what_no_person_writes_is_refused_before_it_costs() {
    let rules = "- { metric: latency_p95, endpoint: 'x*', max: 1s }\n".repeat(2_000);
    let message = mistake(&format!("rules:\n{rules}"));
    assert!(message.contains("expected at most 1000 entries, found 2000"), "{message}");
    let ignore = format!("endpoints: {{ ignore: ['{}'] }}", "{a,b}*".repeat(1000));
    assert!(mistake(&ignore).contains("longer than 1000 characters"));
    let program = mistake("endpoints: { rename: [{ match: '(\\w{100}){100}', to: x }] }");
    assert!(program.contains("is not a regular expression"), "{program}");
}

#[test]
fn an_alias_bomb_is_stopped() {
    let lines = "abcdefgh".chars().zip("bcdefghi".chars()).map(|(one, other)| {
        let ten = vec![format!("*{one}"); 10].join(", ");
        format!("{other}: &{other} [{ten}]\n")
    });
    let text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned() + &lines.collect::<String>();
    mistake(&text);
    // The same below a key that we know, so that it is really unfolded.
    let nested = text.lines().fold("suites: { x: { results: [".to_owned(), |all, line| {
        format!("{all}{}, ", line.split_once(": ").unwrap().1)
    });
    mistake(&(nested + "] } }"));
    mistake(&"[".repeat(100_000));
    mistake(&"a: {".repeat(10_000));
}

#[test]
fn runs_are_counted_only_with_a_history() {
    let config = parse("issue:\n  open_after: 3\n").unwrap();
    assert_eq!(
        config.check_history(None).unwrap_err().to_string(),
        "loadgate.yml:2:15: issue.open_after: expected 1, found 3: bad runs are counted in the history, and there is none\n\
         hint: set `history: { branch: loadgate-data }`, or leave `open_after` at 1"
    );
    config.check_history(Some("data")).unwrap();
    parse("issue: { open_after: 3 }\nhistory: { branch: data }").unwrap().check_history(None).unwrap();
    Config::default().check_history(None).unwrap();
}

#[test]
fn a_rule_that_never_decides_is_told() {
    let told = |text: &str| -> Vec<String> {
        shadowed(&parse(text).unwrap().policy()).iter().map(ToString::to_string).collect()
    };
    let replaced =
        "rules:\n - { endpoint: GET /, metric: latency_p95, limit: 5% }\n - { metric: latency_p95, limit: 10% }";
    assert_eq!(
        told(replaced),
        ["loadgate.yml:2: this rule never decides: the one in line 3 speaks about all it speaks about"]
    );
    for fine in [
        EVERY_KEY,
        "rules: [{ endpoint: (total), metric: latency_p95, limit: 5% }, { metric: latency_p95, limit: 10% }]",
        "rules: [{ metric: latency_p95, limit: 5% }, { metric: latency_p95, max: 1s }]",
        "rules: [{ metric: latency_p95, limit: 5%, max: 1s }, { metric: latency_p95, limit: 10% }]",
        "rules: [{ metric: latency_p95, limit: 5% }, { endpoint: GET /, metric: latency_p95, limit: 10% }]",
    ] {
        assert_eq!(told(fine), Vec::<String>::new());
    }
}

#[test]
fn a_name_with_a_space_is_not_taken_for_a_method() {
    let rename = "endpoints: { rename: [{ match: '^gateway$', to: x }] }\n";
    parse(&format!("{rename}rules: [{{ endpoint: api gateway, metric: latency_p95, max: 1s }}]")).unwrap();
    assert!(
        mistake(&format!("{rename}rules: [{{ endpoint: gateway, metric: latency_p95, max: 1s }}]")).contains("`x`?")
    );
}

#[test]
fn a_rule_about_no_endpoint_is_told_with_the_nearest() {
    let policy = parse(
        "rules:\n - { endpoint: POST /chekout, metric: latency_p95, max: 1s }\n - { endpoint: GET *, metric: latency_p95, max: 1s }\n - { endpoint: (total), metric: latency_p95, max: 1s }\naccepted: [{ endpoint: x, metric: latency_p95, up_to: 1%, reason: y }]",
    )
    .unwrap()
    .policy();
    let labels = ["GET /".to_owned(), "POST /checkout".to_owned()];
    let told: Vec<String> = unmatched(&policy, &labels).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "loadgate.yml:2: `POST /chekout` is no endpoint of the results or the baseline; did you mean `POST /checkout`?",
            "loadgate.yml:5: `x` is no endpoint of the results or the baseline",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a slip of the keyboard makes of the file: a config, or a message with place and hint.
    #[test]
    fn no_change_of_a_byte_panics(
        changes in prop::collection::vec((0..EVERY_KEY.len(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut bytes = EVERY_KEY.as_bytes().to_vec();
        for (index, byte, what) in changes {
            let index = index.min(bytes.len() - 1);
            match what {
                0 => { bytes.remove(index); }
                1 => bytes.insert(index, byte),
                2 => bytes.truncate(index.max(64)),
                _ => bytes[index] = byte,
            }
        }
        if let Err(error) = parse(&String::from_utf8_lossy(&bytes)) {
            let message = error.to_string();
            prop_assert!(message.contains("\nhint: "), "{message}");
            prop_assert!(error.place.line >= 1 && error.place.column >= 1);
        }
    }
}
