//! A GitHub of our own, in memory, on loopback: stateful, strict, and as unreliable as asked for.
//!
//! Every request is held against GitHub's OpenAPI description (`tests/fixtures/github/operations.json`): unknown paths,
//! queries and body keys are violations. `examples/fake-github.rs` starts it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// The author of everything written with the token.
pub(crate) const BOT: &str = "github-actions[bot]";

const OPERATIONS: &str = include_str!("../../fixtures/github/operations.json");

/// One operation of the OpenAPI description.
struct Operation {
    method: String,
    path: Vec<String>,
    query: BTreeSet<String>,
    body: Option<jsonschema::Validator>,
}

/// What to do instead of answering, or before it.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Close the connection; nothing happened.
    DropBefore,
    /// Carry out, then close the connection.
    DropAfter,
    /// Answer so; nothing happened. Status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Carry out, then answer so.
    AnswerAfter(u16, String),
    /// Answer late.
    Late(Duration),
}

/// A fault that hits requests to come.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) method: &'static str,
    /// Found anywhere in the path.
    pub(crate) path: &'static str,
    pub(crate) times: usize,
    pub(crate) kind: Kind,
}

type Hook = Box<dyn FnOnce(&mut State) + Send>;

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) status: u16,
}

/// The repository `octo/shop` and what happened to it.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) issues: Vec<Value>,
    /// With `number`, which GitHub does not show.
    pub(crate) comments: Vec<Value>,
    pub(crate) pulls: Vec<Value>,
    pub(crate) labels: Vec<Value>,
    pub(crate) statuses: Vec<Value>,
    pub(crate) checks: Vec<Value>,
    blobs: BTreeMap<String, Vec<u8>>,
    trees: BTreeMap<String, BTreeMap<String, String>>,
    commits: BTreeMap<String, (String, Vec<String>, String)>,
    pub(crate) refs: BTreeMap<String, String>,
    /// Branches that only pull requests may change.
    pub(crate) protected: BTreeSet<String>,
    /// `issues`, `pull-requests`, `contents`, `statuses`, `checks`: `write`, `read` or `none`.
    pub(crate) permissions: BTreeMap<String, String>,
    /// Whether Actions may create pull requests.
    pub(crate) may_create_pulls: bool,
    /// How many lists a new comment or issue stays out of.
    pub(crate) lag: usize,
    hidden: BTreeMap<u64, usize>,
    pub(crate) faults: Vec<Fault>,
    hooks: Vec<(&'static str, &'static str, bool, Hook)>,
    pub(crate) requests: Vec<Request>,
    pub(crate) violations: Vec<String>,
    pub(crate) page: usize,
    /// Where it listens, for links.
    pub(crate) url: String,
    /// The only token that is taken, if any.
    pub(crate) token: Option<String>,
    counter: u64,
    /// Posts to `/hook`.
    pub(crate) posts: Vec<Value>,
    pub(crate) now: String,
}

