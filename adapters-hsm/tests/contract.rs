//! The contract suite on the real tokens: `cargo xtask test --token NAME`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code outside of the test functions themselves"
)]

mod common;

use common::{StoreRig, isolated};
use ports::contract::token::suite;

#[test]
fn the_token_keeps_the_contract() {
    isolated("the_token_keeps_the_contract", &[], |sandbox| {
        let module = sandbox.direct().module;
        suite(&mut || Box::new(StoreRig::new(sandbox, module.clone())));
    });
}
