CREATE TABLE pkcs11_token (
    id INTEGER PRIMARY KEY,
    label TEXT,
    serial TEXT,
    module_path TEXT,
    encrypted_dek BLOB,
    bek_encrypted_dek BLOB,
    dek_check_value BLOB,
    created_at TEXT,
    last_updated TEXT
);

CREATE TABLE pkcs11_key (
    id INTEGER PRIMARY KEY,
    token_id INTEGER REFERENCES pkcs11_token (id) ON DELETE CASCADE,
    label TEXT,
    key_id BLOB,
    created_at TEXT
);

CREATE INDEX pkcs11_key_token ON pkcs11_key (token_id);
