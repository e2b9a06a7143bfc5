//! loadgate, the program.

fn main() {}
