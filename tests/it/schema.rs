//! The committed JSON Schemas and what is made from them: in step with the code, and true of what we read and write.
//!
//! `UPDATE=1 cargo test --test it schema` writes the files anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use loadgate::baseline::{Baseline, Origin};
use loadgate::run::Run;
use loadgate::schema::Kind;
use serde_json::Value;

const EVERY_KEY: &str = include_str!("../fixtures/config/every-key.yml");

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Holds the file to `text`, or writes it where UPDATE is set.
fn in_step(path: &str, text: &str) {
    let file = root(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == text, "{path} is not what the code says; `UPDATE=1 cargo test --test it schema` writes it anew");
}

fn config_schema() -> Value {
    Kind::Config.schema()
}

/// YAML as an editor's validator sees it.
fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn the_committed_schemas_are_in_step() {
    for kind in Kind::ALL {
        let text = serde_json::to_string_pretty(&kind.schema()).unwrap() + "\n";
        in_step(&format!("schemas/{}.json", kind.name()), &text);
    }
}

/// A run of the seed, read from its CSV.
fn seed_run() -> Run {
    let root = root("tests/fixtures/seed");
    let artifacts = loadgate::artifact::discover::discover(&root, &["load_results_api_progressive_*.csv".to_owned()]);
    loadgate::format::read::read(&artifacts.unwrap(), &[]).unwrap().runs.remove(0)
}

