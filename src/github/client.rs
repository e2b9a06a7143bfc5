//! The REST API: octocrab behind one small trait, with our own patience around it. [I/O]
//!
//! octocrab carries a request and its answer, nothing more: its retry repeats every method at once, which makes two comments
//! of one, so it is not even compiled in. What may be repeated, when and for how long is decided here.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use octocrab::service::middleware::auth_header::AuthHeaderLayer;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Pages of a list that are read at most: 10,000 items.
const MOST_PAGES: usize = 100;
/// Largest answer read.
const MOST_BYTES: usize = 128 << 20;
/// Redirects of one call that are followed (a renamed repository makes one).
const MOST_REDIRECTS: usize = 3;
/// What GitHub recommends to ask for.
const ACCEPT: &str = "application/vnd.github+json";
/// Of the REST API; Enterprise Server knows no newer one.
const API_VERSION: &str = "2022-11-28";
/// For a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Writes after which we slow down: GitHub asks for a second between them.
const QUICK_WRITES: u32 = 5;

/// A token, which never shows itself.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// `None` if the text, blanks around it aside, cannot be a token: empty, or not fit for a header.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// The token itself: for the client, and for registering it with the runner's log mask.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(***)")
    }
}

/// What a call does to the state on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes something new.
    Post,
    /// Changes something into a given state.
    Patch,
    /// Removes something.
    Delete,
}

/// One request. The path begins with a slash and holds the query.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it does.
    pub method: Method,
    /// Path and query below the API's base.
    pub path: String,
    /// The JSON body.
    pub body: Option<Value>,
    /// Whether sending it twice does no more than sending it once.
    pub repeatable: bool,
}

impl Call {
    fn get(path: &str) -> Self {
        Self { method: Method::Get, path: path.to_owned(), body: None, repeatable: true }
    }
}

/// One answer, whatever its status.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Link`, without which a list has no further pages.
    pub link: Option<String>,
    /// `Location` of a redirect.
    pub location: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// `X-RateLimit-Remaining`.
    pub rate_remaining: Option<u64>,
    /// `X-RateLimit-Reset`, in seconds since 1970.
    pub rate_reset: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

/// The request may or may not have arrived; there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

/// Carries one request there and one answer back. The real one is [`Octo`].
pub trait Transport {
    /// Sends once; never repeats, never waits for better times.
    fn send(&self, call: &Call) -> impl Future<Output = Result<Answer, NoAnswer>>;
}

/// Why a call brought nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// GitHub said no, and would say it again.
    #[error("GitHub answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its message and errors, on one line. Untrusted text.
        message: String,
    },
    /// A create that has no usable answer: it may have happened.
    #[error("no usable answer: {0}")]
    Lost(String),
    /// Tries or time ran out.
    #[error("GitHub could not be reached: {0}")]
    Unavailable(String),
}

impl CallError {
    /// The status, where GitHub gave a final answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether there simply is no such thing (or none that we may see).
    pub fn is_not_found(&self) -> bool {
        matches!(self.status(), Some(404 | 410))
    }

    /// Whether the token may not do this.
    pub fn is_permission(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
    }

    /// Whether GitHub's message holds one of the words (given in lower case).
    pub fn says(&self, words: &[&str]) -> bool {
        let text = self.to_string().to_lowercase();
        words.iter().any(|word| text.contains(word))
    }
}

/// How long we try.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Requests sent per call at most.
    pub tries: u32,
    /// For one request.
    pub per_try: Duration,
    /// For one call with all its tries and waits.
    pub per_call: Duration,
    /// For all calls of this process together.
    pub in_all: Duration,
    /// The first wait; each further one is twice as long.
    pub first_wait: Duration,
    /// Between writes, once there are more than a few.
    pub between_writes: Duration,
    /// How long we look for what a create without an answer may have made.
    pub look: Duration,
    /// How long we wait for a list to show what we made.
    pub lag: Duration,
}

