CREATE TABLE credential (
    id INTEGER PRIMARY KEY,
    sha256_fingerprint TEXT UNIQUE,
    certificate_pem TEXT,
    chain_pem TEXT,
    private_key BLOB,
    private_key_format TEXT CHECK (private_key_format IN ('pkcs8_pem', 'sealed_v1')),
    not_before TEXT,
    not_after TEXT,
    source TEXT,
    created_at TEXT
);

CREATE TABLE active_tls_server_credential (
    id INTEGER PRIMARY KEY,
    credential_id INTEGER REFERENCES credential (id),
    activated_at TEXT
);

CREATE INDEX active_tls_server_credential_credential
    ON active_tls_server_credential (credential_id);
