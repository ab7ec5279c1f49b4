//! Rules that several corrections rest on: what waits for a password is kept as it is.

use super::{lost, rows};
use crate::sandbox::Sandbox;

#[test]
fn c12_a_lost_kek_touches_neither_database_nor_token() {
    let sandbox = lost(Sandbox::softhsm());
    let database = sandbox.dump();
    let tokens = sandbox.store().count().unwrap();
    for _ in 0..3 {
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.tls_source(), "temporary");
    }
    assert_eq!(sandbox.dump(), database);
    let made = sandbox.store().count().unwrap();
    assert_eq!(made, tokens, "no token is made by a start");
    assert_eq!(rows(&sandbox, "credential"), 1);
    super::assert_usable(&sandbox);
}

#[test]
fn c22_a_dek_that_only_the_cache_has_is_kept_and_warned_about() {
    let sandbox = Sandbox::softhsm();
    let dek = std::fs::read(sandbox.dek_cache()).unwrap();
    sandbox.lose_token();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert!(run.warnings().contains("cache alone"), "{}", run.warnings());
    sandbox.run(&["setup", "--reset"]).expect(0);
    sandbox.run(&["startup"]).expect(0);
    assert_eq!(std::fs::read(sandbox.dek_cache()).unwrap(), dek);
}