impl Default for Patience {
    /// SPEC section 7, Faults.
    fn default() -> Self {
        Self {
            tries: 5,
            per_try: Duration::from_secs(15),
            per_call: Duration::from_secs(60),
            // 120 s by the contract, less what starting and ending take.
            in_all: Duration::from_secs(118),
            first_wait: Duration::from_millis(500),
            between_writes: Duration::from_secs(1),
            // "At least 2 s" (SPEC section 7), with some room for clocks.
            look: Duration::from_millis(2_500),
            lag: Duration::from_secs(20),
        }
    }
}

/// Calls with patience: repeats what may be repeated, within its bounds.
#[derive(Debug)]
pub struct Client<T> {
    transport: T,
    patience: Patience,
    spent: Cell<Duration>,
    sent: Cell<u32>,
    writes: Cell<u32>,
}

impl<T: Transport> Client<T> {
    /// A client whose time starts now.
    pub fn new(transport: T, patience: Patience) -> Self {
        Self { transport, patience, spent: Cell::new(Duration::ZERO), sent: Cell::new(0), writes: Cell::new(0) }
    }

    /// Requests sent so far.
    pub fn requests_sent(&self) -> u32 {
        self.sent.get()
    }

    /// Reads one thing.
    pub async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, CallError> {
        let answer = self.call(Call::get(path)).await?;
        read(&answer)
    }

    /// Reads a list, all pages of it. `items` takes the list out of one page's JSON.
    pub async fn list<R: DeserializeOwned>(&self, path: &str, items: fn(Value) -> Value) -> Result<Vec<R>, CallError> {
        let mut all = Vec::new();
        let mut path = path.to_owned();
        for _ in 0..MOST_PAGES {
            let answer = self.call(Call::get(&path)).await?;
            let Value::Array(page) = items(read(&answer)?) else {
                return Err(CallError::Unavailable("expected a list".to_owned()));
            };
            // An item of a shape we do not know cannot be ours.
            all.extend(page.into_iter().filter_map(|item| serde_json::from_value(item).ok()));
            match answer.link.as_deref().and_then(next_page) {
                Some(next) => path = next,
                None => break,
            }
        }
        Ok(all)
    }

    /// Makes something. [`CallError::Lost`] asks the caller to look whether it is there before trying again.
    pub async fn create<R: DeserializeOwned>(&self, path: &str, body: Value) -> Result<R, CallError> {
        let call = Call { method: Method::Post, path: path.to_owned(), body: Some(body), repeatable: false };
        let answer = self.call(call).await?;
        serde_json::from_slice(&answer.body).map_err(|error| CallError::Lost(format!("not the JSON expected: {error}")))
    }

    /// Makes something of which two are as good as one: a blob, a tree, a status.
    pub async fn create_freely<R: DeserializeOwned>(&self, path: &str, body: Value) -> Result<R, CallError> {
        let call = Call { method: Method::Post, path: path.to_owned(), body: Some(body), repeatable: true };
        read(&self.call(call).await?)
    }

    /// Changes something into the given state.
    pub async fn change<R: DeserializeOwned>(&self, path: &str, body: Value) -> Result<R, CallError> {
        let call = Call { method: Method::Patch, path: path.to_owned(), body: Some(body), repeatable: true };
        read(&self.call(call).await?)
    }

