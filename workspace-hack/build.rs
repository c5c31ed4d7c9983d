//! Does nothing; a crate with build dependencies needs a build script.

fn main() {}
