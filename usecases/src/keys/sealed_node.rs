//! A node whose DEK a token wraps, and which is set up.

use domain::{CacheCopy, SchemaState, SetupWizardState, StorageType};
use ports::{CachedDek, Dek, NodeRecord, TokenCopy, TokenSession};

use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;
use crate::session::{self, Unwrapped};
use crate::setup::ensure_schema;
use crate::{dek_ways, record, storage};

/// The record of a node whose DEK a token wraps, and which is set up.
pub(super) struct SealedNode {
    /// Its storage, which is an HSM.
    pub(super) hsm: StorageType,
    pub(super) record: NodeRecord,
}

impl SealedNode {
    pub(super) fn read(node: &Node) -> Result<Self, Error> {
        let record = record::read(node)?;
        ensure_schema(node, &record)?;
        if record.schema != SchemaState::Current {
            let database = node.settings.database_path.clone();
            return Err(Refused::OlderSchema { database }.into());
        }
        let raw = node.host.wizard.read()?.state();
        if !dek_ways::is_completed(&record, raw) {
            let state = raw.map_or("empty", SetupWizardState::name);
            return Err(Refused::NotSetUp { state }.into());
        }
        storage::ensure_served(node, record.storage)?;
        let Some(hsm) = record.storage.filter(|storage| storage.is_hsm()) else {
            let storage = record.storage.map_or("none", StorageType::name);
            return Err(Refused::NoKeys { storage }.into());
        };
        if !record.sealing.is_sealed() {
            dek_ways::ensure_consistent(node, &record, true, None, None)?;
        }
        Ok(Self { hsm, record })
    }

    /// The DEK: of the cache where it is there, which needs no login, else unwrapped by the KEK.
    pub(super) fn dek(&self, node: &Node) -> Result<Dek, Error> {
        if let Some(dek) = self.cached(node)? {
            return Ok(dek);
        }
        let pin = node.secrets.pins.user_pin()?;
        let wait = node.settings.hsm_wait;
        let unwrapped = match session::open(node, wait, &self.record, || Ok(pin))? {
            Some(session) => match self.copy_for(node, &*session)? {
                Some(copy) => self.unwrapped(node, &*session, &copy)?,
                None => None,
            },
            None => None,
        };
        unwrapped.ok_or_else(|| self.out_of_reach(node).into())
    }

    /// The cached DEK, where it is the one that seals this database.
    pub(super) fn cached(&self, node: &Node) -> Result<Option<Dek>, Error> {
        let cached = node.secrets.cache.read()?;
        let is_ours = dek_ways::cache_copy(node, &self.record.sealing, &cached) == CacheCopy::Ours;
        Ok(match cached {
            CachedDek::Present(dek) if is_ours => Some(dek),
            CachedDek::Present(_) | CachedDek::Absent | CachedDek::Unusable(_) => None,
        })
    }

    /// The copy that this token is asked for, with the KEK that its wrapped DEK names where the
    /// database names another or none.
    pub(super) fn copy_for(
        &self,
        node: &Node,
        session: &dyn TokenSession,
    ) -> Result<Option<TokenCopy>, Error> {
        let Some(copy) = session::copy_for(node, session, &self.record.sealing)? else {
            return Ok(None);
        };
        Ok(Some(TokenCopy {
            kek: dek_ways::kek_by_blob(node, session, copy)?,
            ..copy.clone()
        }))
    }

    /// The DEK that the KEK on the token unwraps; `None` where the KEK is not there.
    pub(super) fn unwrapped(
        &self,
        node: &Node,
        session: &dyn TokenSession,
        copy: &TokenCopy,
    ) -> Result<Option<Dek>, Error> {
        if copy.wrapped.is_none() {
            return Ok(None);
        }
        match session::unwrap(session, copy)? {
            Unwrapped::NoKek | Unwrapped::NothingWrapped => Ok(None),
            Unwrapped::Damaged(fault) => Err(fault),
            Unwrapped::Dek(dek) => {
                dek_ways::ensure_consistent(node, &self.record, true, Some(copy), Some(&dek))?;
                Ok(Some(dek))
            }
        }
    }

    pub(super) fn out_of_reach(&self, node: &Node) -> Refused {
        Refused::LostDek {
            label: node.settings.token_label.clone(),
            way_back: dek_ways::way_back_without_kek(node, &self.record),
        }
    }
}
