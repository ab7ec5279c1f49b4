//! A start whose ports fail one by one: what the real parts cannot be made to do.

mod token;

use std::time::Duration;

use domain::{InstallationId, Outcome, StorageType};
use ports::fake::{
    DatabaseCall, FakeBackups, FakeClock, FakeDatabase, FakeDekCache, FakeFileSystem, FakeLock,
    FakeMessages, FakeOutput, FakeSeals, FakeStaticFiles, FakeTlsIssuer, FakeTlsStore,
    FakeWebServer, FakeWizardStore,
};
use ports::{
    CachedDek, Database as _, DekCache as _, Fault, FaultKind, Pins, Secret, TokenRecord,
    TokenSession as _, WizardStore as _,
};

use super::{Mode, Request, run};
use crate::node::{Node, Settings};
use crate::report::{Report, StepResult};

use token::{Call, FakeToken, LABEL};

/// The step that fails, and what makes it.
type Breakage = (&'static str, fn(&World));

const PIN: &str = "1234";

struct OnePin;

impl Pins for OnePin {
    fn user_pin(&self) -> Result<Secret, Fault> {
        Ok(Secret::from(PIN.to_owned()))
    }

    fn so_pin(&self) -> Result<Secret, Fault> {
        self.user_pin()
    }
}

/// A node in memory; what its fakes share is kept over starts.
#[derive(Default)]
struct World {
    database: FakeDatabase,
    token: FakeToken,
    wizard: FakeWizardStore,
    tls: FakeTlsStore,
    issuer: FakeTlsIssuer,
    dek_cache: FakeDekCache,
    static_files: FakeStaticFiles,
    messages: FakeMessages,
    output: FakeOutput,
}

impl World {
    fn node(&self) -> Node {
        Node {
            database: Box::new(self.database.clone()),
            credentials: Box::new(self.database.clone()),
            backups: Box::new(FakeBackups::of(&self.database)),
            seals: Box::new(FakeSeals::default()),
            blobs: Box::new(self.token.clone()),
            hsm: Box::new(self.token.clone()),
            pins: Box::new(OnePin),
            wizard: Box::new(self.wizard.clone()),
            tls: Box::new(self.tls.clone()),
            issuer: Box::new(self.issuer.clone()),
            dek_cache: Box::new(self.dek_cache.clone()),
            static_files: Box::new(self.static_files.clone()),
            file_system: Box::new(FakeFileSystem::default()),
            web_server: Box::new(FakeWebServer::default()),
            messages: Box::new(self.messages.clone()),
            lock: Box::new(FakeLock::default()),
            clock: Box::new(FakeClock::at(time::OffsetDateTime::now_utc())),
            output: Box::new(self.output.clone()),
            settings: settings(),
        }
    }

    fn start(&self) -> (Report, Option<FaultKind>) {
        let mut report = Report::new("startup");
        let request = Request {
            mode: Mode::CarryOut,
            lock_wait: Duration::ZERO,
            accept_new_database: false,
        };
        let result = run(&self.node(), request, &mut report, &mut |_| ());
        (report, result.err().map(|fault| fault.kind()))
    }

    /// A node that was set up with a token and started once.
    fn softhsm() -> Self {
        let world = Self::default();
        assert_eq!(world.start().1, None);
        let node = world.node();
        let kek = FakeToken::kek();
        let dek = node.seals.generate().unwrap();
        let blob = world.token.wrap_dek(&kek, &dek).unwrap();
        node.database.change_storage(StorageType::SoftHsm).unwrap();
        node.database
            .save_token(&TokenRecord {
                label: LABEL.into(),
                serial: world.token.serial(),
                kek: Some(kek),
                encrypted_dek: Some(blob),
                dek_check_value: Some(node.seals.check_value(&dek)),
                module_path: "m".into(),
                backup_encrypted_dek: None,
                backup_password_set_at: None,
                pending_kek: None,
                retired_keks: Vec::new(),
            })
            .unwrap();
        node.database.seal_credentials(&dek).unwrap();
        node.wizard
            .go_to(domain::SetupWizardState::Completed)
            .unwrap();
        let (report, fault) = world.start();
        assert_eq!(
            (report.outcome, fault),
            (Some(Outcome::Ready), None),
            "{report:?}"
        );
        world
    }
}

fn settings() -> Settings {
    Settings {
        app_version: "1.0.0".parse().unwrap(),
        container_id: "c".into(),
        token_label: LABEL.into(),
        token_serial: None,
        module_path: "m".into(),
        hsm_expected: false,
        hsm_configured: false,
        hsm_wait: Duration::ZERO,
        san: vec!["127.0.0.1".into()],
        san_configured: false,
        database_path: "d".into(),
    }
}

#[test]
fn c05_whatever_step_fails_ends_the_start_and_nothing_is_recorded() {
    let failing: [Breakage; 8] = [
        ("migrate_database", |w| {
            w.database.fail(DatabaseCall::Migrate, FaultKind::Io)
        }),
        ("collect_static_files", |w| {
            w.static_files.failures.set("collect", FaultKind::Io)
        }),
        ("compile_messages", |w| {
            w.messages.failures.set("compile", FaultKind::Io)
        }),
        ("configure_storage", |w| {
            w.database
                .fail(DatabaseCall::ConfigureStorage, FaultKind::Io)
        }),
        ("provide_tls", |w| {
            w.tls.failures.set("publish", FaultKind::Io)
        }),
        ("provide_tls", |w| {
            w.database
                .fail(DatabaseCall::SaveActiveCredential, FaultKind::Io)
        }),
        ("set_wizard_state", |w| {
            w.wizard.failures.set("go_to", FaultKind::Io)
        }),
        ("record_start", |w| {
            w.database.fail(DatabaseCall::RecordStart, FaultKind::Io)
        }),
    ];
    for (step, break_it) in failing {
        let world = World::default();
        break_it(&world);
        let (report, fault) = world.start();
        assert_eq!(fault, Some(FaultKind::Io), "{step}");
        let last = report.steps.last().unwrap();
        assert_eq!(
            (last.step.as_str(), last.result),
            (step, StepResult::Failed)
        );
        assert!(world.database.history(10).unwrap().is_empty(), "{step}");
    }
}

#[test]
fn c05_a_step_that_failed_is_made_good_by_the_next_start() {
    let world = World::default();
    world.tls.failures.set("publish", FaultKind::Io);
    assert_eq!(world.start().1, Some(FaultKind::Io));
    world.tls.failures.clear("publish");
    let (report, fault) = world.start();
    assert_eq!(
        (report.outcome, fault),
        (Some(Outcome::SetupRequired), None)
    );
    assert_eq!(report.startup_scenario, Some("DB_INITIALIZED_NO_VERSION"));
}

#[test]
fn c03_an_hsm_that_fails_in_any_way_changes_nothing() {
    for call in [
        Call::Reach,
        Call::Find,
        Call::LogIn,
        Call::HasKek,
        Call::Unwrap,
    ] {
        let world = World::softhsm();
        let revision = world.database.revision();
        world.token.fail_at(call);
        let (report, fault) = world.start();
        assert_eq!(fault, Some(FaultKind::HsmUnavailable), "{call:?}");
        assert!(report.steps.is_empty(), "{report:?}");
        assert_eq!(world.database.revision(), revision);
        assert_eq!(
            world.wizard.read().unwrap().state().unwrap().name(),
            "WIZARD_COMPLETED"
        );
    }
}

#[test]
fn c23_a_token_of_another_installation_is_not_logged_in_to() {
    let world = World::softhsm();
    let theirs = InstallationId::from_random([7; 16]);
    world.token.mark_as(theirs);
    let logins = world.token.logins();
    assert_eq!(world.start().1, Some(FaultKind::Config));
    assert_eq!(world.token.logins(), logins);
}

#[test]
fn c22_a_start_that_fails_takes_back_what_the_kek_gives_again_and_nothing_else() {
    let is_cached = |world: &World| matches!(world.dek_cache.read(), Ok(CachedDek::Present(_)));
    let fails = |world: &World| {
        world
            .database
            .fail(DatabaseCall::RecordStart, FaultKind::Io);
        assert_eq!(world.start().1, Some(FaultKind::Io));
    };
    let world = World::softhsm();
    world.dek_cache.remove().unwrap();
    fails(&world);
    assert!(!is_cached(&world), "this start had cached it");
    // The last copy, and one that stood there before.
    let world = World::softhsm();
    world.token.lose_kek();
    fails(&world);
    assert!(is_cached(&world));
}

#[test]
fn c03_a_token_that_goes_while_it_is_looked_at_is_warned_about() {
    // Seen when it was looked for, and empty when its KEK was asked for.
    let world = World::softhsm();
    world.dek_cache.remove().unwrap();
    world.token.lose_kek();
    let (report, _) = world.start();
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains(&world.token.serial()), "{warnings}");
    assert!(warnings.contains("mounted and readable"), "{warnings}");
}

/// ADR 4: a file that cannot move leaves no mark.
#[test]
fn a_completed_setup_is_not_marked_before_its_file_has_moved() {
    let world = World::softhsm();
    world.database.clear_setup_mark().unwrap();
    let to = domain::SetupWizardState::AutoRestorePassword;
    world.wizard.go_to(to).unwrap();
    world.wizard.failures.set("go_to", FaultKind::Io);
    assert_eq!(world.start().1, Some(FaultKind::Io));
    let record = crate::record::read(&world.node()).unwrap();
    assert_eq!(record.setup_completed_at, None);
}
