//! A GitHub in memory, for trying workflows out: `cargo run --example fake-github -- [PORT] [SEED.json]`.
//!
//! It is the one that the tests use (`tests/it/github/fake.rs`): the repository `octo/shop`, strict about requests. Point
//! `GITHUB_API_URL` at it; `GET /_state` shows what it holds, every request it got, and what was wrong with them.
//! The seed: `{"files": {"main": {"path": "text"}}, "commits": {"SHA": "main"}, "pulls": [], "issues": [], "comments": [],
//! "labels": [], "permissions": {"issues": "read"}, "protected": ["main"], "token": "…", "lag": 0}`.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::exit,
    clippy::missing_panics_doc,
    reason = "the fake is test code, and this is its door"
)]

#[path = "../tests/it/github/fake.rs"]
mod fake;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().map_or(8099, |port| port.parse().expect("the first argument is a port"));
    let fake = fake::Fake::start(port);
    if let Some(path) = arguments.next() {
        let text = std::fs::read_to_string(&path).expect("the second argument is a readable file");
        fake.state().seed(&serde_json::from_str(&text).expect("the seed is JSON"));
    }
    println!("{}", fake.url());
    loop {
        std::thread::park();
    }
}