    /// Removes something; that it is gone already is success.
    pub async fn delete(&self, path: &str) -> Result<(), CallError> {
        let call = Call { method: Method::Delete, path: path.to_owned(), body: None, repeatable: true };
        match self.call(call).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Waits, on the account of all calls together. `false` if there is no time left to wait.
    pub async fn pause(&self, time: Duration) -> bool {
        if self.spent.get() + time >= self.patience.in_all {
            return false;
        }
        self.spend(time).await;
        true
    }

    /// Waits a random time that grows with the rounds lost against other jobs. `false` if there is no time left.
    pub async fn step_back(&self, round: u32) -> bool {
        let most = self.patience.first_wait.saturating_mul(1 << round.min(3));
        self.pause(most.mul_f64(chance())).await
    }

    /// Waits before each look for what may have been made, [`Patience::look`] together.
    pub fn looks(&self) -> impl Iterator<Item = Duration> + use<T> {
        let look = self.patience.look;
        [look / 10, look / 5, look / 5, look / 2].into_iter()
    }

    /// Waits before each further look at a list that lags behind, [`Patience::lag`] together.
    pub fn lags(&self) -> impl Iterator<Item = Duration> + use<T> {
        let lag = self.patience.lag;
        [64, 32, 16, 8, 8, 8, 8, 8, 8, 4].into_iter().map(move |part| lag / part)
    }

    async fn spend(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.spent.set(self.spent.get() + time);
    }

    /// One call with its tries.
    async fn call(&self, mut call: Call) -> Result<Answer, CallError> {
        // Commits and refs tell nobody anything, and a race for a branch is lost while waiting.
        if call.method != Method::Get && !call.path.contains("/git/") {
            self.writes.set(self.writes.get() + 1);
            if self.writes.get() > QUICK_WRITES {
                self.pause(self.patience.between_writes).await;
            }
        }
        let start = self.spent.get();
        let mut redirects = 0;
        let mut tries = 0;
        loop {
            let left = self
                .patience
                .in_all
                .saturating_sub(self.spent.get())
                .min(self.patience.per_call.saturating_sub(self.spent.get().saturating_sub(start)));
            if left.is_zero() {
                return Err(CallError::Unavailable("out of time".to_owned()));
            }
            tries += 1;
            let outcome = self.send_once(&call, left.min(self.patience.per_try)).await;
            let problem = match judge(&outcome, &call, now()) {
                Verdict::Take => {
                    return outcome.map_err(|error| CallError::Unavailable(error.to_string()));
                }
                Verdict::Redirect(path) if redirects < MOST_REDIRECTS => {
                    (redirects, tries) = (redirects + 1, tries - 1);
                    call.path = path;
                    continue;
                }
                Verdict::Redirect(_) => return Err(CallError::Unavailable("redirected in circles".to_owned())),
                Verdict::Final(error) => return Err(error),
                Verdict::Again(problem) => problem,
            };
            let wait = problem.wait.unwrap_or_else(|| self.backoff(tries));
            let used = self.spent.get().saturating_sub(start);
            let too_long = used + wait >= self.patience.per_call || self.spent.get() + wait >= self.patience.in_all;
            if tries >= self.patience.tries || too_long {
                return Err(CallError::Unavailable(problem.said));
            }
            self.spend(wait).await;
        }
    }

    async fn send_once(&self, call: &Call, time: Duration) -> Result<Answer, NoAnswer> {
        self.sent.set(self.sent.get() + 1);
        let start = Instant::now();
        let outcome = tokio::time::timeout(time, self.transport.send(call)).await;
        self.spent.set(self.spent.get() + start.elapsed());
        outcome.unwrap_or_else(|_| Err(NoAnswer(format!("no answer within {} s", time.as_secs_f32().ceil()))))
    }

    /// Doubling waits, each between half and the whole, so that jobs which failed together do not return together.
    fn backoff(&self, tries: u32) -> Duration {
        let whole = self.patience.first_wait.saturating_mul(1 << tries.saturating_sub(1).min(10));
        whole / 2 + (whole / 2).mul_f64(chance())
    }
}

/// 0..1, from the standard library's only source of chance: the keys of a hash map.
fn chance() -> f64 {
    (RandomState::new().build_hasher().finish() % 1_000) as f64 / 1_000.0
}

/// What to make of an outcome.
#[derive(Debug)]
enum Verdict {
    Take,
    Redirect(String),
    Final(CallError),
    Again(Problem),
}

/// A reason to try again.
#[derive(Debug)]
struct Problem {
    said: String,
    /// How long GitHub asks us to wait; `None` leaves it to us.
    wait: Option<Duration>,
}

/// GITHUB.md section 2: what is an answer, what is a refusal, and what passes by itself. `now` in seconds since 1970.
fn judge(outcome: &Result<Answer, NoAnswer>, call: &Call, now: u64) -> Verdict {
    let lost_or_again = |said: String| {
        if call.repeatable {
            Verdict::Again(Problem { said, wait: None })
        } else {
            Verdict::Final(CallError::Lost(said))
        }
    };
    let answer = match outcome {
        Ok(answer) => answer,
        Err(error) => return lost_or_again(error.to_string()),
    };
    let said = format!("{}: {}", answer.status, message(answer));
    match answer.status {
        200..=299 if answer.status == 204 || serde_json::from_slice::<serde::de::IgnoredAny>(&answer.body).is_ok() => {
            Verdict::Take
        }
        // A captive portal, a proxy's or a maintenance page.
        200..=299 => lost_or_again(format!("{}: the answer is not JSON", answer.status)),
        // 303 asks for another method and is nothing the API sends.
        301 | 302 | 307 | 308 => match answer.location.as_deref().and_then(below_host) {
            Some(path) => Verdict::Redirect(path),
            None => lost_or_again(said),
        },
        403 | 429 => match rate_limit(answer, now) {
            // Not carried out, so even a create may be sent again.
            Some(wait) => Verdict::Again(Problem { said, wait }),
            None => refused(answer),
        },
        408 | 500..=599 => lost_or_again(said),
        _ => refused(answer),
    }
}

/// `None`: no rate limit. `Some(None)`: a rate limit that does not say how long.
#[expect(clippy::option_option, reason = "three answers: not a limit, a limit, a limit with its end")]
fn rate_limit(answer: &Answer, now: u64) -> Option<Option<Duration>> {
    if let Some(seconds) = answer.retry_after {
        return Some(Some(Duration::from_secs(seconds)));
    }
    if answer.rate_remaining == Some(0) {
        // One more second, as clocks differ.
        return Some(answer.rate_reset.map(|reset| Duration::from_secs(reset.saturating_sub(now) + 1)));
    }
    let text = message(answer).to_lowercase();
    if text.contains("secondary rate limit") || text.contains("abuse detection") {
        // Documented: at least a minute, which no call of ours has.
        return Some(Some(Duration::from_secs(60)));
    }
    (answer.status == 429).then_some(None)
}

fn refused(answer: &Answer) -> Verdict {
    Verdict::Final(CallError::Refused { status: answer.status, message: message(answer) })
}

/// GitHub's words on one line: `message`, then what `errors` add. For anything but its JSON, the start of the text.
fn message(answer: &Answer) -> String {
    let mut parts = Vec::new();
    match serde_json::from_slice::<Value>(&answer.body) {
        Ok(json) => {
            parts.extend(json.get("message").and_then(Value::as_str).map(str::to_owned));
            for error in json.get("errors").and_then(Value::as_array).into_iter().flatten() {
                let word = |key: &str| error.get(key).and_then(Value::as_str);
                let words: Vec<&str> =
                    [error.as_str(), word("field"), word("code"), word("message")].into_iter().flatten().collect();
                parts.push(words.join(" "));
            }
        }
        Err(_) => parts.push(if answer.body.is_empty() { "no text".to_owned() } else { "not JSON".to_owned() }),
    }
    let text: String = parts.join("; ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    if text.is_empty() { "no message".to_owned() } else { text }
}

fn read<R: DeserializeOwned>(answer: &Answer) -> Result<R, CallError> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| CallError::Unavailable(format!("not the JSON expected: {error}")))
}

