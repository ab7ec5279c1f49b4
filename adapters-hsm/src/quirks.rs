//! What one make of module does and others do not, as data: the code asks for what is in a row, and
//! never for the name of a module.
//!
//! What any module may do is no row, since every one is treated as if it did: that it hangs
//! (`worker`), crashes or ends the process (`last_resort`), keeps threads of its own that do not
//! survive the end of the process (`any_module_started`). And what a token says of itself is no row
//! either: its mechanisms, its generator, its PIN pad (CK_TOKEN_INFO, C_GetMechanismList).

/// How a module has to be treated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Quirks {
    /// It keeps keys in files of this host and never syncs them.
    pub(crate) needs_flush: bool,
    /// What the string for C_Initialize must have in it: with another one the module crashes.
    pub(crate) init_string: Option<&'static str>,
    /// Its tokens are called what that string says, so that a label which is not shown is a matter
    /// of configuration and never a loss.
    pub(crate) label_is_configured: bool,
    /// Its C_InitToken takes any SO PIN and destroys what is there: it is never called.
    pub(crate) may_initialise: bool,
    /// Its CKA_LOCAL of a generated key is true, as PKCS#11 wants it (v3.1, table 27).
    pub(crate) reports_local: bool,
}

/// A module that follows PKCS#11, and keeps its keys itself.
const PLAIN: Quirks = Quirks {
    needs_flush: false,
    init_string: None,
    label_is_configured: false,
    may_initialise: true,
    reports_local: true,
};

/// `manufacturerID` and `libraryDescription` of CK_INFO, and how that module has to be treated.
const TABLE: [(&str, &str, Quirks); 2] = [
    (
        "SoftHSM",
        "Implementation of PKCS11",
        Quirks {
            needs_flush: true,
            ..PLAIN
        },
    ),
    (
        "Mozilla Foundation",
        "NSS Internal Crypto Services",
        Quirks {
            init_string: Some("configdir="),
            label_is_configured: true,
            may_initialise: false,
            reports_local: false,
            ..PLAIN
        },
    ),
];

/// Of the module that says this of itself.
pub(crate) fn of(manufacturer: &str, library: &str) -> Quirks {
    TABLE
        .iter()
        .find(|(maker, name, _)| (*maker, *name) == (manufacturer, library))
        .map_or(PLAIN, |(_, _, quirks)| *quirks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_known_by_both_of_its_names() {
        assert!(of("SoftHSM", "Implementation of PKCS11").needs_flush);
        for (manufacturer, library) in [
            ("SoftHSM", "Another"),
            ("PKCS#11 Kit", "PKCS#11 Kit Proxy Module"),
            ("", ""),
        ] {
            assert_eq!(of(manufacturer, library), PLAIN);
        }
    }
}
