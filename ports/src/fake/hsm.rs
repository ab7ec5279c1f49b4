//! An HSM in memory, with a switch for each way in which a real one fails.

mod device;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use domain::{InstallationId, KekId};

use crate::{
    Dek, Fault, FaultKind, Hsm, MOST_UNSEEN_TRIES, PinLedger, PinMemory, PinState, Secret, Token,
    TokenQuery, TokenSight, TryEnd, WrapFormat, WrappedDek,
};
use device::FakeToken;
pub use device::{FakeDevice, FakeHsmFailure};

/// The HSM in memory, for one start.
pub struct FakeHsm {
    device: FakeDevice,
    memory: Box<dyn PinMemory>,
    reached: Cell<bool>,
    hung: Cell<bool>,
    tried: Cell<bool>,
    user: RefCell<Option<String>>,
}

fn fault(kind: FaultKind, message: impl Into<String>) -> Fault {
    Fault::new(kind, message, "this is a fake: look at the test")
}

fn hash_of(parts: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

fn rejected_hash(serial: &str, pin: &Secret) -> String {
    format!("$fake${serial}${:016x}", hash_of(&(serial, pin.expose())))
}

fn keystream(kek: &KekId) -> [u8; 32] {
    std::array::from_fn(|index| hash_of(&(kek, index)).to_le_bytes()[0])
}

fn xored(kek: &KekId, bytes: &[u8]) -> Vec<u8> {
    let stream = keystream(kek);
    bytes.iter().zip(stream).map(|(a, b)| a ^ b).collect()
}

impl FakeDevice {
    /// A value for one start.
    #[must_use]
    pub fn hsm(&self, memory: Box<dyn PinMemory>) -> FakeHsm {
        FakeHsm::new(self.clone(), memory)
    }
}

impl FakeHsm {
    fn new(device: FakeDevice, memory: Box<dyn PinMemory>) -> Self {
        Self {
            device,
            memory,
            reached: Cell::new(false),
            hung: Cell::new(false),
            tried: Cell::new(false),
            user: RefCell::new(None),
        }
    }

    fn check(&self) -> Result<(), Fault> {
        if self.hung.get() {
            return Err(fault(
                FaultKind::HsmUnavailable,
                "an earlier call never came back",
            ));
        }
        match self.device.0.borrow().failure {
            None => Ok(()),
            Some(FakeHsmFailure::Hangs) => {
                self.hung.set(true);
                Err(fault(
                    FaultKind::HsmUnavailable,
                    "accepts and never answers",
                ))
            }
            Some(FakeHsmFailure::Unreachable) => {
                Err(fault(FaultKind::HsmUnavailable, "the daemon is down"))
            }
            Some(FakeHsmFailure::DeviceError) if self.reached.get() => {
                Err(fault(FaultKind::HsmUnavailable, "CKR_DEVICE_ERROR"))
            }
            Some(FakeHsmFailure::DeviceError) => Ok(()),
        }
    }

    fn check_reached(&self) -> Result<(), Fault> {
        self.check()?;
        if self.reached.get() {
            Ok(())
        } else {
            Err(fault(FaultKind::Internal, "reach comes first"))
        }
    }

    /// The token of the user who is logged in.
    fn with_user<T>(
        &self,
        act: impl FnOnce(&mut FakeToken) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.check_reached()?;
        let user = self.user.borrow();
        let serial = user
            .as_deref()
            .ok_or_else(|| fault(FaultKind::Internal, "login comes first"))?;
        let mut device = self.device.0.borrow_mut();
        let token = device
            .tokens
            .iter_mut()
            .find(|token| token.serial == serial)
            .ok_or_else(|| fault(FaultKind::HsmUnavailable, "CKR_DEVICE_REMOVED"))?;
        act(token)
    }

    fn show(token: &FakeToken) -> Token {
        Token {
            label: token.label.clone(),
            serial: token.serial.clone(),
            pin: token.state,
            marker: token.marker.clone(),
            wrap_format: token.format,
        }
    }

    fn refuse_by_flags(token: &Token) -> Result<(), Fault> {
        match token.pin {
            PinState::Fine | PinState::CountLow => Ok(()),
            state @ (PinState::FinalTry | PinState::Locked | PinState::NotInitialised) => {
                Err(fault(FaultKind::Denied, format!("the PIN is {state:?}")))
            }
        }
    }

    fn refuse_by_ledger(ledger: &dyn PinLedger, hash: &String) -> Result<(), Fault> {
        if ledger.rejected().contains(hash) {
            let message = "the PIN was already rejected and is not tried again";
            return Err(fault(FaultKind::Denied, message));
        }
        if ledger.unseen() >= MOST_UNSEEN_TRIES {
            return Err(fault(FaultKind::Denied, "nobody saw how two tries ended"));
        }
        Ok(())
    }

    /// Whether the PIN works.
    fn try_pin(&self, serial: &str, pin: &Secret) -> Result<bool, Fault> {
        self.tried.set(true);
        self.device.0.borrow_mut().logins += 1;
        let device = self.device.0.borrow();
        let token = device
            .tokens
            .iter()
            .find(|token| token.serial == serial)
            .ok_or_else(|| fault(FaultKind::HsmUnavailable, "the token is gone"))?;
        Ok(token.pin.as_ref() == Some(pin))
    }
}

impl Hsm for FakeHsm {
    fn reach(&self, patience: Duration, waiting: &mut dyn FnMut(&Fault)) -> Result<String, Fault> {
        if let Err(fault) = self.check() {
            // A fake has no time to wait: one further try stands for all of them.
            if patience.is_zero() || self.hung.get() {
                return Err(fault);
            }
            waiting(&fault);
            self.check()?;
        }
        self.reached.set(true);
        Ok("fake HSM".into())
    }

    fn probe_daemon(&self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    fn find_token(&self, query: &TokenQuery) -> Result<TokenSight, Fault> {
        self.check_reached()?;
        let device = self.device.0.borrow();
        let labelled: Vec<&FakeToken> = device
            .tokens
            .iter()
            .filter(|token| token.label == query.label)
            .collect();
        let serial = |token: &&&FakeToken| Some(&token.serial) == query.serial.as_ref();
        let ours = |token: &&&FakeToken| {
            query.installation.is_some() && token.marker == query.installation
        };
        let chosen = match labelled.as_slice() {
            [] => {
                return Ok(TokenSight::Absent {
                    others: device.tokens.iter().map(|t| t.label.clone()).collect(),
                    free_slot: device.free_slot,
                });
            }
            [only] => Some(only),
            several => several
                .iter()
                .find(serial)
                .or_else(|| several.iter().find(ours)),
        };
        chosen
            .map(|token| TokenSight::Present(Self::show(token)))
            .ok_or_else(|| {
                let serials: Vec<&str> = labelled.iter().map(|t| t.serial.as_str()).collect();
                let message = format!("several tokens: {}", serials.join(", "));
                fault(FaultKind::Config, message)
            })
    }

    fn login(&self, token: &Token, pin: &Secret) -> Result<(), Fault> {
        self.check_reached()?;
        if self.user.borrow().as_deref() == Some(token.serial.as_str()) {
            return Ok(());
        }
        if self.tried.get() {
            return Err(fault(FaultKind::Denied, "a PIN was tried already"));
        }
        Self::refuse_by_flags(token)?;
        if pin.is_empty() {
            return Err(fault(FaultKind::Denied, "the PIN is empty"));
        }
        let hash = rejected_hash(&token.serial, pin);
        let mut ledger = self.memory.open(&token.serial, Duration::ZERO)?;
        Self::refuse_by_ledger(&*ledger, &hash)?;
        ledger.note_try()?;
        match self.try_pin(&token.serial, pin) {
            Ok(true) => {
                *self.user.borrow_mut() = Some(token.serial.clone());
                ledger.end_try(TryEnd::Accepted)
            }
            Ok(false) => {
                ledger.end_try(TryEnd::Rejected { hash })?;
                Err(fault(FaultKind::Denied, "CKR_PIN_INCORRECT"))
            }
            Err(fault) => {
                ledger.end_try(TryEnd::Other)?;
                Err(fault)
            }
        }
    }

    fn has_kek(&self, kek: &KekId) -> Result<bool, Fault> {
        self.with_user(|token| Ok(token.keks.contains(kek)))
    }

    fn unwrap_dek(&self, kek: &KekId, blob: &WrappedDek) -> Result<Dek, Fault> {
        let corrupt = || fault(FaultKind::DataCorrupt, "the wrapped DEK cannot be right");
        if self.device.0.borrow().corrupt_unwrap {
            return Err(corrupt());
        }
        self.with_user(|token| {
            let rest = blob.0.strip_prefix(kek.as_bytes()).ok_or_else(corrupt)?;
            let (sealed, sum) = rest.split_last_chunk::<8>().ok_or_else(corrupt)?;
            let right = token.keks.contains(kek)
                && sealed.len() == 32
                && hash_of(&(kek, sealed)).to_le_bytes() == *sum;
            if !right {
                return Err(corrupt());
            }
            Dek::from_bytes(&xored(kek, sealed)).ok_or_else(corrupt)
        })
    }

    fn wrap_format_of(&self, blob: &WrappedDek) -> Option<WrapFormat> {
        self.kek_of(blob).map(|_| WrapFormat::AesKeyWrap)
    }

    fn kek_of(&self, blob: &WrappedDek) -> Option<KekId> {
        let id = blob.0.len().checked_sub(40)?;
        KekId::new(blob.0.get(..id)?).ok()
    }

    fn wrap_dek(&self, kek: &KekId, dek: &Dek) -> Result<WrappedDek, Fault> {
        self.with_user(|token| {
            if token.format.is_none() {
                return Err(fault(FaultKind::Config, "the token cannot wrap"));
            }
            if !token.keks.contains(kek) {
                return Err(fault(FaultKind::DataCorrupt, "the KEK is not there"));
            }
            let sealed = xored(kek, dek.expose());
            let sum = hash_of(&(kek, sealed.as_slice())).to_le_bytes();
            let parts = [kek.as_bytes(), &sealed, &sum];
            Ok(WrappedDek(parts.concat()))
        })
    }

    fn generate_kek_as(&self, kek: &KekId) -> Result<(), Fault> {
        self.with_user(|token| {
            if token.keks.contains(kek) {
                return Err(fault(FaultKind::Internal, "the KEK is there already"));
            }
            token.keks.push(kek.clone());
            Ok(())
        })
    }

    fn kek_check_value(&self, kek: &KekId) -> Result<Option<Vec<u8>>, Fault> {
        self.with_user(|token| {
            let value = || hash_of(&(kek, "check")).to_le_bytes()[..3].to_vec();
            Ok(token.keks.contains(kek).then(value))
        })
    }

    fn destroy_kek(&self, kek: &KekId) -> Result<bool, Fault> {
        self.with_user(|token| {
            let before = token.keks.len();
            token.keks.retain(|other| other != kek);
            Ok(token.keks.len() < before)
        })
    }

    fn random(&self, length: usize) -> Result<Secret, Fault> {
        self.device.0.borrow_mut().made += 1;
        let made = self.device.0.borrow().made;
        self.with_user(|_| {
            let bytes = (0..length).map(|index| hash_of(&(made, index)).to_le_bytes()[0]);
            Ok(Secret::new(bytes.collect()))
        })
    }

    fn initialise_token(&self, label: &str, so_pin: &Secret, pin: &Secret) -> Result<Token, Fault> {
        self.check_reached()?;
        if so_pin.is_empty() || pin.is_empty() {
            return Err(fault(FaultKind::Denied, "a PIN is empty"));
        }
        let taken = |token: &FakeToken| token.label == label;
        if self.device.0.borrow().tokens.iter().any(taken) {
            return Err(fault(FaultKind::Config, "the token is there already"));
        }
        if !self.device.0.borrow().free_slot {
            return Err(fault(FaultKind::Config, "no slot is free"));
        }
        let serial = self.device.add_token(label, "");
        self.device.with_token(&serial, |token| {
            token.pin = Some(pin.clone());
        });
        let mut shown = None;
        self.device
            .with_token(&serial, |token| shown = Some(Self::show(token)));
        shown.ok_or_else(|| fault(FaultKind::Internal, "the new token is gone"))
    }

    fn mark(&self, installation: &InstallationId) -> Result<(), Fault> {
        self.with_user(|token| match &token.marker {
            Some(other) if other != installation => Err(fault(
                FaultKind::Config,
                format!("the token belongs to {other}"),
            )),
            _ => {
                token.marker = Some(installation.clone());
                Ok(())
            }
        })
    }

    fn is_hung(&self) -> bool {
        self.hung.get()
    }
}
