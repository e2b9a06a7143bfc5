//! Names that try, in everything that publishing writes: read back, it has the shape that it has for harmless names, and says
//! nothing to GitHub or to the runner that we do not say.

use std::collections::BTreeSet;

use loadgate::github::commands::{Annotation, plain};
use loadgate::publish::{Effect, Observed, Situation, StatusKind, Target, plan};
use loadgate::report::escape::{clean, terminal};
use loadgate::report::templates::Templates;
use proptest::prelude::*;

use super::fake::BOT;
use super::*;
use crate::escape::{is_linked, parsed};
use crate::reports::{HOSTILE, report_about};

/// What a plan holds, by its kind: Markdown, plain text, and annotations.
#[derive(Default)]
struct Told {
    pages: Vec<(&'static str, String)>,
    lines: Vec<(&'static str, String)>,
    annotations: Vec<Annotation>,
}

impl Told {
    fn add(&mut self, world: &World, report: &Report, observed: &Observed) {
        let context = Context::new(&world.vars, Some(&world.payload));
        let target = Target { pull_request: Some(7), head_sha: context.head_sha.clone(), ..Target::default() };
        let (wishes, edits, texts) = (&world.wishes, &world.edits, &Templates::shipped());
        let situation =
            Situation { report, wishes, context: &context, target: &target, texts, edits, unreachable: None };
        for step in plan(&situation, observed).steps {
            match step.effect {
                Effect::AppendSummary { text } => self.pages.push(("summary", text)),
                Effect::CreateComment { body, .. } => self.pages.push(("comment", body)),
                Effect::CommentIssue { body, .. } => self.pages.push(("comment on the issue", body)),
                Effect::UpdateIssue { block, .. } => self.pages.push(("block of the issue", block)),
                Effect::OpenIssue { title, body, .. } => {
                    self.lines.push(("title of the issue", title));
                    self.pages.push(("issue", body));
                }
                Effect::CreateCheckRun { title, summary, annotations, .. } => {
                    self.lines.push(("title of the check run", title));
                    self.pages.push(("check run", summary));
                    self.annotations.extend(annotations);
                }
                Effect::SetStatus { description, .. } => self.lines.push(("status", description)),
                Effect::Annotate { annotations } => self.annotations.extend(annotations),
                Effect::Notify { text } => {
                    assert!(!text.contains(['<', '>']), "{text}");
                    self.lines.extend(text.lines().take(1).map(|line| ("webhook", line.to_owned())));
                }
                _ => {}
            }
        }
    }
}

/// Everything that is told about a suite and its endpoints: a pull request, an issue that opens, one that gets worse, one that
/// gets better.
fn told(suite: &str, names: &[&str]) -> Told {
    let mut told = Told::default();
    let report = report_about(suite, names, 3.0);
    let mut world = World::pull_request();
    for status in [StatusKind::CheckRun, StatusKind::CommitStatus] {
        world.wishes.status = Some(status);
        let nothing = Observed {
            comments: Some(Ok(Vec::new())),
            statuses: Some(Ok(Vec::new())),
            checks: Some(Ok(Vec::new())),
            ..Observed::default()
        };
        told.add(&world, &report, &nothing);
    }

    let mut world = World::schedule();
    world.wishes.webhook_url = Some("https://chat.example/hook".to_owned());
    let issues = |list: Vec<Value>| {
        let list = list.into_iter().map(|issue| serde_json::from_value(issue).unwrap()).collect();
        Observed { issues: Some(Ok(list)), labels: Some(Ok(Vec::new())), ..Observed::default() }
    };
    let issue = |body: &str| json!({"number": 5, "state": "open", "user": {"login": BOT}, "body": body});
    let opened = |report: &Report| {
        let mut told = Told::default();
        told.add(&World::schedule(), report, &issues(Vec::new()));
        told.pages.into_iter().find(|page| page.0 == "issue").unwrap().1
    };
    told.add(&world, &report, &issues(Vec::new()));
    world.at_run(101);
    let before = report_about(suite, &["GET /before"], 3.0);
    told.add(&world, &report, &issues(vec![issue(&opened(&before))]));
    let mut better: Vec<&str> = names.to_vec();
    better.push("GET /before");
    let worst = report_about(suite, &better, 3.0);
    let mut partly = report_about(suite, &better, 1.0);
    partly.verdict = worst.verdict;
    let failing = worst.suites[0].rows.iter().filter(|row| row.endpoint == "GET /before");
    partly.suites[0].rows.retain(|row| row.endpoint != "GET /before");
    partly.suites[0].rows.extend(failing.cloned());
    partly.suites[0].verdict = worst.suites[0].verdict;
    told.add(&world, &partly, &issues(vec![issue(&opened(&worst))]));
    told
}

/// The kinds of what a page holds, in order. Of comments in HTML and of blocks only that they are there.
fn shape(page: &str) -> Vec<String> {
    let kinds = parsed(page).into_iter().map(|(kind, _)| kind);
    kinds
        .map(|kind| match kind {
            _ if kind.starts_with("Html") && kind.contains("<!-- loadgate:") => "our mark".to_owned(),
            _ if kind.starts_with("CodeBlock") => "block".to_owned(),
            _ => kind,
        })
        .collect()
}

/// Whether the runner would take one of the lines for a command, from its source (`ActionCommand`).
fn is_command(text: &str) -> bool {
    text.split(['\n', '\r']).any(|line| line.trim_start().starts_with("::") || line.contains("##["))
}

fn check(suite: &str, names: &[&str]) {
    // What cannot be typed is not proposed for the config, so the two kinds have different shapes.
    let (typed, other): (BTreeSet<&str>, BTreeSet<&str>) =
        names.iter().copied().partition(|name| !name.is_empty() && terminal(name) == *name);
    for (names, end) in [(typed, ""), (other, "\u{7f}")] {
        if !names.is_empty() {
            check_alike(suite, &names.into_iter().collect::<Vec<_>>(), end);
        }
    }
}

/// Against harmless names that end so.
fn check_alike(suite: &str, names: &[&str], end: &str) {
    let harmless: Vec<String> = (0..names.len()).map(|number| format!("GET /{number}{end}")).collect();
    let found = told(suite, names);
    let expected = told("api", &harmless.iter().map(String::as_str).collect::<Vec<_>>());
    let kinds = |told: &Told| told.pages.iter().map(|page| page.0).collect::<Vec<_>>();
    assert_eq!(kinds(&found), kinds(&expected));
    for ((kind, page), (_, other)) in found.pages.iter().zip(&expected.pages) {
        let (found, expected) = (shape(page), shape(other));
        let differs = found.iter().zip(&expected).position(|(left, right)| left != right);
        let place = differs.unwrap_or(found.len().min(expected.len()));
        assert!(found == expected, "{kind} at {:?}, not {:?}:\n{page}", found.get(place), expected.get(place));
        for (node, words) in parsed(page) {
            assert!(node != "text" || !is_linked(&words), "{kind}: {words}");
            assert_eq!(clean(&words.replace(['\n', '\u{200b}'], "")), words.replace(['\n', '\u{200b}'], ""), "{kind}");
        }
        assert!(!page.contains("##["), "{kind}: {page}");
    }
    assert!(kinds(&found).contains(&"comment on the issue") && kinds(&found).contains(&"check run"));
    for (kind, line) in &found.lines {
        let visible = line.replace('\u{200b}', "");
        assert_eq!(clean(&visible), visible, "{kind}");
        // Titles are no Markdown: an address in one stays words.
        assert!(!is_linked(&line.replace("://", "")), "{kind}: {line}");
    }
    assert!(!found.annotations.is_empty());
    for annotation in &found.annotations {
        let line = annotation.to_string();
        assert!(!line.contains(['\n', '\r']) && line.matches("\n::").count() == 0, "{line}");
        for text in [&annotation.title, &annotation.message] {
            assert_eq!(clean(text), text.as_str(), "an annotation");
        }
        assert!(annotation.file.as_deref().is_none_or(|file| !file.starts_with('/') && !file.contains('\n')));
    }
    let table = loadgate::report::text::table(&report_about(suite, names, 3.0), 110, false);
    assert!(!is_command(&plain(&table)), "{table}");
}

#[test]
fn names_that_try() {
    let long = "`|@<".repeat(2_500);
    let all: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str()]).collect();
    check("api", &all);
    for name in all {
        check("api", &[name]);
        check(name, &["GET /"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture(names in proptest::collection::vec(proptest::collection::vec(proptest::sample::select(vec![
        "|", "`", "``", "\\", "<", ">", "@", "#", "*", "_", "~", "[", "]", "(", ")", "!", "&", "$", "-", ":", "/", "1", "a", "octocat",
        "www.", "https://", "##[", "::error::", "\n", "\r", " ", "\u{202e}", "\u{200b}", "\u{1b}[0m", "é", "gh-", "<br>", "-->",
        "<!-- loadgate:end -->", "fixes #1",
    ]), 1..10), 1..4)) {
        let names: Vec<String> = names.iter().map(|parts| parts.concat()).collect();
        check(&names[0], &names.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn no_text_is_a_command(text in any::<String>(), parts in proptest::collection::vec(proptest::sample::select(vec![
        "::", ":", "##[", "#", "[", "error", "\n", "\r", " ", "\t", "\u{200b}", "\u{feff}", "\u{1b}",
    ]), 0..12)) {
        prop_assert!(!is_command(&plain(&text)) && !is_command(&plain(&parts.concat())), "{:?}", parts.concat());
    }
}
