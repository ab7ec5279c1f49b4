//! What the page calls what use cases name in reports.

use domain::StorageType;
use ports::FaultKind;
use usecases::report::StepResult;

use crate::texts;

/// A storage, and what it means.
pub const fn of_storage(storage: StorageType) -> (&'static str, &'static str) {
    match storage {
        StorageType::Software => (texts::SOFTWARE, texts::SOFTWARE_HINT),
        StorageType::SoftHsm => (texts::SOFTHSM, texts::SOFTHSM_HINT),
        StorageType::PhysicalHsm => (texts::PHYSICAL_HSM, texts::PHYSICAL_HSM_HINT),
    }
}

/// A kind of failure.
pub const fn of_fault(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Usage => texts::FAULT_USAGE,
        FaultKind::VersionDowngrade => texts::FAULT_VERSION,
        FaultKind::StorageUnsupported => texts::FAULT_STORAGE,
        FaultKind::DataCorrupt => texts::FAULT_DATA,
        FaultKind::HsmUnavailable => texts::FAULT_HSM,
        FaultKind::DatabaseUnavailable => texts::FAULT_DATABASE,
        FaultKind::Internal => texts::FAULT_INTERNAL,
        FaultKind::Io => texts::FAULT_IO,
        FaultKind::Busy => texts::FAULT_BUSY,
        FaultKind::Denied => texts::FAULT_DENIED,
        FaultKind::Config => texts::FAULT_CONFIG,
    }
}

/// What a step of a setup or a recovery is about.
pub fn of_step(name: &str) -> Option<&'static str> {
    Some(match name {
        "cache_dek" => texts::STEP_CACHE_DEK,
        "configure_storage" => texts::STEP_STORAGE,
        "destroy_kek" => texts::STEP_DESTROY_KEK,
        "generate_kek" => texts::STEP_KEK,
        "initialise_token" => texts::STEP_TOKEN,
        "migrate_database" => texts::STEP_DATABASE,
        "provide_tls" => texts::STEP_TLS,
        "reload_web_server" => texts::STEP_RELOAD,
        "save_credential" => texts::STEP_SAVE_TLS,
        "scrub_database" => texts::STEP_SCRUB,
        "seal_credentials" => texts::STEP_SEAL,
        "set_backup_password" => texts::STEP_PASSWORD,
        "set_wizard_state" => texts::STEP_WIZARD,
        "snapshot_database" => texts::STEP_SNAPSHOT,
        "unwrap_dek" => texts::STEP_UNWRAP,
        "wrap_dek" => texts::STEP_WRAP,
        _ => return None,
    })
}

/// How a step ended.
pub const fn of_result(result: StepResult) -> &'static str {
    match result {
        StepResult::Done => texts::STEP_DONE,
        StepResult::Unchanged | StepResult::Planned => texts::STEP_OK,
        StepResult::Skipped => texts::STEP_SKIPPED,
        StepResult::Failed => texts::STEP_FAILED,
    }
}
