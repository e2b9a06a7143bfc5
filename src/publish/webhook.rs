//! One post to a chat when the state changes. [I/O]

use std::time::Duration;

use serde_json::json;

use super::files::Tip;
use super::observe::Seen;
use super::plan::{Situation, word};
use crate::github::client::{Call, Method, Octo, Transport};
use crate::report::escape::clean;
use crate::verdict::Outcome;

/// SPEC section 7.
const LIMIT: Duration = Duration::from_secs(5);

/// What is posted, if anything changed. `issues`: the changes of the issues, where issues are kept; `before`: what our
/// comment said; `history`: what the data branch held.
pub(super) fn text(
    situation: &Situation<'_>,
    issues: Option<Vec<String>>,
    before: Option<&str>,
    history: Option<&Seen<Tip>>,
) -> Option<String> {
    let report = situation.report;
    let sentences = issues.unwrap_or_else(|| {
        let failed = before.map(|it| it == word(&Outcome::Fail)).or_else(|| last_failed(situation, history));
        // Of a state that nobody remembers only the bad one is news.
        let changed = failed.unwrap_or(false) != (report.verdict == Outcome::Fail);
        let heading = clean(&report.text.heading);
        if changed { vec![format!("Load test: {}", heading.trim())] } else { Vec::new() }
    });
    if sentences.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = sentences.iter().map(|sentence| slack(sentence)).collect();
    lines.extend(situation.context.workflow_run_url());
    Some(lines.join("\n"))
}

fn last_failed(situation: &Situation<'_>, history: Option<&Seen<Tip>>) -> Option<bool> {
    let Some(Ok(tip)) = history else { return None };
    let last = |text: &String| {
        let line: serde_json::Value = text.lines().rev().find_map(|line| serde_json::from_str(line).ok())?;
        line.get("verdict")?.as_str().map(|verdict| verdict == word(&Outcome::Fail))
    };
    let known: Vec<bool> = situation
        .edits
        .histories
        .iter()
        .filter_map(|edit| tip.texts.get(&edit.path)?.as_ref().and_then(last))
        .collect();
    (!known.is_empty()).then(|| known.contains(&true))
}

/// Slack's three characters: without them nothing is a link, a mention or `<!channel>`.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Sends it once. The error says nothing of the address, which is a secret.
pub(super) async fn post(url: &str, text: &str) -> Result<(), String> {
    let cut =
        url.split_once("://").and_then(|(_, rest)| rest.find('/')).map(|at| at + url.find("://").unwrap_or(0) + 3);
    let (host, path) = cut.and_then(|at| Some((url.get(..at)?, url.get(at..)?))).unwrap_or((url, "/"));
    let client = Octo::new(host, None).map_err(|_says_the_address| "the address cannot be used".to_owned())?;
    let call =
        Call { method: Method::Post, path: path.to_owned(), body: Some(json!({ "text": text })), repeatable: false };
    match tokio::time::timeout(LIMIT, client.send(&call)).await {
        Ok(Ok(answer)) if (200..300).contains(&answer.status) => Ok(()),
        Ok(Ok(answer)) => Err(format!("the answer was {}", answer.status)),
        Ok(Err(_)) => Err("there was no answer".to_owned()),
        Err(_) => Err(format!("there was no answer within {} s", LIMIT.as_secs())),
    }
}
