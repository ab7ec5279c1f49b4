//! Bad input: each with its exit code, a message that names the file and what to do, and nothing
//! changed.

mod configuration;
mod database;
mod disk;
mod endless;
mod files;
mod hsm;
mod keys;
mod users;

/// What the error says names each of these.
#[track_caller]
fn assert_names(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}
