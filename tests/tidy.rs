//! Shape of the repository.
fn main() {}
