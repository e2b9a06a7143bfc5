//! One integration binary, one module per subject: linking happens once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails, and helpers of tests are part of them"
)]

mod action;
mod blocks;
mod cli;
mod corpus;
mod crash;
mod damage;
mod docs;
mod escape;
mod examples;
mod figures;
mod files;
mod first_use;
mod formats;
mod gate;
mod github;
mod hostile;
mod house;
mod jmeter;
mod merge;
mod pages;
mod release;
mod reports;
mod schema;
mod secrets;
mod seed;
mod simulate;
mod workflows;
