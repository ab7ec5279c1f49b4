//! What the manual says of files is true of a node.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::{Sandbox, is_on_server, put};

#[test]
fn every_file_has_the_mode_that_the_manual_gives() {
    let mut sandbox = Sandbox::new();
    let sources = sandbox.path("static");
    put(&sources.join("site.css"), "");
    let collected = sandbox.path("collected");
    put(
        &sandbox.root("etc/trustpoint/trustpointctl.toml"),
        format!("[static]\nsources = [{sources:?}]\nroot = {collected:?}\n"),
    );
    // The lock and the TLS set, then the ledger and the DEK, then a snapshot.
    sandbox.run(&["startup"]).expect(0);
    sandbox.setup_softhsm().expect(0);
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    sandbox.run(&["startup"]).expect(0);

    let mode = |path: &std::path::Path| {
        let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        format!("{:04o}", metadata.permissions().mode() & 0o7777)
    };
    let mut seen = 0;
    for place in app_cli::manual::places().unwrap() {
        let Some(said) = place.mode else { continue };
        if is_on_server() && place.key == "database.path" && place.path.ends_with(".db") {
            continue;
        }
        // There while the page is served alone: see the tests of that.
        if place.path.ends_with("/page-code") {
            continue;
        }
        let path = match place.key {
            "static.root" => collected.clone(),
            _ => sandbox.root(place.path.trim_start_matches('/')),
        };
        assert_eq!(mode(&path), said, "{path:?}");
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
    for (folder, said) in [
        (sandbox.root("var/lib/trustpoint/snapshots"), "0600"),
        (sandbox.wizard_dir(), "0600"),
        (collected, "0644"),
    ] {
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), said, "{path:?}");
        }
    }
}
