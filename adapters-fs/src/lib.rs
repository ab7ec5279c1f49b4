//! The file ports: Nginx TLS set, TLS issuer, wizard state, DEK cache, lock, static files, messages.
