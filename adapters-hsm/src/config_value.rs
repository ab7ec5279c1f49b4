//! A value of the configuration that cannot be right.

/// What is wrong with a value. It does not name the key: its reader knows it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigValueError {
    /// A daemon's address.
    #[error("the daemon address {text:?} is malformed: {why}")]
    Daemon {
        /// The address.
        text: String,
        /// Why.
        why: &'static str,
    },
    /// A PKCS#11 URI. It is not shown: it may hold a PIN.
    #[error("the PKCS#11 URI is malformed: {0}")]
    Uri(String),
    /// A URI with a PIN in it.
    #[error("the PKCS#11 URI has the attribute {0}: a PIN is never taken from a URI")]
    PinInUri(String),
    /// A URI that names an object.
    #[error("the PKCS#11 URI has the attribute {0}: the key is not chosen by configuration")]
    ObjectInUri(String),
    /// A URI with an attribute that is not taken.
    #[error(
        "the PKCS#11 URI has the attribute {0}: this program knows token, serial and module-path \
         alone"
    )]
    UnknownInUri(String),
}