fn assert_valid(kind: Kind, document: &Value) {
    let validator = jsonschema::validator_for(&kind.schema()).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn a_run_is_what_its_schema_says() {
    let run = seed_run();
    assert!(!run.endpoints.is_empty());
    assert_valid(Kind::Run, &serde_json::to_value(&run).unwrap());
    let validator = jsonschema::validator_for(&Kind::Run.schema()).unwrap();
    let mut wrong = serde_json::to_value(&run).unwrap();
    wrong["endpoints"][0]["metrics"]["latency_p95"] = serde_json::json!("fast");
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn a_baseline_is_what_its_schema_says() {
    let mut baseline = Baseline::new("api");
    baseline.add(&seed_run(), Origin { id: "a".to_owned(), ..Origin::default() });
    let text = loadgate::baseline::store::to_text(&baseline);
    assert_valid(Kind::Baseline, &serde_json::from_str(&text).unwrap());
    let validator = jsonschema::validator_for(&Kind::Baseline.schema()).unwrap();
    let wrong = text.replace("\"requests\":", "\"requests\":-");
    assert!(wrong != text && !validator.is_valid(&serde_json::from_str(&wrong).unwrap()));
}

#[test]
fn the_reference_of_the_config_is_in_step() {
    const BEGIN: &str = "<!-- generated from the schema: begin -->\n";
    const END: &str = "<!-- generated from the schema: end -->\n";
    let page = fs::read_to_string(root("docs/CONFIG.md")).unwrap();
    let (head, rest) = page.split_once(BEGIN).expect("the begin marker");
    let (_, tail) = rest.split_once(END).expect("the end marker");
    let (intro, rest) = head.split_once("<!-- example: begin -->\n").expect("the example");
    let (_, prose) = rest.split_once("<!-- example: end -->\n").expect("the end of the example");
    let example = format!("<!-- example: begin -->\n```yaml\n{EVERY_KEY}```\n<!-- example: end -->\n");
    let tables = reference(&config_schema());
    in_step("docs/CONFIG.md", &format!("{intro}{example}{prose}{BEGIN}{tables}{END}{tail}"));
}

#[test]
fn the_shipped_rules_of_the_page_are_the_shipped_rules() {
    let page = fs::read_to_string(root("docs/CONFIG.md")).unwrap();
    let (_, rest) = page.split_once("The shipped rules:\n\n```yaml\n").expect("the rules");
    let (rules, _) = rest.split_once("```").unwrap();
    let written = loadgate::config::Config::parse(rules, "docs/CONFIG.md").unwrap().policy().rules;
    let shipped = loadgate::policy::Policy::shipped().rules;
    let plain = |rule: &loadgate::policy::Rule| {
        let mut rule = serde_json::to_value(rule).unwrap();
        rule["place"] = Value::Null;
        rule
    };
    let own: Vec<Value> = written[shipped.len()..].iter().map(plain).collect();
    assert_eq!(own, shipped.iter().map(plain).collect::<Vec<_>>());
}

#[test]
fn the_schema_takes_what_we_take() {
    let validator = jsonschema::validator_for(&config_schema()).unwrap();
    let good =
        [EVERY_KEY, "{}", "version: 1", "suites: { api: }", "rules:", "rules: [{ metric: requests, min: 1000 }]"];
    for text in good {
        let errors: Vec<String> = validator.iter_errors(&yaml(text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
        loadgate::config::Config::parse(text, "loadgate.yml").unwrap();
    }
}

#[test]
fn the_schema_refuses_what_we_refuse() {
    let validator = jsonschema::validator_for(&config_schema()).unwrap();
    let bad = [
        "verison: 1",
        "version: 2",
        "gate: off",
        "suites: { api: { result: [x] } }",
        "suites: { api: { results: x } }",
        "rules: [{ limit: 10% }]",
        "rules: [{ metric: latency_p59, limit: 10% }]",
        "rules: [{ metric: latency_p95, limit: ten }]",
        "rules: [{ metric: latency_p95, limit: -10% }]",
        "rules: [{ metric: error_rate, limit: 1pp, from_zero: yes }]",
        "accepted: [{ endpoint: a, metric: latency_p95, up_to: 30% }]",
        "issue: { close_after: 0 }",
        "history: { keep: 0 }",
        "profiles: { x: { users: 5, duration: 30 } }",
    ];
    for text in bad {
        assert!(!validator.is_valid(&yaml(text)), "{text}");
        loadgate::config::Config::parse(text, "loadgate.yml").unwrap_err();
    }
}

#[test]
fn every_key_stands_in_the_example() {
    let example = yaml(EVERY_KEY);
    let mut missing = Vec::new();
    let schema = config_schema();
    for (section, keys) in sections(&schema) {
        for key in keys.keys() {
            if !holds_key(&example, key) {
                missing.push(format!("{section}: {key}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

fn holds_key(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(map) => map.contains_key(key) || map.values().any(|value| holds_key(value, key)),
        Value::Array(list) => list.iter().any(|value| holds_key(value, key)),
        _ => false,
    }
}

/// Each object of the schema with its keys: the file itself first, then in the order in which it is used.
fn sections(schema: &Value) -> Vec<(&str, &serde_json::Map<String, Value>)> {
    const ORDER: [(&str, &str); 10] = [
        ("`suites.<name>`", "Suite"),
        ("`endpoints`", "Endpoints"),
        ("`endpoints.rename[]`", "Rename"),
        ("`rules[]`", "Rule"),
        ("`accepted[]`", "Accepted"),
        ("`issue`", "Issue"),
        ("`history`", "History"),
        ("`profiles.<name>`", "Profile"),
        ("`profiles.<name>.stages[]`", "Stage"),
        ("The file", ""),
    ];
    let definitions = schema["$defs"].as_object().unwrap();
    assert_eq!(definitions.len(), ORDER.len() - 1, "a section is missing here");
    let mut sections: Vec<_> = ORDER
        .iter()
        .map(|(title, name)| (*title, if name.is_empty() { schema } else { &definitions[*name] }))
        .map(|(title, object)| (title, object["properties"].as_object().unwrap()))
        .collect();
    sections.rotate_right(1);
    sections
}

/// The tables of docs/CONFIG.md.
fn reference(schema: &Value) -> String {
    let mut text = String::new();
    for (title, keys) in sections(schema) {
        write!(text, "\n### {title}\n\n| key | value | default | |\n|---|---|---|---|\n").unwrap();
        for (key, value) in keys {
            let default = value.get("default").map_or_else(String::new, |default| format!("`{default}`"));
            let description = value["description"].as_str().unwrap();
            writeln!(text, "| `{key}` | {} | {default} | {description} |", kind(value)).unwrap();
        }
    }
    text.push('\n');
    text
}

/// What may stand behind a key, in a few words.
fn kind(value: &Value) -> String {
    let choices = value.get("enum").or_else(|| value.pointer("/anyOf/0/enum")).and_then(Value::as_array);
    let examples = value.get("examples").or_else(|| value.pointer("/anyOf/0/examples")).and_then(Value::as_array);
    let quoted = |list: &[Value]| {
        let plain = list.iter().filter(|one| !one.is_null());
        plain
            .map(|one| format!("`{}`", one.as_str().map_or_else(|| one.to_string(), str::to_owned)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let is = |wanted: &str| match &value["type"] {
        Value::Array(types) => types.iter().any(|one| one == wanted),
        one => one == wanted,
    };
    match (choices, examples) {
        (Some(choices), _) if value.get("anyOf").is_some() => format!("{}, `custom:<name>`", quoted(choices)),
        (Some(choices), _) => quoted(choices),
        (_, Some(examples)) => format!("such as {}", quoted(examples)),
        _ if is("array") => "list".to_owned(),
        _ if is("integer") => "whole number".to_owned(),
        _ if is("number") => "number".to_owned(),
        _ if is("string") => "text".to_owned(),
        _ => "settings".to_owned(),
    }
}
