//! The doctor on repositories of several kinds. [I/O]

use std::fs;

use super::*;

const STATS: &str = include_str!("../../../tests/fixtures/seed/load_results_baseline_20251017_143004.csv");

struct Repository {
    root: tempfile::TempDir,
    vars: BTreeMap<String, String>,
}

impl Repository {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { root, vars: BTreeMap::new() }
    }

    fn patient(&self) -> Patient<'_> {
        Patient { root: self.root.path(), config: None, vars: &self.vars, now: "2026-11-24T12:00:00Z".parse().unwrap() }
    }

    fn findings(&self) -> Vec<Finding> {
        checks::all(&self.patient())
    }

    /// The state and message of the first finding of a check.
    fn found(&self, check: &str) -> (State, String) {
        let findings = self.findings();
        let finding = findings.iter().find(|finding| finding.check == check).expect(check);
        (finding.state, finding.message.clone())
    }
}

#[test]
fn an_empty_folder_has_nothing_to_mend_and_much_to_do() {
    let findings = Repository::new(&[]).findings();
    assert!(findings.iter().all(|finding| finding.state != State::Problem), "{findings:#?}");
    for check in ["config", "results", "baseline", "workflow"] {
        let finding = findings.iter().find(|finding| finding.check == check).unwrap();
        assert!(finding.state == State::Note && finding.remedy.is_some(), "{finding:?}");
    }
}

#[test]
fn a_mistake_in_the_config_is_a_problem_with_its_own_remedy() {
    let repository = Repository::new(&[("loadgate.yml", "gate: evidense")]);
    let findings = repository.findings();
    let finding = &findings[0];
    assert_eq!((finding.check, finding.state), ("config", State::Problem));
    assert!(finding.message.starts_with("loadgate.yml:1:7: gate: unknown word"), "{}", finding.message);
    assert_eq!(finding.remedy.as_deref(), Some("did you mean `evidence`? it can be auto, evidence, plain"));
    let done = run(&Doctor { format: TextOrJson::Text, show_config: false }, &repository.patient()).unwrap();
    assert_eq!(done.exit_code, 2);
    assert!(done.stdout.contains("PROBLEM config") && done.stdout.contains("-> did you mean"), "{}", done.stdout);
}

#[test]
fn results_and_baseline_are_looked_at_together() {
    let repository = Repository::new(&[("load-results/run.csv", STATS)]);
    let (state, message) = repository.found("results");
    let expected = "suite `default`: Locust from 1 file, 3 endpoints, 540 requests".to_owned();
    assert_eq!((state, message), (State::Ok, expected));
    let run = crate::format::read::read(&crate::artifact::discover::usual(repository.root.path()).unwrap(), &[])
        .unwrap()
        .runs
        .remove(0);
    let mut baseline = crate::baseline::Baseline::new("default");
    for (id, time) in [("a", "2026-11-01T00:00:00Z"), ("b", "2026-11-08T00:00:00Z"), ("c", "2026-11-15T00:00:00Z")] {
        let time = Some(time.parse().unwrap());
        baseline.add(&run, crate::baseline::Origin { id: id.to_owned(), time, ..Default::default() });
    }
    let path = repository.root.path().join(".loadgate/baselines/default.json");
    crate::baseline::store::write(&path, "x", &baseline).unwrap();
    let (state, message) = repository.found("baseline");
    assert_eq!(
        (state, message.as_str()),
        (State::Ok, ".loadgate/baselines/default.json: 3 runs, the newest 9 days old")
    );
    fs::write(
        repository.root.path().join("load-results/run.csv"),
        STATS.replace("api_gateway", "x").replace("rag", "y").replace("mcp", "z"),
    )
    .unwrap();
    let findings = repository.findings();
    let strangers = findings.iter().filter(|finding| finding.check == "baseline").nth(1).expect("a second finding");
    assert_eq!(strangers.state, State::Problem, "{strangers:?}");
}

