CREATE TABLE pkcs11_token (
    id BIGINT PRIMARY KEY,
    label TEXT,
    serial TEXT,
    module_path TEXT,
    encrypted_dek BYTEA,
    bek_encrypted_dek BYTEA,
    dek_check_value BYTEA,
    created_at TEXT,
    last_updated TEXT
);

CREATE TABLE pkcs11_key (
    id BIGINT PRIMARY KEY,
    token_id BIGINT REFERENCES pkcs11_token (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    label TEXT,
    key_id BYTEA,
    created_at TEXT
);

CREATE INDEX pkcs11_key_token ON pkcs11_key (token_id);
