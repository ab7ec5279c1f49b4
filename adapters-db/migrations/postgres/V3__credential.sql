CREATE TABLE credential (
    id BIGINT PRIMARY KEY,
    sha256_fingerprint TEXT UNIQUE,
    certificate_pem TEXT,
    chain_pem TEXT,
    private_key BYTEA,
    private_key_format TEXT CHECK (private_key_format IN ('pkcs8_pem', 'sealed_v1')),
    not_before TEXT,
    not_after TEXT,
    source TEXT,
    created_at TEXT
);

CREATE TABLE active_tls_server_credential (
    id BIGINT PRIMARY KEY,
    credential_id BIGINT REFERENCES credential (id) DEFERRABLE INITIALLY DEFERRED,
    activated_at TEXT
);

CREATE INDEX active_tls_server_credential_credential
    ON active_tls_server_credential (credential_id);