#[test]
fn a_workflow_without_the_rights_it_needs_is_a_problem() {
    let workflow = |permissions: &str| {
        let text = format!(
            "on: {{ pull_request: , schedule: [{{ cron: '0 2 * * 0' }}] }}\n{permissions}\njobs: {{ a: {{ steps: [{{ uses: loadgate/loadgate@v1 }}] }} }}\n"
        );
        let findings = Repository::new(&[(".github/workflows/load.yml", &text)]).findings();
        findings.into_iter().filter(|finding| finding.check == "workflow").collect::<Vec<_>>()
    };
    let states = |findings: &[Finding]| findings.iter().map(|finding| finding.state).collect::<Vec<_>>();
    assert_eq!(states(&workflow("permissions: { pull-requests: write, issues: write }")), [State::Ok]);
    let lacking = workflow("permissions: { contents: read }");
    assert_eq!(states(&lacking), [State::Ok, State::Problem, State::Problem], "{lacking:#?}");
    assert_eq!(lacking[1].remedy.as_deref(), Some("add `pull-requests: write` to the job's `permissions`"));
    assert_eq!(states(&workflow("")), [State::Ok, State::Note, State::Note]);
    let broken = workflow("permissions: [");
    assert_eq!(states(&broken), [State::Problem], "{broken:#?}");
}

#[test]
fn a_history_wants_a_trend_page() {
    let config = (".github/loadgate.yml", "history: { branch: data }");
    assert_eq!(Repository::new(&[config]).found("pages").0, State::Note);
    let workflow = "on: workflow_dispatch\njobs: { a: { steps: [{ uses: actions/deploy-pages@v4 }] } }\n";
    let found = Repository::new(&[config, (".github/workflows/pages.yml", workflow)]).found("pages");
    assert_eq!(found, (State::Ok, ".github/workflows/pages.yml publishes to GitHub Pages".to_owned()));
    assert!(Repository::new(&[]).findings().iter().all(|finding| finding.check != "pages"));
}

#[test]
fn what_init_writes_is_healthy() {
    let repository = Repository::new(&[("locustfile.py", "from locust import HttpUser\n")]);
    crate::commands::init::run(&crate::cli::Init { tool: None, dry_run: false }, repository.root.path()).unwrap();
    let findings = repository.findings();
    let states: Vec<(&str, State)> = findings.iter().map(|finding| (finding.check, finding.state)).collect();
    assert!(states.contains(&("config", State::Ok)) && states.contains(&("workflow", State::Ok)), "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.state != State::Problem), "{findings:#?}");
}

#[test]
fn in_a_workflow_event_and_token_are_looked_at() {
    let mut repository = Repository::new(&[]);
    for (name, value) in [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push"), ("GITHUB_REPOSITORY", "octo/shop")]
    {
        repository.vars.insert(name.to_owned(), value.to_owned());
    }
    assert_eq!(repository.found("github"), (State::Ok, "event push of octo/shop".to_owned()));
    assert_eq!(repository.found("token").0, State::Problem);
    repository.vars.insert("GITHUB_TOKEN".to_owned(), "secret-value".to_owned());
    assert_eq!(repository.found("token").0, State::Ok);
    let done = run(&Doctor { format: TextOrJson::Json, show_config: false }, &repository.patient()).unwrap();
    assert!(!done.stdout.contains("secret-value"));
    let diagnosis: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(diagnosis["schema"], "loadgate.doctor/1");
}

#[test]
fn every_setting_says_where_it_comes_from() {
    let repository = Repository::new(&[(
        ".github/loadgate.yml",
        "gate: plain\nhistory: { branch: data }\nsuites: { api: { results: [a, b] } }",
    )]);
    let settings = origins::settings(&repository.patient()).unwrap();
    let of = |name: &str| {
        let setting = settings.iter().find(|setting| setting.name == name).expect(name);
        (setting.value.as_deref(), setting.origin.as_str())
    };
    let file = ".github/loadgate.yml";
    assert_eq!(of("gate"), (Some("plain"), file));
    assert_eq!(of("history-branch"), (Some("data"), file));
    assert_eq!(of("report-dir"), (Some("loadgate-report"), "default"));
    assert_eq!(of("baseline"), (None, "-"));
    assert_eq!(of("fail-on"), (Some("fail"), "default"));
    assert_eq!(of("suites.api.results"), (Some("a, b"), file));
    assert_eq!(of("suites.api.baseline"), (Some(".loadgate/baselines/api.json"), "default"));
    assert_eq!(of("endpoints.missing"), (Some("warn"), "default"));
    assert_eq!(of("history.keep"), (Some("400"), "default"));
}
