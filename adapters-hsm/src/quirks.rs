//! What one make of module does and others do not, by what it says of itself (C_GetInfo).

/// How a module has to be treated.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Quirks {
    /// It keeps keys in files of this host and never syncs them.
    pub(crate) needs_flush: bool,
}

/// `manufacturerID`, `libraryDescription`, and how that module has to be treated.
const TABLE: [(&str, &str, Quirks); 1] = [(
    "SoftHSM",
    "Implementation of PKCS11",
    Quirks { needs_flush: true },
)];

/// Of the module that says this of itself.
pub(crate) fn of(manufacturer: &str, library: &str) -> Quirks {
    TABLE
        .iter()
        .find(|(maker, name, _)| (*maker, *name) == (manufacturer, library))
        .map_or_else(Quirks::default, |(_, _, quirks)| *quirks)
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
            assert_eq!(of(manufacturer, library), Quirks::default());
        }
    }
}
