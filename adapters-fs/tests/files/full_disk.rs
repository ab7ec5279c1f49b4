use std::process::Command;

use adapters_fs::NginxTls;
use ports::{TlsSource, TlsStore as _, TlsView};

use crate::child::{save, wrapped};
use crate::support::{Sandbox, credential, names, run};

/// In a mount namespace of its own: a tmpfs, the old set on it, the tmpfs filled, the publication,
/// and the tmpfs copied out for the test to look at.
const SCRIPT: &str = "set -e
cd \"$FILES_TEST_DIRECTORY\"
mount -t tmpfs -o size=64k,mode=0700 tmpfs tls
cp -a before/. tls/
cat /dev/zero > tls/filler 2>/dev/null || true
status=0
\"$0\" \"$@\" > output 2>&1 || status=$?
rm tls/filler
cp -a tls/. after/
exit $status";

#[test]
fn c07_a_full_disk_leaves_the_old_set_and_no_garbage() {
    let allowed = Command::new("unshare").args(["-rm", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        // A container forbids it; the program's own tests have a full disk as well.
        return println!("skipped: this machine gives no mount namespace");
    }
    let sandbox = Sandbox::new();
    for name in ["before", "tls", "after"] {
        std::fs::create_dir(sandbox.join(name)).unwrap();
    }
    let old = NginxTls::new(sandbox.join("before"));
    old.publish(&credential(), TlsSource::Database).unwrap();
    save(&credential(), sandbox.path(), "a");

    let wrapper = ["unshare", "-rm", "sh", "-c", SCRIPT];
    let mut command = wrapped(&wrapper, "publishes_a", sandbox.path());
    let status = run("util-linux", &mut command).status;
    let output = std::fs::read_to_string(sandbox.join("output")).unwrap();
    assert!(!status.success(), "the publication worked: {output}");
    assert!(
        output.contains("kind: StorageFull") && output.contains("writing"),
        "{output}"
    );

    let new = NginxTls::new(sandbox.join("after"));
    assert_eq!(new.view().unwrap(), old.view().unwrap());
    assert!(matches!(new.view().unwrap(), TlsView::Usable(_)));
    assert_eq!(
        names(&sandbox.join("after")),
        names(&sandbox.join("before"))
    );
    assert_eq!(names(&sandbox.join("after/sets")), ["00000001"]);
    new.publish(&credential(), TlsSource::Database).unwrap();
}
