//! Reads and writes baseline files.
