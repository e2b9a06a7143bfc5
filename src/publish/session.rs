//! The way in: one client, one runtime, one budget of time for all that this process asks of GitHub. [I/O]
//!
//! In order: [`Session::open`]; [`Session::target`] says which pull request and commit it is about; [`Session::base`] reads
//! the trusted side; then, once there is a report, [`Session::plan`] for `--dry-run` or [`Session::publish`].

use std::io::Write;

use tokio::runtime::{Builder, Runtime};

use super::base::Base;
use super::observe::{Observed, observe};
use super::plan::{Scope, Situation, draw, scope, with_history};
use super::{Edits, Outcome, Plan, Target, Texts, Wishes, execute, target};
use crate::github::api::Api;
use crate::github::client::{Client, Octo, Patience, Token};
use crate::github::commands;
use crate::github::context::Context;
use crate::report::Report;
use crate::run::Notice;

/// A conversation with GitHub. Nothing is sent before the first question.
#[derive(Debug)]
pub struct Session {
    context: Context,
    runtime: Option<Runtime>,
    api: Result<Api<Octo>, Notice>,
}

/// A report and what is to become of it.
#[derive(Clone, Copy)]
pub struct Publication<'a> {
    /// What is to be told.
    pub report: &'a Report,
    /// What is wanted.
    pub wishes: &'a Wishes,
    /// What it is about, from [`Session::target`].
    pub target: &'a Target,
    /// How it is told.
    pub texts: &'a dyn Texts,
    /// What changes in the repository's files.
    pub edits: &'a Edits,
}

impl Session {
    /// Never fails: why GitHub cannot be asked becomes a notice once somebody wants to.
    pub fn open(context: Context, token: Option<&Token>, patience: Patience) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().ok();
        let api = Self::api(&context, token, patience, runtime.as_ref());
        Self { context, runtime, api }
    }

    fn api(
        context: &Context,
        token: Option<&Token>,
        patience: Patience,
        runtime: Option<&Runtime>,
    ) -> Result<Api<Octo>, Notice> {
        let closed = |said: String| Notice::new("not_published", format!("nothing is written to GitHub: {said}"));
        let repository = context
            .repository
            .as_ref()
            .ok_or_else(|| closed("the repository is not known (`GITHUB_REPOSITORY` is not set)".to_owned()))?;
        let token = token.ok_or_else(|| {
            Notice::new("no_token", "there is no token: no comment, status or issue. The job summary holds everything")
        })?;
        let runtime = runtime.ok_or_else(|| closed("the system gives us no timer".to_owned()))?;
        let _inside = runtime.enter();
        let octo = Octo::new(&context.api_url, Some(token)).map_err(|error| closed(error.to_string()))?;
        Ok(Api::new(Client::new(octo, patience), repository))
    }

    /// Where we run.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The pull request and commit that the report is about. Asks GitHub where the event does not tell all.
    pub fn target(&self) -> Target {
        match self.connected() {
            Some((runtime, api)) => runtime.block_on(target::find(api, &self.context)),
            None => Target::of_event(&self.context),
        }
    }

    /// The trusted side, if it is another than the checkout. `folder` is the working directory, from the repository's root.
    pub fn base(&self, target: &Target, folder: &str) -> Option<Base<'_>> {
        Some(Base::new(self, target.base_sha.clone()?, folder))
    }

    /// What [`Session::publish`] would do, and the report it would tell of if the history adds to it. Reads, writes nothing.
    pub fn plan(&self, publication: &Publication<'_>) -> (Plan, Option<Report>) {
        let situation = self.situation(publication);
        let scope = scope(&situation);
        let observed = self.observe(&situation, &scope);
        let report = with_history(&situation, &observed);
        let situation = Situation { report: report.as_ref().unwrap_or(situation.report), ..situation };
        (draw(&situation, &scope, &observed).plan, report)
    }

    /// Plans and carries out. `log` is read by the runner: annotations go there (stderr, if stdout is somebody's result).
    pub fn publish(&self, publication: &Publication<'_>, log: &mut dyn Write) -> Outcome {
        let situation = self.situation(publication);
        let scope = scope(&situation);
        let observed = self.observe(&situation, &scope);
        let report = with_history(&situation, &observed);
        let situation = Situation { report: report.as_ref().unwrap_or(situation.report), ..situation };
        let drawn = draw(&situation, &scope, &observed);
        let api = self.connected().map(|it| it.1);
        let done = match &self.runtime {
            Some(runtime) => runtime.block_on(execute::execute(api, &situation, &scope, &observed, &drawn, log)),
            None => execute::Done { failed: Some("the system gives us no timer".to_owned()), ..Default::default() },
        };
        Outcome {
            plan: drawn.plan,
            report,
            outputs: done.outputs,
            notices: done.notices,
            failed: done.failed,
            requests: self.requests(),
        }
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u32 {
        self.connected().map_or(0, |(_, api)| api.client().requests_sent())
    }

    fn situation<'a>(&'a self, publication: &Publication<'a>) -> Situation<'a> {
        Situation {
            report: publication.report,
            wishes: publication.wishes,
            context: &self.context,
            target: publication.target,
            texts: publication.texts,
            edits: publication.edits,
            unreachable: self.api.as_ref().err(),
        }
    }

    fn observe(&self, situation: &Situation<'_>, scope: &Scope) -> Observed {
        match self.connected() {
            Some((runtime, api)) => runtime.block_on(observe(api, situation, scope)),
            None => Observed::default(),
        }
    }

    fn connected(&self) -> Option<(&Runtime, &Api<Octo>)> {
        self.runtime.as_ref().zip(self.api.as_ref().ok())
    }

    pub(super) fn file(&self, path: &str, commit: &str) -> Result<Option<Vec<u8>>, String> {
        let (runtime, api) = self.connected().ok_or_else(|| self.why_not())?;
        runtime.block_on(api.file(path, commit)).map_err(|error| format!("`{path}`: {error}"))
    }

    pub(super) fn folder(&self, path: &str, commit: &str) -> Result<Option<Vec<String>>, String> {
        let (runtime, api) = self.connected().ok_or_else(|| self.why_not())?;
        let entries = runtime.block_on(api.folder(path, commit)).map_err(|error| format!("`{path}`: {error}"))?;
        Ok(entries.map(|entries| {
            let files = entries.iter().filter(|entry| entry.kind == "file");
            let mut names: Vec<String> =
                files.filter_map(|entry| entry.path.rsplit('/').next().map(str::to_owned)).collect();
            names.sort();
            names
        }))
    }

    fn why_not(&self) -> String {
        self.api.as_ref().err().map(|notice| notice.message.clone()).unwrap_or_default()
    }
}

/// What the runner has to be told before a secret can be mentioned anywhere; for secrets that did not come from the runner,
/// which masks its own. Outside of Actions nobody reads it, so it must not be printed there.
pub fn mask(secret: &str, context: &Context, log: &mut dyn Write) {
    if context.in_actions && !secret.is_empty() {
        let _ = writeln!(log, "{}", commands::add_mask(secret));
    }
}
