//! Wrapping (C16) where the token offers less than SoftHSM does, or fails.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code outside of the test functions themselves"
)]

mod common;

use std::fs;

use common::{Sandbox, StoreRig, isolated, logged_in, module, present, unavailable};
use ports::contract::token::suite;
use ports::{Dek, FaultKind, TokenError, TokenSession, WrapFormat, WrappedDek};

/// CKM_AES_KEY_WRAP and CKM_AES_KEY_WRAP_KWP.
const HIDE_KEY_WRAPS: (&str, &str) = ("SHIM_HIDE", "2109,210B");

#[test]
fn c16_without_the_key_wrap_gcm_keeps_the_contract() {
    let test = "c16_without_the_key_wrap_gcm_keeps_the_contract";
    isolated(test, &[HIDE_KEY_WRAPS], |sandbox| {
        let path = sandbox.module("shim.c");
        suite(&mut || Box::new(StoreRig::new(sandbox, path.clone())));
        let token = present(&module(sandbox.shimmed()), "Contract-Token");
        assert_eq!(token.info().wrap_format, Some(WrapFormat::AesGcm));
    });
}

/// Which has AES_KEY_WRAP_KWP, as SoftHSM has not.
const ON_SOFTOKN: (&str, &str) = ("TEST_TOKEN", "softokn");

#[test]
fn c16_without_the_key_wrap_the_padded_one_keeps_the_contract() {
    let test = "c16_without_the_key_wrap_the_padded_one_keeps_the_contract";
    let environment = [ON_SOFTOKN, ("SHIM_HIDE", "2109")];
    isolated(test, &environment, |sandbox| {
        let path = sandbox.module("shim.c");
        suite(&mut || Box::new(StoreRig::new(sandbox, path.clone())));
        let token = present(&module(sandbox.shimmed()), "Contract-Token");
        assert_eq!(token.info().wrap_format, Some(WrapFormat::AesKeyWrapKwp));
    });
}

#[test]
fn c16_a_blob_of_the_padded_key_wrap_is_unwrapped_as_such() {
    let test = "c16_a_blob_of_the_padded_key_wrap_is_unwrapped_as_such";
    let environment = [ON_SOFTOKN, ("SHIM_HIDE", "2109")];
    isolated(test, &environment, |sandbox| {
        sandbox.token("T");
        let dek = Dek::from_bytes(&[3; 32]).unwrap();
        let shimmed = logged_in(&module(sandbox.shimmed()), "T");
        let kek = shimmed.generate_kek().unwrap();
        let padded = shimmed.wrap_dek(&kek, &dek).unwrap();
        assert_eq!((padded.0[5], padded.0.len()), (4, 4 + 3 + 16 + 40));
        drop(shimmed);
        let direct = logged_in(&module(sandbox.direct()), "T");
        assert!(direct.unwrap_dek(&kek, &padded).unwrap().is_same(&dek));
        let mut altered = padded;
        *altered.0.last_mut().unwrap() ^= 1;
        let fault = direct.unwrap_dek(&kek, &altered).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::DataCorrupt, "{fault}");
        assert_eq!(direct.wrap_dek(&kek, &dek).unwrap().0[5], 1);
    });
}

#[test]
fn c16_a_blob_is_unwrapped_in_its_own_format() {
    let test = "c16_a_blob_is_unwrapped_in_its_own_format";
    isolated(test, &[HIDE_KEY_WRAPS], |sandbox| {
        sandbox.token("T");
        let dek = Dek::from_bytes(&[3; 32]).unwrap();
        let shimmed = logged_in(&module(sandbox.shimmed()), "T");
        let kek = shimmed.generate_kek().unwrap();
        let gcm = shimmed.wrap_dek(&kek, &dek).unwrap();
        assert_eq!((gcm.0[5], gcm.0.len()), (2, 4 + 3 + 16 + 12 + 48));
        let again = shimmed.wrap_dek(&kek, &dek).unwrap();
        assert_ne!(gcm, again, "a random IV each time");
        drop(shimmed);
        let direct = logged_in(&module(sandbox.direct()), "T");
        assert!(direct.unwrap_dek(&kek, &gcm).unwrap().is_same(&dek));
        assert_eq!(direct.wrap_dek(&kek, &dek).unwrap().0[5], 1);
    });
}

