//! C16 and C17: how the DEK is wrapped.

use super::lost;
use crate::sandbox::Sandbox;

fn kek_id(sandbox: &Sandbox) -> String {
    let id = sandbox.sql("SELECT lower(hex(key_id)) FROM pkcs11_key");
    id.trim().to_owned()
}

fn delete(sandbox: &Sandbox, id: &str) {
    let arguments = ["--delete-object", "--type", "secrkey", "--id", id];
    sandbox.pkcs11_tool(&arguments);
}

#[test]
fn c16_another_kek_of_the_same_label_is_not_ours() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    sandbox.generate_key("0102030405060708");
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready", "ours is found beside it");

    sandbox.lose_runtime();
    delete(&sandbox, &kek_id(&sandbox));
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_NEW_KEK_WIZARD_COMPLETED",
        "the other one is not taken for it"
    );
}

#[test]
fn c16_another_key_under_our_id_unwraps_nothing() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    let id = kek_id(&sandbox);
    delete(&sandbox, &id);
    sandbox.generate_key(&id);
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(!sandbox.dek_cache().exists());
}

#[test]
fn c16_one_flipped_bit_is_noticed() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    let whole = blob(&sandbox, "encrypted_dek");
    let put = |bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        sandbox.sql(&format!("UPDATE pkcs11_token SET encrypted_dek = x'{hex}'"));
    };
    for at in 0..whole.len() {
        let mut altered = whole.clone();
        altered[at] ^= 1 << (at % 8);
        put(&altered);
        sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    }
    for length in [0, 1, 22, whole.len() - 1] {
        put(&whole[..length]);
        sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    }
    put(&whole);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

fn blob(sandbox: &Sandbox, column: &str) -> Vec<u8> {
    let select = format!("SELECT hex({column}) FROM pkcs11_token, sealing");
    let hex = sandbox.sql(&select);
    let digits: Vec<_> = hex.trim().chars().collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
        .collect()
}

#[test]
fn c16_the_blob_names_its_format_and_its_kek() {
    let sandbox = Sandbox::softhsm();
    let blob = blob(&sandbox, "encrypted_dek");
    assert_eq!(blob[..6], *b"TPDK\x01\x01", "version 1, AES_KEY_WRAP");
    assert_eq!(blob[6], 16);
    let named: String = blob[7..23]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(named, kek_id(&sandbox));
    assert_eq!(blob.len(), 23 + 40, "RFC 3394 adds 8 bytes to the 32");
}

#[test]
fn c17_the_backup_blob_carries_its_salt_and_its_parameters() {
    let (one, two) = (Sandbox::softhsm(), Sandbox::softhsm());
    let stored = [&one, &two].map(|sandbox| blob(sandbox, "bek_encrypted_dek"));
    for blob in &stored {
        assert_eq!(blob[..6], *b"TPBK\x01\x01", "version 1, Argon2id");
        let number = |at: usize| u32::from_be_bytes(blob[at..at + 4].try_into().unwrap());
        assert_eq!((number(6), number(10), number(14)), (64 * 1024, 3, 1));
        assert_eq!(blob.len(), 18 + 16 + 12 + 32 + 16);
    }
    assert_ne!(stored[0][18..34], stored[1][18..34], "the salt is random");
    assert_ne!(stored[0][34..46], stored[1][34..46], "so is the nonce");
}

#[test]
fn c19_where_no_password_can_help_the_report_says_so_and_what_can() {
    let sandbox = lost(Sandbox::softhsm_without_password());
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(
        run.restore_scenario(),
        "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_NOT_CACHED"
    );
    let said = run.warnings();
    assert!(said.contains("no password can help"), "{said}");
    assert!(said.contains("old token back"), "{said}");
    assert!(said.contains("backup"), "{said}");
}

#[test]
fn c19_where_a_password_can_help_the_report_does_not_deny_it() {
    let sandbox = lost(Sandbox::softhsm());
    let run = sandbox.run(&["startup"]).expect(0);
    assert!(!run.warnings().contains("no password can help"));
    assert_eq!(run.step("announce_recovery"), "unchanged");
}