impl State {
    fn new() -> Self {
        let mut state = Self {
            page: 100,
            may_create_pulls: true,
            counter: 1_000,
            now: "2026-11-22T02:10:00Z".to_owned(),
            ..Self::default()
        };
        for scope in ["issues", "pull-requests", "contents", "statuses", "checks"] {
            state.permissions.insert(scope.to_owned(), "write".to_owned());
        }
        state.commit_files("main", &[("README.md", "hello\n")]);
        state
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn store(&mut self, content: &[u8]) -> String {
        let id = sha(&[b"blob", content]);
        self.blobs.insert(id.clone(), content.to_vec());
        id
    }

    fn store_tree(&mut self, files: BTreeMap<String, String>) -> String {
        let parts: Vec<u8> = files.iter().flat_map(|(path, blob)| format!("{path} {blob}\n").into_bytes()).collect();
        let id = sha(&[b"tree", &parts]);
        self.trees.insert(id.clone(), files);
        id
    }

    fn store_commit(&mut self, tree: &str, parents: Vec<String>, message: &str) -> String {
        let n = self.next().to_string();
        let id = sha(&[b"commit", tree.as_bytes(), parents.join(" ").as_bytes(), message.as_bytes(), n.as_bytes()]);
        self.commits.insert(id.clone(), (tree.to_owned(), parents, message.to_owned()));
        id
    }

    /// Commits files to a branch, made if need be. The new tip.
    pub(crate) fn commit_files(&mut self, branch: &str, files: &[(&str, &str)]) -> String {
        let parent = self.refs.get(branch).cloned();
        let mut tree = parent.as_ref().map(|it| self.trees[&self.commits[it].0].clone()).unwrap_or_default();
        for (path, text) in files {
            let blob = self.store(text.as_bytes());
            tree.insert((*path).to_owned(), blob);
        }
        let tree = self.store_tree(tree);
        let commit = self.store_commit(&tree, parent.into_iter().collect(), "files");
        self.refs.insert(branch.to_owned(), commit.clone());
        commit
    }

    /// The text of a file on a branch or at a commit.
    pub(crate) fn file(&self, branch: &str, path: &str) -> Option<String> {
        let commit = self.refs.get(branch).map_or(branch, String::as_str);
        let blob = self.trees.get(&self.commits.get(commit)?.0)?.get(path)?;
        String::from_utf8(self.blobs.get(blob)?.clone()).ok()
    }

    /// Parents and message of a commit.
    pub(crate) fn commit(&self, id: &str) -> (Vec<String>, String) {
        let (_, parents, message) = self.commits[id].clone();
        (parents, message)
    }

    pub(crate) fn add_pull(&mut self, number: u64, head_owner: &str, head: &str, head_sha: &str) {
        let base = self.refs["main"].clone();
        self.pulls.push(json!({
            "number": number, "state": "open", "body": "", "title": "a change", "labels": [], "user": {"login": "ann"},
            "html_url": format!("https://github.example/octo/shop/pull/{number}"),
            "head": {"sha": head_sha, "ref": head, "label": format!("{head_owner}:{head}")},
            "base": {"sha": base, "ref": "main"},
        }));
    }

    pub(crate) fn add_comment(&mut self, number: u64, login: &str, body: &str) -> u64 {
        let id = self.next();
        self.comments.push(json!({
            "id": id, "number": number, "body": body, "user": {"login": login},
            "html_url": format!("https://github.example/octo/shop/pull/{number}#issuecomment-{id}"),
        }));
        id
    }

    pub(crate) fn add_issue(&mut self, login: &str, title: &str, body: &str) -> u64 {
        let number = self.next();
        self.issues.push(json!({
            "number": number, "title": title, "body": body, "state": "open", "state_reason": null, "closed_at": null,
            "user": {"login": login}, "labels": [], "assignees": [],
            "html_url": format!("https://github.example/octo/shop/issues/{number}"),
        }));
        number
    }

    pub(crate) fn issue(&mut self, number: u64) -> &mut Value {
        self.issues.iter_mut().find(|it| it["number"] == number).unwrap()
    }

    pub(crate) fn comments_on(&self, number: u64) -> Vec<String> {
        let of = self.comments.iter().filter(|it| it["number"] == number);
        of.map(|it| it["body"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn fault(&mut self, method: &'static str, path: &'static str, times: usize, kind: Kind) {
        self.faults.push(Fault { method, path, times, kind });
    }

    /// Runs once, before (or after) the next such request is carried out: another job, or a person.
    pub(crate) fn before(
        &mut self,
        method: &'static str,
        path: &'static str,
        hook: impl FnOnce(&mut Self) + Send + 'static,
    ) {
        self.hooks.push((method, path, true, Box::new(hook)));
    }

    pub(crate) fn after(
        &mut self,
        method: &'static str,
        path: &'static str,
        hook: impl FnOnce(&mut Self) + Send + 'static,
    ) {
        self.hooks.push((method, path, false, Box::new(hook)));
    }

    /// Requests that write.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.requests.iter().filter(|it| it.method != "GET").map(|it| format!("{} {}", it.method, it.path)).collect()
    }

    fn run_hooks(&mut self, method: &str, path: &str, before: bool) {
        let hit = |hook: &(&str, &str, bool, Hook)| hook.2 == before && hook.0 == method && path.contains(hook.1);
        while let Some(at) = self.hooks.iter().position(hit) {
            let hook = self.hooks.remove(at).3;
            hook(self);
        }
    }

    /// From a seed, for when the fake runs alone: `{"files": {branch: {path: text}}, "pulls", "issues", "comments", "labels", "permissions", …}`.
    #[allow(dead_code, reason = "the tests say what they need; examples/fake-github.rs reads a file")]
    pub(crate) fn seed(&mut self, seed: &Value) {
        for (branch, files) in seed["files"].as_object().into_iter().flatten() {
            let files: Vec<(&str, &str)> = files
                .as_object()
                .into_iter()
                .flatten()
                .map(|(path, text)| (path.as_str(), text.as_str().unwrap_or("")))
                .collect();
            self.commit_files(branch, &files);
        }
        // Events name commits by ids that nobody can choose: they are names for branch tips here.
        for (sha, branch) in seed["commits"].as_object().into_iter().flatten() {
            let tip = self.commits[&self.refs[branch.as_str().unwrap_or("main")]].clone();
            self.commits.insert(sha.clone(), tip);
        }
        let list = |key: &str| seed[key].as_array().cloned().unwrap_or_default();
        self.pulls.extend(list("pulls"));
        self.issues.extend(list("issues"));
        self.comments.extend(list("comments"));
        self.labels.extend(list("labels"));
        for (scope, level) in seed["permissions"].as_object().into_iter().flatten() {
            self.permissions.insert(scope.clone(), level.as_str().unwrap_or("none").to_owned());
        }
        self.protected.extend(list("protected").iter().filter_map(|it| it.as_str().map(str::to_owned)));
        self.may_create_pulls = seed["may_create_pulls"].as_bool().unwrap_or(true);
        self.token = seed["token"].as_str().map(str::to_owned);
        self.lag = seed["lag"].as_u64().unwrap_or(0) as usize;
    }

    /// Everything, to look at from outside.
    pub(crate) fn dump(&self) -> Value {
        let files: BTreeMap<&String, BTreeMap<&String, Option<String>>> = self
            .refs
            .iter()
            .map(|(branch, commit)| {
                let tree = &self.trees[&self.commits[commit].0];
                (branch, tree.keys().map(|path| (path, self.file(branch, path))).collect())
            })
            .collect();
        let requests: Vec<Value> = self
            .requests
            .iter()
            .map(|it| json!({"method": it.method, "path": it.path, "status": it.status, "body": it.body}))
            .collect();
        json!({
            "issues": self.issues, "comments": self.comments, "pulls": self.pulls, "labels": self.labels,
            "statuses": self.statuses, "checks": self.checks, "refs": self.refs, "files": files, "posts": self.posts,
            "requests": requests, "violations": self.violations,
        })
    }
}

/// The running fake. It ends with the process.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Fake {
    /// Starts on a port of `127.0.0.1`; 0 chooses one.
    pub(crate) fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = listener.local_addr().unwrap();
        let mut state = State::new();
        state.url = format!("http://{address}");
        let state = Arc::new(Mutex::new(state));
        let operations = Arc::new(operations());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, operations) = (Arc::clone(&shared), Arc::clone(&operations));
                thread::spawn(move || serve(&stream, &state, &operations));
            }
        });
        Self { address, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn operations() -> Vec<Operation> {
    let all: Value = serde_json::from_str(OPERATIONS).unwrap();
    let list = all["operations"].as_array().unwrap();
    list.iter()
        .map(|it| Operation {
            method: it["method"].as_str().unwrap().to_owned(),
            path: it["path"].as_str().unwrap().split('/').map(str::to_owned).collect(),
            query: it["query"].as_object().unwrap().keys().cloned().collect(),
            body: it["body"].is_object().then(|| jsonschema::validator_for(&it["body"]).unwrap()),
        })
        .collect()
}

/// Whether a path fits a template; the last placeholder may hold slashes if it is one of those that do.
fn fits(template: &[String], path: &[&str]) -> bool {
    match (template.first(), path.first()) {
        (None, None) => true,
        (Some(part), Some(_)) if ["{path}", "{ref}", "{branch}"].contains(&part.as_str()) => {
            (1..=path.len()).any(|taken| fits(&template[1..], &path[taken..]))
        }
        (Some(part), Some(word)) if part.starts_with('{') => !word.is_empty() && fits(&template[1..], &path[1..]),
        (Some(part), Some(word)) => part == word && fits(&template[1..], &path[1..]),
        _ => false,
    }
}

fn violation(operations: &[Operation], method: &str, path: &str, body: &Value) -> Option<String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').collect();
    let candidates: Vec<&Operation> =
        operations.iter().filter(|it| it.method == method && fits(&it.path, &parts)).collect();
    let Some(operation) = candidates.first() else { return Some(format!("{method} {path}: no such operation")) };
    for pair in query.split('&').filter(|it| !it.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        if !operation.query.contains(name) {
            return Some(format!("{method} {path}: no such query: {name}"));
        }
    }
    match &operation.body {
        Some(schema) => schema.iter_errors(body).next().map(|error| format!("{method} {path}: {error}")),
        None if !body.is_null() => Some(format!("{method} {path}: takes no body")),
        None => None,
    }
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, headers: Vec::new(), body: if status == 204 { String::new() } else { body.to_string() } }
}