/// Path and query of the `rel="next"` link.
fn next_page(link: &str) -> Option<String> {
    link.split(',').find_map(|part| {
        let (url, parameters) = part.trim().strip_prefix('<')?.split_once('>')?;
        parameters.split(';').any(|it| it.trim() == "rel=\"next\"").then(|| below_host(url)).flatten()
    })
}

/// What stands behind the host: links of the API are only ever followed on the host that we were told to use.
fn below_host(url: &str) -> Option<String> {
    let below = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|slash| rest.get(slash..)),
        None => Some(url).filter(|url| url.starts_with('/')),
    };
    below.map(str::to_owned)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The real transport.
#[derive(Debug, Clone)]
pub struct Octo(octocrab::Octocrab);

/// The client cannot be built.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot talk to `{url}`: {reason}")]
pub struct SetupError {
    url: String,
    reason: String,
}

impl Octo {
    /// Talks to the API below `base_url`; to an https one through the proxy that `HTTPS_PROXY` names, unless `NO_PROXY`
    /// excepts its host. Must be called inside a tokio runtime.
    pub fn new(base_url: &str, token: Option<&Token>) -> Result<Self, SetupError> {
        let failed = |reason: String| SetupError { url: base_url.to_owned(), reason };
        if !base_url.starts_with("https://") && !base_url.starts_with("http://") {
            return Err(failed("expected a URL that begins with https://".to_owned()));
        }
        // Without TLS no certificate authorities are needed, and a machine may have none.
        let built =
            if base_url.starts_with("http://") { build(tcp(), base_url, token) } else { encrypted(base_url, token) };
        built.map(Self).map_err(failed)
    }
}

fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    connector.enforce_http(false);
    connector
}

fn encrypted(base_url: &str, token: Option<&Token>) -> Result<octocrab::Octocrab, String> {
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| chain(&error))?
        .https_only()
        .enable_http1();
    let Some(proxy) = Matcher::from_env().intercept(&parsed(base_url)?) else {
        return build(tls.wrap_connector(tcp()), base_url, token);
    };
    // Its address may hold a password.
    if proxy.uri().scheme_str() != Some("http") {
        return Err("the proxy of HTTPS_PROXY (or ALL_PROXY) is none that we can use: expected http://…".to_owned());
    }
    let tunnel = Tunnel::new(proxy.uri().clone(), tcp());
    let tunnel = match proxy.basic_auth() {
        Some(password) => tunnel.with_auth(password.clone()),
        None => tunnel,
    };
    build(tls.wrap_connector(tunnel), base_url, token)
}

fn parsed<R: FromStr<Err: fmt::Debug>>(text: &str) -> Result<R, String> {
    // The error shows what is wrong, never the text: that may be the token.
    text.parse().map_err(|error| format!("{error:?}"))
}

/// What octocrab builds for itself, but for the way to the other side.
fn build<C>(connector: C, base_url: &str, token: Option<&Token>) -> Result<octocrab::Octocrab, String>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let mut headers = Vec::new();
    for (name, value) in [("user-agent", "loadgate"), ("accept", ACCEPT), ("x-github-api-version", API_VERSION)] {
        headers.push((parsed(name)?, parsed(value)?));
    }
    let bearer = token.map(|token| parsed(&format!("Bearer {}", token.reveal()))).transpose()?;
    let client =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build::<_, octocrab::OctoBody>(connector);
    let built = octocrab::OctocrabBuilder::new_empty()
        .with_service(client)
        .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
        .with_layer(&BaseUriLayer::new(parsed(base_url)?))
        .with_layer(&AuthHeaderLayer::new(bearer, parsed(base_url)?, parsed(base_url)?))
        .with_auth(octocrab::AuthState::None)
        .build();
    built.map_err(|never| match never {})
}

