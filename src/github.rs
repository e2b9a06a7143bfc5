//! GitHub, seen from inside a workflow step: the event and environment, the inputs, and the words a step may say to its runner.

pub mod api;
pub mod client;
pub mod commands;
pub mod context;
pub mod inputs;