fn refuse(status: u16, message: &str) -> Answer {
    answer(status, &json!({"message": message, "documentation_url": "https://docs.example"}))
}

fn serve(stream: &TcpStream, state: &Mutex<State>, operations: &[Operation]) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some((method, path, token, body)) = read_request(&mut reader) {
        let answer = handle(state, operations, &method, &path, token.as_deref(), &body);
        let Some(answer) = answer else { return };
        let mut text = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        let mut stream = stream;
        if stream.write_all(format!("{text}{}", answer.body).as_bytes()).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Option<String>, Value)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut token) = (0, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => token = Some(value.trim().trim_start_matches("Bearer ").to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).ok()? };
    Some((method, path, token, body))
}

/// `None`: the connection is closed without an answer.
fn handle(
    state: &Mutex<State>,
    operations: &[Operation],
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> Option<Answer> {
    let mut state = state.lock().unwrap();
    if path == "/_state" {
        return Some(answer(200, &state.dump()));
    }
    if path.starts_with("/hook") {
        state.posts.push(body.clone());
        return Some(Answer { status: 200, headers: Vec::new(), body: "ok".to_owned() });
    }
    let fault = state.faults.iter().position(|it| it.times > 0 && it.method == method && path.contains(it.path));
    let fault = fault.map(|at| {
        state.faults[at].times -= 1;
        state.faults[at].kind.clone()
    });
    let record = |state: &mut State, status: u16| {
        let request = Request { method: method.to_owned(), path: path.to_owned(), body: body.clone(), status };
        state.requests.push(request);
    };
    match &fault {
        Some(Kind::DropBefore) => {
            record(&mut state, 0);
            return None;
        }
        Some(Kind::Answer(status, headers, text)) => {
            record(&mut state, *status);
            return Some(Answer { status: *status, headers: headers.clone(), body: text.clone() });
        }
        Some(Kind::Late(time)) => {
            let time = *time;
            drop(state);
            thread::sleep(time);
            return Some(refuse(500, "late"));
        }
        _ => {}
    }
    if let Some(said) = violation(operations, method, path, body) {
        state.violations.push(said);
    }
    let answer = if state.token.is_some() && state.token.as_deref() != token {
        refuse(401, "Bad credentials")
    } else {
        state.run_hooks(method, path, true);
        let answer = carry_out(&mut state, method, path, body);
        state.run_hooks(method, path, false);
        answer
    };
    record(&mut state, answer.status);
    match fault {
        Some(Kind::DropAfter) => None,
        Some(Kind::AnswerAfter(status, text)) => Some(Answer { status, headers: Vec::new(), body: text }),
        _ => Some(answer),
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn carry_out(state: &mut State, method: &str, target: &str, body: &Value) -> Answer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: BTreeMap<String, String> = query
        .split('&')
        .filter_map(|it| it.split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let parts: Vec<String> = path.split('/').skip(1).map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let ["repos", "octo", "shop", rest @ ..] = parts.as_slice() else { return refuse(404, "Not Found") };
    if let Some(no) = forbidden(state, method, rest) {
        return no;
    }
    let answer = match rest {
        ["issues" | "labels", ..] => conversation,
        ["pulls", ..] | ["commits", _, "pulls"] => proposals,
        ["contents" | "git", ..] => storage,
        _ => checks,
    };
    answer(state, method, rest, target, &query, body)
}

fn conversation(
    state: &mut State,
    method: &str,
    rest: &[&str],
    target: &str,
    query: &BTreeMap<String, String>,
    body: &Value,
) -> Answer {
    match (method, rest) {
        ("GET", ["issues", number, "comments"]) => {
            let number: u64 = number.parse().unwrap_or(0);
            let all = state.comments.clone();
            let visible = all.into_iter().filter(|it| it["number"] == number).collect();
            list(state, target, query, visible, "id")
        }
        ("POST", ["issues", number, "comments"]) => {
            let number: u64 = number.parse().unwrap_or(0);
            if too_long(&body["body"]) {
                return refuse(422, "Validation Failed: body is too long (maximum is 65536 characters)");
            }
            let id = state.add_comment(number, BOT, body["body"].as_str().unwrap_or_default());
            state.hide(id);
            answer(201, state.comments.last().unwrap())
        }
        ("GET" | "PATCH" | "DELETE", ["issues", "comments", id]) => {
            let id: u64 = id.parse().unwrap_or(0);
            let Some(at) = state.comments.iter().position(|it| it["id"] == id) else { return refuse(404, "Not Found") };
            match method {
                "DELETE" => {
                    state.comments.remove(at);
                    answer(204, &Value::Null)
                }
                "PATCH" if too_long(&body["body"]) => refuse(422, "body is too long"),
                "PATCH" => {
                    state.comments[at]["body"] = body["body"].clone();
                    answer(200, &state.comments[at])
                }
                _ => answer(200, &state.comments[at]),
            }
        }
        ("GET", ["issues"]) => {
            let wanted = query.get("state").map_or("open", String::as_str);
            let mut all: Vec<Value> = state.issues.clone();
            all.extend(state.pulls.iter().map(|pull| {
                let mut pull = pull.clone();
                pull["pull_request"] = json!({"url": "x"});
                pull
            }));
            all.retain(|it| wanted == "all" || it["state"] == wanted);
            all.retain(|it| query.get("creator").is_none_or(|by| it["user"]["login"] == *by));
            all.sort_by_key(|it| std::cmp::Reverse(it["number"].as_u64()));
            list(state, target, query, all, "number")
        }
        ("POST", ["issues"]) => {
            if too_long(&body["body"]) || body["title"].as_str().is_some_and(|it| it.chars().count() > 256) {
                return refuse(422, "Validation Failed: too long");
            }
            let (title, text) = (body["title"].as_str().unwrap_or_default(), body["body"].as_str().unwrap_or_default());
            let number = state.add_issue(BOT, title, text);
            let labels: Vec<Value> =
                body["labels"].as_array().into_iter().flatten().map(|it| json!({"name": it})).collect();
            state.issue(number)["labels"] = json!(labels);
            state.issue(number)["assignees"] = body["assignees"].clone();
            state.hide(number);
            answer(201, state.issues.last().unwrap())
        }
        ("GET" | "PATCH", ["issues", number]) => {
            let number: u64 = number.parse().unwrap_or(0);
            let now = state.now.clone();
            let Some(issue) = state.issues.iter_mut().find(|it| it["number"] == number) else {
                return refuse(404, "Not Found");
            };
            if too_long(&body["body"]) {
                return refuse(422, "body is too long");
            }
            for (key, value) in body.as_object().into_iter().flatten() {
                if key == "state" && value == "closed" {
                    issue["closed_at"] = json!(now);
                }
                issue[key] = value.clone();
            }
            answer(200, issue)
        }
        ("GET", ["labels"]) => {
            let all = state.labels.clone();
            list(state, target, query, all, "name")
        }
        ("POST", ["labels"]) => {
            if state.labels.iter().any(|it| it["name"] == body["name"]) {
                return answer(422, &json!({"message": "Validation Failed", "errors": [{"code": "already_exists"}]}));
            }
            state.labels.push(body.clone());
            answer(201, body)
        }
        _ => refuse(404, "Not Found"),
    }
}

fn proposals(
    state: &mut State,
    method: &str,
    rest: &[&str],
    target: &str,
    query: &BTreeMap<String, String>,
    body: &Value,
) -> Answer {
    match (method, rest) {
        ("GET", ["pulls"]) => {
            let mut all = state.pulls.clone();
            all.retain(|it| query.get("head").is_none_or(|head| it["head"]["label"] == *head));
            all.retain(|it| it["state"] == query.get("state").map_or("open", String::as_str));
            list(state, target, query, all, "number")
        }
        ("GET", ["commits", sha, "pulls"]) => {
            let mut all = state.pulls.clone();
            all.retain(|it| it["head"]["sha"] == **sha);
            list(state, target, query, all, "number")
        }
        ("POST", ["pulls"]) => {
            if !state.may_create_pulls {
                return refuse(403, "GitHub Actions is not permitted to create or approve pull requests.");
            }
            let head = body["head"].as_str().unwrap_or_default().to_owned();
            let label = format!("octo:{head}");
            if state.pulls.iter().any(|it| it["state"] == "open" && it["head"]["label"] == label) {
                return answer(
                    422,
                    &json!({"message": "Validation Failed", "errors": [{"message": "A pull request already exists for octo:x."}]}),
                );
            }
            let sha = state.refs.get(&head).cloned().unwrap_or_default();
            let number = state.next();
            state.add_pull(number, "octo", &head, &sha);
            let pull = state.pulls.last_mut().unwrap();
            (pull["title"], pull["body"]) = (body["title"].clone(), body["body"].clone());
            pull["user"]["login"] = json!(BOT);
            answer(201, pull)
        }
        ("GET" | "PATCH", ["pulls", number]) => {
            let number: u64 = number.parse().unwrap_or(0);
            let Some(pull) = state.pulls.iter_mut().find(|it| it["number"] == number) else {
                return refuse(404, "Not Found");
            };
            for (key, value) in body.as_object().into_iter().flatten() {
                pull[key] = value.clone();
            }
            answer(200, pull)
        }
        _ => refuse(404, "Not Found"),
    }
}

fn checks(
    state: &mut State,
    method: &str,
    rest: &[&str],
    _target: &str,
    query: &BTreeMap<String, String>,
    body: &Value,
) -> Answer {
    match (method, rest) {
        ("GET", ["commits", sha, "status"]) => {
            let mut latest = BTreeMap::new();
            for status in state.statuses.iter().filter(|it| it["sha"] == **sha) {
                latest.insert(status["context"].to_string(), status.clone());
            }
            let all: Vec<&Value> = latest.values().collect();
            answer(200, &json!({"state": "success", "statuses": all, "total_count": all.len()}))
        }
        ("POST", ["statuses", sha]) => {
            if body["description"].as_str().is_some_and(|it| it.chars().count() > 140) {
                return refuse(422, "description is too long (maximum is 140 characters)");
            }
            let mut status = body.clone();
            status["sha"] = json!(sha);
            state.statuses.push(status);
            answer(201, body)
        }
        ("GET", ["commits", sha, "check-runs"]) => {
            let of =
                |it: &&Value| it["head_sha"] == **sha && query.get("check_name").is_none_or(|name| it["name"] == *name);
            let all: Vec<&Value> = state.checks.iter().filter(of).collect();
            answer(200, &json!({"total_count": all.len(), "check_runs": all}))
        }
        ("POST", ["check-runs"]) => {
            if let Some(no) = check_limits(body) {
                return no;
            }
            let mut check = body.clone();
            check["id"] = json!(state.next());
            state.checks.push(check.clone());
            answer(201, &check)
        }
        ("PATCH", ["check-runs", id]) => {
            if let Some(no) = check_limits(body) {
                return no;
            }
            let id: u64 = id.parse().unwrap_or(0);
            let Some(check) = state.checks.iter_mut().find(|it| it["id"] == id) else {
                return refuse(404, "Not Found");
            };
            let more = body["output"]["annotations"].as_array().cloned().unwrap_or_default();
            if let Some(list) = check["output"]["annotations"].as_array_mut() {
                list.extend(more);
            }
            answer(200, check)
        }
        _ => refuse(404, "Not Found"),
    }
}

fn storage(
    state: &mut State,
    method: &str,
    rest: &[&str],
    _target: &str,
    query: &BTreeMap<String, String>,
    body: &Value,
) -> Answer {
    match (method, rest) {
        ("GET", ["contents", path @ ..]) => contents(state, &path.join("/"), query.get("ref").map(String::as_str)),
        ("GET", ["git", "blobs", id]) => match state.blobs.get(*id) {
            Some(blob) => answer(200, &json!({"content": BASE64.encode(blob), "encoding": "base64", "sha": id})),
            None => refuse(404, "Not Found"),
        },
        ("GET", ["git", "ref", "heads", branch @ ..]) => match state.refs.get(&branch.join("/")) {
            Some(tip) => answer(200, &json!({"ref": "x", "object": {"sha": tip, "type": "commit"}})),
            None => refuse(404, "Not Found"),
        },
        ("GET", ["git", "commits", id]) => match state.commits.get(*id) {
            Some((tree, parents, message)) => {
                let parents: Vec<Value> = parents.iter().map(|it| json!({"sha": it})).collect();
                answer(200, &json!({"sha": id, "tree": {"sha": tree}, "parents": parents, "message": message}))
            }
            None => refuse(404, "Not Found"),
        },
        ("POST", ["git", "trees"]) => {
            let mut files = match body["base_tree"].as_str() {
                Some(base) => match state.trees.get(base) {
                    Some(files) => files.clone(),
                    None => return refuse(422, "base_tree is not a valid tree oid"),
                },
                None => BTreeMap::new(),
            };
            for entry in body["tree"].as_array().into_iter().flatten() {
                let blob = state.store(entry["content"].as_str().unwrap_or_default().as_bytes());
                files.insert(entry["path"].as_str().unwrap_or_default().to_owned(), blob);
            }
            let id = state.store_tree(files);
            answer(201, &json!({"sha": id}))
        }
        ("POST", ["git", "commits"]) => {
            let parents: Vec<String> = body["parents"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect();
            let tree = body["tree"].as_str().unwrap_or_default().to_owned();
            if !state.trees.contains_key(&tree) || parents.iter().any(|it| !state.commits.contains_key(it)) {
                return refuse(422, "Tree or parent does not exist");
            }
            let id = state.store_commit(&tree, parents, body["message"].as_str().unwrap_or_default());
            answer(201, &json!({"sha": id, "tree": {"sha": tree}}))
        }
        ("POST", ["git", "refs"]) => {
            let name = body["ref"].as_str().unwrap_or_default().trim_start_matches("refs/heads/").to_owned();
            if state.refs.contains_key(&name) {
                return refuse(422, "Reference already exists");
            }
            state.refs.insert(name, body["sha"].as_str().unwrap_or_default().to_owned());
            answer(201, &json!({"ref": body["ref"]}))
        }
        ("PATCH", ["git", "refs", "heads", branch @ ..]) => {
            let branch = branch.join("/");
            let new = body["sha"].as_str().unwrap_or_default().to_owned();
            let Some(tip) = state.refs.get(&branch).cloned() else { return refuse(422, "Reference does not exist") };
            if state.protected.contains(&branch) {
                return refuse(422, "Repository rule violations found: Changes must be made through a pull request.");
            }
            if body["force"] != true && !follows(state, &new, &tip) {
                return refuse(422, "Update is not a fast forward");
            }
            state.refs.insert(branch, new);
            answer(200, &json!({"ref": "x"}))
        }
        _ => refuse(404, "Not Found"),
    }
}

impl State {
    pub(crate) fn hide(&mut self, id: u64) {
        if self.lag > 0 {
            self.hidden.insert(id, self.lag);
        }
    }
}

/// Permissions as the documentation lists them.
fn forbidden(state: &State, method: &str, path: &[&str]) -> Option<Answer> {
    let level = |scope: &str| state.permissions.get(scope).map_or("none", String::as_str);
    let scopes: &[&str] = match path {
        ["issues", _, "comments"] | ["issues", "comments", _] => &["issues", "pull-requests"],
        ["issues" | "labels", ..] => &["issues"],
        ["pulls", ..] | ["commits", _, "pulls"] => &["pull-requests"],
        ["statuses", ..] | ["commits", _, "status"] => &["statuses"],
        ["check-runs", ..] | ["commits", _, "check-runs"] => &["checks"],
        _ => &["contents"],
    };
    let enough = |scope: &&str| if method == "GET" { level(scope) != "none" } else { level(scope) == "write" };
    if scopes.iter().any(enough) { None } else { Some(refuse(403, "Resource not accessible by integration")) }
}

fn too_long(text: &Value) -> bool {
    text.as_str().is_some_and(|it| it.chars().count() > 65_536)
}

fn check_limits(body: &Value) -> Option<Answer> {
    let output = &body["output"];
    if output["summary"].as_str().is_some_and(|it| it.len() > 65_535) {
        return Some(refuse(422, "summary exceeds a maximum bytesize of 65535"));
    }
    let annotations = output["annotations"].as_array()?;
    let bad = |it: &Value| it["path"].as_str().is_none_or(|path| path.is_empty() || path.starts_with('/'));
    if annotations.len() > 50 || annotations.iter().any(bad) {
        return Some(refuse(422, "Invalid annotations"));
    }
    None
}

/// One page, with its `Link`. What is hidden shows itself after some lists.
fn list(state: &mut State, target: &str, query: &BTreeMap<String, String>, all: Vec<Value>, id: &str) -> Answer {
    let mut visible = Vec::new();
    for item in all {
        match item[id].as_u64().and_then(|id| state.hidden.get_mut(&id)) {
            Some(left) if *left > 0 => *left -= 1,
            _ => visible.push(item),
        }
    }
    let asked: usize = query.get("per_page").and_then(|it| it.parse().ok()).unwrap_or(30);
    let size = asked.min(state.page);
    let page: usize = query.get("page").and_then(|it| it.parse().ok()).unwrap_or(1);
    let start = (page - 1) * size;
    let items: Vec<&Value> = visible.iter().skip(start).take(size).collect();
    let mut answer = answer(200, &json!(items));
    if visible.len() > start + size {
        let bare: Vec<&str> = target.split('&').filter(|it| !it.starts_with("page=")).collect();
        let next = format!("<{}{}&page={}>; rel=\"next\"", state.url, bare.join("&"), page + 1);
        answer.headers.push(("link", next));
    }
    answer
}

fn contents(state: &State, path: &str, reference: Option<&str>) -> Answer {
    let reference = reference.unwrap_or("main");
    let commit = state.refs.get(reference).map_or(reference, String::as_str);
    let Some((tree, ..)) = state.commits.get(commit) else { return refuse(404, "No commit found for the ref") };
    let tree = &state.trees[tree];
    if let Some(blob) = tree.get(path) {
        let content = &state.blobs[blob];
        // GitHub leaves the text of large files out.
        let inline = content.len() <= 1_000_000;
        let text = if inline { BASE64.encode(content) } else { String::new() };
        let encoding = if inline { "base64" } else { "none" };
        return answer(200, &json!({"type": "file", "path": path, "sha": blob, "encoding": encoding, "content": text}));
    }
    let below: Vec<Value> = tree
        .keys()
        .filter_map(|it| it.strip_prefix(path)?.strip_prefix('/'))
        .filter(|it| !it.contains('/'))
        .map(|name| json!({"type": "file", "path": format!("{path}/{name}"), "name": name}))
        .collect();
    if below.is_empty() { refuse(404, "Not Found") } else { answer(200, &json!(below)) }
}

/// Whether `old` is among the ancestors of `new`.
fn follows(state: &State, new: &str, old: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![new.to_owned()];
    while let Some(id) = next.pop() {
        if id == old {
            return true;
        }
        if seen.insert(id.clone())
            && let Some((_, parents, _)) = state.commits.get(&id)
        {
            next.extend(parents.iter().cloned());
        }
    }
    false
}

/// Forty hexadecimal digits, the same for the same content; no cryptography needed.
fn sha(parts: &[&[u8]]) -> String {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in parts.iter().flat_map(|part| part.iter().chain(&[0xff])) {
        hash = (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}{:08x}", hash as u32)
}
