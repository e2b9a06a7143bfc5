//! `execution.json`: what was run, where, how it ended and which files it left. [I/O]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;

use jiff::Timestamp;
use serde::Serialize;

use super::Order;
use super::command::Command;
use super::ending::{Ending, without_secrets};
use super::progress::Progress;

/// One run, for people and for programs that pick up its files.
#[derive(Debug, Serialize)]
pub struct Execution {
    schema: &'static str,
    suite: String,
    profile: Option<String>,
    shard: Option<String>,
    engine: &'static str,
    tool: &'static str,
    tool_version: Option<String>,
    command: Vec<String>,
    planned_s: u32,
    started_at: Timestamp,
    ended_at: Timestamp,
    /// Of Locust; proves nothing. `null` where a signal ended it.
    exit_code: Option<i32>,
    complete: bool,
    /// Why not.
    problem: Option<String>,
    files: Vec<String>,
    /// Facts about the load generator's machine.
    host: BTreeMap<String, String>,
    #[serde(skip)]
    out: PathBuf,
    #[serde(skip)]
    prefix: String,
}

impl Execution {
    /// Before the start.
    pub(super) fn begin(order: &Order, command: &Command) -> Self {
        let now = Timestamp::now();
        Self {
            schema: "loadgate.execution/1",
            suite: order.suite.clone(),
            profile: order.course.profile.clone(),
            shard: order.course.shard.clone(),
            engine: order.engine.word(),
            tool: "Locust",
            tool_version: None,
            command: command.words.iter().map(|word| without_secrets(word)).collect(),
            planned_s: order.course.seconds(),
            started_at: now,
            ended_at: now,
            exit_code: None,
            complete: false,
            problem: None,
            files: Vec::new(),
            host: BTreeMap::new(),
            out: order.out.clone(),
            prefix: order.course.prefix.clone(),
        }
    }

    /// After the end; gives the names of the files.
    pub(super) fn end(&mut self, ending: &Ending, exit: Option<ExitStatus>, progress: &Progress) -> Vec<String> {
        self.ended_at = Timestamp::now();
        self.exit_code = exit.and_then(|exit| exit.code());
        self.tool_version.clone_from(&progress.locust);
        self.host.clone_from(&progress.host);
        (self.complete, self.problem) = match ending {
            Ending::Complete => (true, None),
            Ending::Cut { why, .. } => (false, Some(why.clone())),
            Ending::Failed(failure) => (false, Some(failure.to_string())),
        };
        let names = std::fs::read_dir(&self.out).into_iter().flatten().flatten();
        self.files = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        self.files.retain(|name| name.starts_with(&self.prefix));
        self.files.sort_unstable();
        self.files.clone()
    }

    /// As written.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }
}
