-- The one DEK of the installation: which it is, and what the backup password wraps. The singleton
-- has id 1.
CREATE TABLE sealing (
    id INTEGER PRIMARY KEY,
    dek_check_value BLOB,
    bek_encrypted_dek BLOB,
    bek_set_at TEXT
);

INSERT INTO sealing (id, dek_check_value, bek_encrypted_dek, bek_set_at)
SELECT 1, dek_check_value, bek_encrypted_dek, bek_set_at FROM pkcs11_token WHERE id = 1;

-- A second row never counted for anything, and must not become a copy now.
DELETE FROM pkcs11_key WHERE token_id <> 1;
DELETE FROM pkcs11_token WHERE id <> 1;

-- From here on a row for each token, by its serial number: what that token wraps. Since when is
-- not known of the one from before.
ALTER TABLE pkcs11_token ADD COLUMN wrapped_at TEXT;
ALTER TABLE pkcs11_token DROP COLUMN dek_check_value;
ALTER TABLE pkcs11_token DROP COLUMN bek_encrypted_dek;
ALTER TABLE pkcs11_token DROP COLUMN bek_set_at;
