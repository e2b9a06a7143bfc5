//! loadgate: judges load-test results against a committed baseline.
//!
//! The flow, one function per arrow: `artifact -> run -> comparison -> verdict -> report -> publish`.
//! [`pipeline`] is the whole program on one page. The modules below stand in the order of that flow; each knows only those
//! above it (a test holds this). The library exists for the binary and the tests: it is *not* a stable API.

pub mod excerpt;
pub mod files;
pub mod run;

pub mod artifact;
pub mod format;
pub mod github;

pub mod baseline;
pub mod policy;

pub mod config;

pub mod compare;
pub mod verdict;

pub mod report;

pub mod history;
pub mod site;

pub mod publish;

pub mod schema;

pub mod locust;
pub mod simulate;

pub mod cli;

pub mod settings;

pub mod pipeline;

pub mod commands;
