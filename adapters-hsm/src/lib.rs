//! The HSM port on PKCS#11: module, daemon, token, PIN budget, KEK and wrapping.
