//! What is done with the keys of a node that is set up: shown, rotated, given a backup password.

mod password;
mod rotate;
mod show;

use domain::{SchemaState, SetupWizardState, StorageType, WizardState};
use ports::{CachedDek, Dek, Fault, FaultKind, NodeRecord, TokenRecord, TokenSight};

pub use password::{may_use_password, set, verify};
pub use rotate::{Rotation, rotate};
pub use show::show;

use crate::node::Node;
use crate::setup::refuse_schema;
use crate::token;

/// The record of a node whose DEK a token wraps, and which is set up.
struct SealedNode {
    record: NodeRecord,
    token: TokenRecord,
}

impl SealedNode {
    fn read(node: &Node) -> Result<Self, Fault> {
        let record = token::record(node)?;
        refuse_schema(node, &record)?;
        if record.schema != SchemaState::Current {
            return Err(Fault::new(
                FaultKind::Config,
                format!(
                    "the database {} is of an older schema",
                    node.settings.database_path
                ),
                "run `trustpointctl startup` first",
            ));
        }
        let raw = node.wizard.read()?.state();
        let marked = record.setup_completed_at.is_some();
        if SetupWizardState::effective(raw, marked) != WizardState::Completed {
            return Err(Fault::new(
                FaultKind::Config,
                format!(
                    "this node is not set up (the wizard state is {})",
                    raw.map_or("empty", SetupWizardState::name)
                ),
                "run `trustpointctl setup`",
            ));
        }
        if record.storage != Some(StorageType::SoftHsm) {
            return Err(Fault::new(
                FaultKind::Config,
                format!(
                    "this node has no SoftHSM storage (it has {}): it has no KEK, no DEK and no \
                     backup password",
                    record.storage.map_or("none", StorageType::name)
                ),
                "nothing is to be done here; a backup of software storage can be encrypted on its way: \
                 `trustpointctl backup create - | age -p > FILE`",
            ));
        }
        match record.token.clone() {
            Some(token) => Ok(Self { record, token }),
            None => token::stored(node).map(|token| Self { record, token }),
        }
    }

    /// The DEK: of the cache where it is there, which needs no login, else unwrapped by the KEK.
    fn dek(&self, node: &Node) -> Result<Dek, Fault> {
        if let Some(dek) = self.cached(node)? {
            return Ok(dek);
        }
        let pin = node.pins.user_pin()?;
        node.hsm.reach(node.settings.hsm_wait, &mut |fault| {
            node.output.debug(&format!("waiting for the HSM: {fault}"));
        })?;
        match node
            .hsm
            .find_token(&token::query(node, Some(&self.record)))?
        {
            TokenSight::Present(token) => {
                token::refuse_foreign(node, &token, self.record.installation.as_ref())?;
                node.hsm.login(&token, &pin)?;
                match self.unwrapped(node)? {
                    Some(dek) => Ok(dek),
                    None => Err(out_of_reach(node)),
                }
            }
            TokenSight::Absent { .. } => Err(out_of_reach(node)),
        }
    }

    /// The cached DEK, where it is the one that seals this database.
    fn cached(&self, node: &Node) -> Result<Option<Dek>, Fault> {
        Ok(match node.dek_cache.read()? {
            CachedDek::Present(dek) if self.is_ours(node, &dek) => Some(dek),
            CachedDek::Present(_) | CachedDek::Absent | CachedDek::Unusable(_) => None,
        })
    }

    /// The DEK that the KEK on the token unwraps; `None` where the KEK is not there. Needs a login.
    fn unwrapped(&self, node: &Node) -> Result<Option<Dek>, Fault> {
        let (Some(kek), Some(blob)) = (&self.token.kek, &self.token.encrypted_dek) else {
            return Ok(None);
        };
        if !node.hsm.has_kek(kek)? {
            return Ok(None);
        }
        let dek = node.hsm.unwrap_dek(kek, blob)?;
        if self.is_ours(node, &dek) {
            Ok(Some(dek))
        } else {
            Err(Fault::new(
                FaultKind::DataCorrupt,
                format!(
                    "the DEK that the KEK {kek} unwraps is not the one that seals {}",
                    node.settings.database_path
                ),
                "restore a backup or snapshot of the database",
            ))
        }
    }

    fn is_ours(&self, node: &Node, dek: &Dek) -> bool {
        self.token.dek_check_value.as_ref() == Some(&node.seals.check_value(dek))
    }
}

fn out_of_reach(node: &Node) -> Fault {
    Fault::new(
        FaultKind::Config,
        format!(
            "the DEK is out of reach: the KEK that wraps it is not on the token {:?}, and no DEK \
             is cached",
            node.settings.token_label
        ),
        "bring the old token back, or run `trustpointctl startup` and then `trustpointctl \
         recover` with the backup password",
    )
}

/// Bytes as they are shown.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