#[test]
fn c16_a_format_that_the_token_lacks_is_a_config_fault() {
    // C_UnwrapKey: MECHANISM_INVALID.
    let environment = [("SHIM_FAULT", "61:70"), ("SHIM_ONCE", "{dir}/on")];
    let test = "c16_a_format_that_the_token_lacks_is_a_config_fault";
    isolated(test, &environment, |sandbox| {
        let (session, kek, blob, on) = wrapped(sandbox);
        fs::remove_file(on).unwrap();
        let fault = session.unwrap_dek(&kek, &blob).unwrap_err();
        assert!(
            matches!(fault, TokenError::MechanismMissing { .. }),
            "{fault}"
        );
        assert!(fault.to_string().contains("AES_KEY_WRAP"), "{fault}");
    });
}

/// A wrapped DEK on the shim, whose faults begin when the file is removed.
fn wrapped(
    sandbox: &Sandbox,
) -> (
    Box<dyn TokenSession>,
    domain::KekId,
    WrappedDek,
    camino::Utf8PathBuf,
) {
    sandbox.token("T");
    let on = sandbox.file("on", b"");
    let session = logged_in(&module(sandbox.shimmed()), "T");
    let kek = session.generate_kek().unwrap();
    let dek = Dek::from_bytes(&[3; 32]).unwrap();
    let blob = session.wrap_dek(&kek, &dek).unwrap();
    (session, kek, blob, on)
}

#[test]
fn c03_a_token_that_cannot_unwrap_at_all_does_not_make_the_blob_corrupt() {
    // C_UnwrapKey for ever: GENERAL_ERROR, DEVICE_ERROR and WRAPPED_KEY_INVALID, which SoftHSM,
    // kryoptic and NSS say of a flipped bit.
    for fault in ["61:5", "61:30", "61:110"] {
        let test = "c03_a_token_that_cannot_unwrap_at_all_does_not_make_the_blob_corrupt";
        isolated(test, &[("SHIM_FAULT", fault)], |sandbox| {
            sandbox.token("T");
            let direct = logged_in(&module(sandbox.direct()), "T");
            let kek = direct.generate_kek().unwrap();
            let dek = Dek::from_bytes(&[3; 32]).unwrap();
            let blob = direct.wrap_dek(&kek, &dek).unwrap();
            drop(direct);
            let session = logged_in(&module(sandbox.shimmed()), "T");
            unavailable(&session.unwrap_dek(&kek, &blob).unwrap_err(), "CKR_");
            // C16: what cannot be unwrapped is not given to the caller to store.
            unavailable(&session.wrap_dek(&kek, &dek).unwrap_err(), "CKR_");
        });
        if std::env::var_os("HSM_TEST_CHILD").is_some() {
            return;
        }
    }
}

#[test]
fn c16_a_failed_unwrap_is_judged_by_a_probe_and_not_by_its_code() {
    let test = "c16_a_failed_unwrap_is_judged_by_a_probe_and_not_by_its_code";
    for fault in ["61:5", "61:30", "61:110"] {
        let environment = [("SHIM_FAULT", fault), ("SHIM_ONCE", "{dir}/on")];
        isolated(test, &environment, |sandbox| {
            let (session, kek, blob, on) = wrapped(sandbox);
            fs::remove_file(&on).unwrap();
            // The device's failure, and it is over.
            session.unwrap_dek(&kek, &blob).unwrap();
            let mut altered = blob.clone();
            *altered.0.last_mut().unwrap() ^= 1;
            fs::remove_file(&on).unwrap();
            let error = session.unwrap_dek(&kek, &altered).unwrap_err();
            assert_eq!(error.kind(), FaultKind::DataCorrupt, "{error}");
            // The device is still asked for what is whole.
            session.unwrap_dek(&kek, &blob).unwrap();
        });
        if std::env::var_os("HSM_TEST_CHILD").is_some() {
            return;
        }
    }
}

#[test]
fn a_token_without_an_authenticated_mechanism_is_a_config_fault() {
    // C_GetMechanismInfo: MECHANISM_INVALID for every one.
    let test = "a_token_without_an_authenticated_mechanism_is_a_config_fault";
    isolated(test, &[("SHIM_FAULT", "8:70")], |sandbox| {
        sandbox.token("T");
        let session = logged_in(&module(sandbox.shimmed()), "T");
        assert_eq!(session.info().wrap_format, None);
        let kek = session.new_kek_id().unwrap();
        let fault = session.generate_kek_as(&kek).unwrap_err();
        assert!(
            matches!(fault, TokenError::NoWrapMechanism { .. }),
            "{fault}"
        );
        assert!(
            !session.has_kek(&kek).unwrap(),
            "no key is left that is of no use"
        );
    });
}