impl Transport for Octo {
    async fn send(&self, call: &Call) -> Result<Answer, NoAnswer> {
        let path = call.path.as_str();
        let body = call.body.as_ref();
        let sent = match call.method {
            Method::Get => self.0._get(path).await,
            Method::Post => self.0._post(path, body).await,
            Method::Patch => self.0._patch(path, body).await,
            Method::Delete => self.0._delete(path, None::<&()>).await,
        };
        let response = sent.map_err(|error| NoAnswer(chain(&error)))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let number = |name: &str| header(name).and_then(|text| text.trim().parse().ok());
        let mut answer = Answer {
            status: response.status().as_u16(),
            link: header("link"),
            location: header("location"),
            retry_after: number("retry-after"),
            rate_remaining: number("x-ratelimit-remaining"),
            rate_reset: number("x-ratelimit-reset"),
            body: Vec::new(),
        };
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
        answer.body = body.map_err(|error| NoAnswer(error.to_string()))?.to_bytes().to_vec();
        Ok(answer)
    }
}

/// The error with its causes on one line; octocrab's own text names only the outermost.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        if !text.ends_with(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(part.lines().next().unwrap_or_default());
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;

    /// Answers from a list, and remembers what was asked.
    struct Script {
        answers: RefCell<Vec<Result<Answer, NoAnswer>>>,
        asked: RefCell<Vec<Call>>,
    }

    impl Transport for Script {
        async fn send(&self, call: &Call) -> Result<Answer, NoAnswer> {
            self.asked.borrow_mut().push(call.clone());
            let mut answers = self.answers.borrow_mut();
            assert!(!answers.is_empty(), "one request too many: {call:?}");
            answers.remove(0)
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "an entry of the script, as the faults are")]
    fn ok(body: &Value) -> Result<Answer, NoAnswer> {
        Ok(Answer { status: 200, body: body.to_string().into_bytes(), ..Answer::default() })
    }

    #[expect(clippy::unnecessary_wraps, reason = "an entry of the script, as the faults are")]
    fn status(status: u16, body: &str) -> Result<Answer, NoAnswer> {
        Ok(Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() })
    }

    fn client(answers: Vec<Result<Answer, NoAnswer>>) -> Client<Script> {
        let short = Duration::from_millis(1);
        let patience = Patience { first_wait: short, between_writes: short, ..Patience::default() };
        Client::new(Script { answers: RefCell::new(answers), asked: RefCell::new(Vec::new()) }, patience)
    }

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn reading_outlasts_faults_of_every_kind() {
        let limited = Answer { status: 429, retry_after: Some(0), ..Answer::default() };
        let client = client(vec![
            Err(NoAnswer("connection reset".to_owned())),
            status(502, "<html>bad gateway</html>"),
            status(200, "<html>log in</html>"),
            Ok(limited),
            ok(&json!({"a": 1})),
        ]);
        assert_eq!(run(client.get::<Value>("/x")).unwrap(), json!({"a": 1}));
        assert_eq!(client.requests_sent(), 5);
    }

    #[test]
    fn after_five_tries_we_give_up() {
        let client = client((0..5).map(|_| status(500, "")).collect());
        assert!(matches!(run(client.get::<Value>("/x")), Err(CallError::Unavailable(said)) if said.starts_with("500")));
    }

    #[test]
    fn a_create_without_an_answer_is_never_repeated_blindly() {
        for outcome in [Err(NoAnswer("reset".to_owned())), status(502, ""), status(201, "<html>")] {
            let client = client(vec![outcome]);
            assert!(matches!(run(client.create::<Value>("/x", json!({}))), Err(CallError::Lost(_))));
        }
        let client = client(vec![status(502, ""), ok(&json!({}))]);
        assert!(run(client.create_freely::<Value>("/x", json!({}))).is_ok());
    }

    #[test]
    fn a_create_that_was_turned_away_by_a_limit_is_sent_again() {
        let client =
            client(vec![Ok(Answer { status: 403, retry_after: Some(0), ..Answer::default() }), ok(&json!({"id": 1}))]);
        assert!(run(client.create::<Value>("/x", json!({}))).is_ok());
    }

    #[test]
    fn a_missing_permission_is_a_final_no() {
        let client = client(vec![status(403, r#"{"message":"Resource not accessible by integration"}"#)]);
        let error = run(client.create::<Value>("/x", json!({}))).unwrap_err();
        assert!(error.is_permission() && error.says(&["not accessible"]));
    }

    #[test]
    fn a_limit_that_outlasts_us_is_not_waited_for() {
        let later = now() + 3_000;
        for answer in [
            Answer { status: 429, retry_after: Some(61), ..Answer::default() },
            Answer { status: 403, rate_remaining: Some(0), rate_reset: Some(later), ..Answer::default() },
            Answer {
                status: 403,
                body: br#"{"message":"You have exceeded a secondary rate limit"}"#.to_vec(),
                ..Answer::default()
            },
        ] {
            let client = client(vec![Ok(answer)]);
            let start = Instant::now();
            assert!(matches!(run(client.get::<Value>("/x")), Err(CallError::Unavailable(_))));
            assert!(start.elapsed() < Duration::from_secs(1));
        }
    }

    #[test]
    fn a_list_is_read_to_its_last_page_on_our_host() {
        let page = |link: &str, body: Value| {
            Ok(Answer {
                status: 200,
                link: Some(link.to_owned()),
                body: body.to_string().into_bytes(),
                ..Answer::default()
            })
        };
        let client = client(vec![
            page(
                r#"<https://elsewhere.example/api/v3/x?page=1>; rel="prev", <https://elsewhere.example/api/v3/x?page=2>; rel="next""#,
                json!([1, "odd"]),
            ),
            page(r#"<https://elsewhere.example/api/v3/x?page=2>; rel="last""#, json!([2])),
        ]);
        assert_eq!(run(client.list::<u64>("/x", |it| it)).unwrap(), [1, 2]);
        assert_eq!(client.transport.asked.borrow()[1].path, "/api/v3/x?page=2");
    }

    #[test]
    fn a_renamed_repository_is_followed_with_the_same_method() {
        let moved = Answer {
            status: 301,
            location: Some("https://api.example/repositories/7/issues".to_owned()),
            body: b"{}".to_vec(),
            ..Answer::default()
        };
        let client = client(vec![Ok(moved), ok(&json!({}))]);
        run(client.create::<Value>("/repos/a/b/issues", json!({"title": "x"}))).unwrap();
        let asked = client.transport.asked.borrow();
        assert_eq!((asked[1].method, asked[1].path.as_str()), (Method::Post, "/repositories/7/issues"));
        assert_eq!(asked[1].body, Some(json!({"title": "x"})));
    }

    #[test]
    fn deleting_what_is_gone_is_success() {
        assert!(run(client(vec![status(404, "{}")]).delete("/x")).is_ok());
        assert!(run(client(vec![Ok(Answer { status: 204, ..Answer::default() })]).delete("/x")).is_ok());
    }

    #[test]
    fn a_token_never_shows_itself() {
        let token = Token::new(" ghs_secret\n").unwrap();
        assert_eq!(token.reveal(), "ghs_secret");
        assert!(!format!("{token:?}").contains("secret"));
        assert!(Token::new("two words").is_none() && Token::new(" ").is_none() && Token::new("é").is_none());
    }

    #[test]
    fn the_refusal_is_told_with_its_reasons_on_one_line() {
        let client = client(vec![status(
            422,
            r#"{"message":"Validation Failed","errors":[{"field":"body","code":"custom","message":"body is\ntoo long"},"x"]}"#,
        )]);
        let error = run(client.create::<Value>("/x", json!({}))).unwrap_err();
        assert_eq!(error.to_string(), "GitHub answered 422: Validation Failed; body custom body is too long; x");
    }
}
