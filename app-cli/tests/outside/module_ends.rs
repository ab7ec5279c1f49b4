//! A module that ends the process: there is a report all the same.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::{SOFTHSM, Sandbox, put, tool};

/// A SoftHSM node in a new container, whose module does this.
fn disturbed(fault: &str) -> Sandbox {
    let mut sandbox = Sandbox::softhsm();
    sandbox.use_shim();
    sandbox.set("SHIM_FAULT", fault);
    sandbox.new_container();
    sandbox
}

#[test]
fn a_module_that_ends_the_process_is_reported() {
    // C_Initialize, C_Login, C_FindObjects.
    for (fault, word) in [
        ("0:exit", "exit was called in it"),
        ("18:exit", "exit was called in it"),
        ("27:exit", "exit was called in it"),
        ("18:abort", "SIGABRT"),
        ("27:crash", "SIGSEGV"),
    ] {
        let sandbox = disturbed(fault);
        let module = sandbox.path("shim.so").display().to_string();
        let said = sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
        for word in [
            word,
            &module,
            "may be damaged",
            "keep the files of the token",
        ] {
            assert!(said.contains(word), "{fault}: {said}");
        }
        let kept = fs::read_to_string(sandbox.root("run/trustpoint/startup.json")).unwrap();
        assert!(kept.contains(word), "{fault}: {kept}");
        let human = sandbox.run_human(&["status"]).expect(69);
        assert!(human.stderr.contains(word), "{fault}: {}", human.said());
    }
}

#[test]
fn a_check_of_everything_goes_on_after_it() {
    let sandbox = disturbed("18:abort");
    let run = sandbox.run(&["doctor"]).expect(69);
    let checks = run.report["checks"].to_string();
    assert!(checks.contains("SIGABRT"), "{checks}");
    assert!(checks.contains("\"nginx_tls_set\""), "{checks}");
}

#[test]
fn a_node_that_is_up_starts_its_application_although_the_module_ends_the_process_then() {
    // C_Finalize.
    for fault in ["1:exit", "1:crash"] {
        let sandbox = disturbed(fault);
        let run = sandbox.run(&["startup", "--", "sh", "-c", "echo application"]);
        assert_eq!(run.code, 0, "{fault}: {}", run.said());
        assert!(
            run.stdout.contains("application"),
            "{fault}: {}",
            run.said()
        );
    }
}

/// SoftHSM calls `exit` where a length in an object cannot be.
#[test]
fn a_damaged_key_object_is_reported() {
    let sandbox = Sandbox::softhsm();
    sandbox.new_container();
    let mut ended = 0;
    for object in objects(&sandbox) {
        let right = fs::read(&object).unwrap();
        for at in (0..right.len().saturating_sub(8)).step_by(8) {
            let mut wrong = right.clone();
            wrong[at..at + 8].copy_from_slice(&[0x7f; 8]);
            put(&object, &wrong);
            let run = sandbox.run(&["status"]);
            assert!(run.report["outcome"].is_string(), "{at}: {}", run.said());
            let said = run.said();
            ended += usize::from(said.contains("exit was called in it"));
            if said.contains("exit was called in it") {
                run.expect_error(69, "hsm_unavailable");
            }
            put(&object, &right);
            let _ = fs::remove_file(sandbox.root("var/lib/trustpoint/pin-rejected"));
        }
    }
    assert!(ended > 0, "no damage makes SoftHSM call exit");
}

/// The files of the keys on the token.
fn objects(sandbox: &Sandbox) -> Vec<PathBuf> {
    let token = fs::read_dir(sandbox.path("tokens")).unwrap().next();
    let files = fs::read_dir(token.unwrap().unwrap().path()).unwrap();
    files
        .map(|file| file.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.ends_with(".object") && name != "token.object"
        })
        .collect()
}

/// A module in front of SoftHSM whose exit handler would end the process by a signal.
const CRASHES_AT_EXIT: &str = r#"
#define _DEFAULT_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
static void end(int code, void *unused) { abort(); }
unsigned long C_GetFunctionList(void **list) {
    void *module = dlopen(SOFTHSM, RTLD_NOW);
    on_exit(end, 0);
    return ((unsigned long (*)(void **))dlsym(module, "C_GetFunctionList"))(list);
}
"#;

#[test]
fn a_module_that_crashes_at_exit_does_not_fail_a_start_that_worked() {
    let mut sandbox = Sandbox::softhsm();
    let (source, module) = (sandbox.path("module.c"), sandbox.path("module.so"));
    put(&source, CRASHES_AT_EXIT);
    let define = format!("-DSOFTHSM=\"{SOFTHSM}\"");
    let [source, module] = [source, module].map(|path| path.to_str().unwrap().to_owned());
    tool("cc", ["-shared", "-fPIC", &define, "-o", &module, &source]);
    sandbox.set("TRUSTPOINT_HSM_MODULE", &module);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}
