//! Suites of static files and messages.

use super::cases::kind_of;
use crate::{FaultKind, Messages, StaticFiles};

/// A static root and its sources, fresh for one case.
pub trait StaticFilesRig {
    /// Puts a file into one of the two sources, 0 before 1.
    fn put(&self, source: usize, path: &str, content: &[u8]);

    /// The collector, with both sources configured.
    fn open(&self) -> Box<dyn StaticFiles>;

    /// A collected file.
    fn collected(&self, path: &str) -> Option<Vec<u8>>;
}

/// Suite of [`StaticFiles`].
pub fn static_files(fresh: &mut dyn FnMut() -> Box<dyn StaticFilesRig>) {
    let rig = fresh();
    rig.put(0, "css/site.css", b"a {}");
    rig.put(1, "css/site.css", b"b {}");
    rig.put(1, "js/app.js", b"");
    rig.open().check().unwrap();
    assert_eq!(
        rig.collected("css/site.css"),
        None,
        "a check changes nothing"
    );
    let report = rig.open().collect().unwrap();
    assert_eq!((report.written, report.unchanged), (2, 0));
    assert!(!report.nothing_configured);
    assert_eq!(rig.collected("css/site.css").unwrap(), b"a {}");
    assert_eq!(rig.collected("js/app.js").unwrap(), b"");
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("css/site.css"));

    let report = rig.open().collect().unwrap();
    assert_eq!((report.written, report.unchanged), (0, 2));

    rig.put(0, "css/site.css", b"c {}");
    let report = rig.open().collect().unwrap();
    assert_eq!((report.written, report.unchanged), (1, 1));
    assert_eq!(rig.collected("css/site.css").unwrap(), b"c {}");
}

/// A locale directory, fresh for one case.
pub trait MessagesRig {
    /// Puts a file there.
    fn put(&self, path: &str, content: &[u8]);

    /// The compiler, with the languages `de` and `en` configured.
    fn open(&self) -> Box<dyn Messages>;

    /// A compiled file.
    fn compiled(&self, path: &str) -> Option<Vec<u8>>;
}

/// Suite of [`Messages`].
pub fn messages(fresh: &mut dyn FnMut() -> Box<dyn MessagesRig>) {
    const DE: &str = "de/LC_MESSAGES/django";
    const EN: &str = "en/LC_MESSAGES/django";
    let right = b"msgid \"Hello\"\nmsgstr \"Hallo\"\n";

    let rig = fresh();
    rig.put(&format!("{DE}.po"), right);
    rig.put(&format!("{EN}.po"), b"msgid \"Hello\"\nmsgstr \"Hello\n");
    let fault = rig.open().check().unwrap_err();
    assert!(fault.to_string().contains(&format!("{EN}.po:2")), "{fault}");
    let fault = rig.open().compile().unwrap_err();
    assert!(fault.to_string().contains(&format!("{EN}.po:2")), "{fault}");
    assert_eq!(kind_of(Err::<(), _>(fault)), FaultKind::DataCorrupt);
    assert_eq!(
        rig.compiled(&format!("{DE}.mo")),
        None,
        "all are parsed before the first is written"
    );

    rig.put(&format!("{EN}.po"), right);
    let compiler = rig.open();
    compiler.check().unwrap();
    assert_eq!(
        rig.compiled(&format!("{DE}.mo")),
        None,
        "a check changes nothing"
    );
    // What was checked is not what is compiled, where it was changed since.
    rig.put(&format!("{EN}.po"), b"msgid \"Hello\"\nmsgstr \"Hello\n");
    assert!(compiler.compile().is_err());
    rig.put(&format!("{EN}.po"), right);
    let report = rig.open().compile().unwrap();
    assert_eq!((report.written, report.unchanged), (2, 0));
    assert!(rig.compiled(&format!("{DE}.mo")).is_some());
    let report = rig.open().compile().unwrap();
    assert_eq!((report.written, report.unchanged), (0, 2));
}
