//! An HSM in memory, with a switch for each way in which a real one fails.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use domain::{InstallationId, KekId};

use crate::{
    Dek, Fault, FaultKind, Hsm, PinMemory, PinState, RejectedPin, Secret, Token, TokenQuery,
    TokenSight, WrapFormat, WrappedDek,
};

/// Rejected PINs in memory; clones share them.
#[derive(Clone, Debug, Default)]
pub struct PinBook(Rc<RefCell<BTreeMap<String, RejectedPin>>>);

impl PinMemory for PinBook {
    fn recall(&self, token_serial: &str) -> Result<Option<RejectedPin>, Fault> {
        Ok(self.0.borrow().get(token_serial).cloned())
    }

    fn remember(&self, rejected: &RejectedPin) -> Result<(), Fault> {
        self.0
            .borrow_mut()
            .insert(rejected.token_serial.clone(), rejected.clone());
        Ok(())
    }

    fn forget(&self, token_serial: &str) -> Result<(), Fault> {
        self.0.borrow_mut().remove(token_serial);
        Ok(())
    }
}

/// How the device fails, every call of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FakeHsmFailure {
    /// Daemon down, module missing, no slots.
    Unreachable,
    /// Accepts and never answers.
    Hangs,
    /// CKR_DEVICE_ERROR on everything after the module was reached.
    DeviceError,
}

#[derive(Clone, Debug)]
struct FakeToken {
    label: String,
    serial: String,
    pin: Option<Secret>,
    state: PinState,
    marker: Option<InstallationId>,
    format: Option<WrapFormat>,
    keks: Vec<KekId>,
}

#[derive(Debug)]
struct Device {
    tokens: Vec<FakeToken>,
    failure: Option<FakeHsmFailure>,
    free_slot: bool,
    corrupt_unwrap: bool,
    logins: usize,
    made: u64,
}

/// The device; clones share it. Each start asks it for a new [`FakeHsm`].
#[derive(Clone, Debug)]
pub struct FakeDevice(Rc<RefCell<Device>>);

impl Default for FakeDevice {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Device {
            tokens: Vec::new(),
            failure: None,
            free_slot: true,
            corrupt_unwrap: false,
            logins: 0,
            made: 0,
        })))
    }
}

impl FakeDevice {
    /// A value for one start.
    #[must_use]
    pub fn hsm(&self, memory: Box<dyn PinMemory>) -> FakeHsm {
        FakeHsm {
            device: self.clone(),
            memory,
            reached: Cell::new(false),
            hung: Cell::new(false),
            tried: Cell::new(false),
            user: RefCell::new(None),
        }
    }

    /// Adds an initialised token and returns its serial number.
    pub fn add_token(&self, label: &str, pin: &str) -> String {
        let mut device = self.0.borrow_mut();
        device.made += 1;
        let serial = format!("{:016x}", device.made);
        device.tokens.push(FakeToken {
            label: label.to_owned(),
            serial: serial.clone(),
            pin: Some(Secret::from(pin.to_owned())),
            state: PinState::Fine,
            marker: None,
            format: Some(WrapFormat::AesKeyWrap),
            keks: Vec::new(),
        });
        serial
    }

    /// Every call fails like this from now on; `None`: works again.
    pub fn fail(&self, failure: Option<FakeHsmFailure>) {
        self.0.borrow_mut().failure = failure;
    }

    /// What the token says of its user PIN.
    pub fn set_pin_state(&self, serial: &str, state: PinState) {
        self.with_token(serial, |token| token.state = state);
    }

    /// The user PIN is another one now.
    pub fn set_pin(&self, serial: &str, pin: &str) {
        self.with_token(serial, |token| {
            token.pin = Some(Secret::from(pin.to_owned()));
        });
    }

    /// How the token wraps; `None`: not at all.
    pub fn set_wrap_format(&self, serial: &str, format: Option<WrapFormat>) {
        self.with_token(serial, |token| token.format = format);
    }

    /// The marker, whoever set it.
    pub fn set_marker(&self, serial: &str, marker: Option<InstallationId>) {
        self.with_token(serial, |token| token.marker = marker);
    }

    /// The token is gone.
    pub fn remove_token(&self, serial: &str) {
        self.0
            .borrow_mut()
            .tokens
            .retain(|token| token.serial != serial);
    }

    /// The token's KEKs are gone.
    pub fn destroy_keks(&self, serial: &str) {
        self.with_token(serial, |token| token.keks.clear());
    }

    /// Whether a slot is free.
    pub fn set_free_slot(&self, free: bool) {
        self.0.borrow_mut().free_slot = free;
    }

    /// Every unwrap fails as that of an altered blob does.
    pub fn set_corrupt_unwrap(&self, corrupt: bool) {
        self.0.borrow_mut().corrupt_unwrap = corrupt;
    }

    /// How many times a PIN was given to a token in all.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.0.borrow().logins
    }

    fn with_token(&self, serial: &str, change: impl FnOnce(&mut FakeToken)) {
        let mut device = self.0.borrow_mut();
        let token = device
            .tokens
            .iter_mut()
            .find(|token| token.serial == serial)
            .expect("the fake has no token with this serial");
        change(token);
    }
}

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

impl FakeHsm {
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

    fn try_pin(&self, serial: &str, pin: &Secret) -> Result<(), Fault> {
        self.tried.set(true);
        self.device.0.borrow_mut().logins += 1;
        let device = self.device.0.borrow();
        let token = device
            .tokens
            .iter()
            .find(|token| token.serial == serial)
            .ok_or_else(|| fault(FaultKind::HsmUnavailable, "the token is gone"))?;
        if token.pin.as_ref() == Some(pin) {
            return Ok(());
        }
        self.memory.remember(&RejectedPin {
            token_serial: serial.to_owned(),
            hash: rejected_hash(serial, pin),
        })?;
        Err(fault(FaultKind::Denied, "CKR_PIN_INCORRECT"))
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
        let remembered = self.memory.recall(&token.serial)?;
        if let Some(remembered) = &remembered
            && remembered.hash == rejected_hash(&token.serial, pin)
        {
            let message = "the PIN was already rejected and is not tried again";
            return Err(fault(FaultKind::Denied, message));
        }
        self.try_pin(&token.serial, pin)?;
        *self.user.borrow_mut() = Some(token.serial.clone());
        match remembered {
            Some(_) => self.memory.forget(&token.serial),
            None => Ok(()),
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
            let (sealed, sum) = blob.0.split_last_chunk::<8>().ok_or_else(corrupt)?;
            let right = token.keks.contains(kek)
                && sealed.len() == 32
                && hash_of(&(kek, sealed)).to_le_bytes() == *sum;
            if !right {
                return Err(corrupt());
            }
            Dek::from_bytes(&xored(kek, sealed)).ok_or_else(corrupt)
        })
    }

    fn wrap_dek(&self, kek: &KekId, dek: &Dek) -> Result<WrappedDek, Fault> {
        self.with_user(|token| {
            if token.format.is_none() {
                return Err(fault(FaultKind::Config, "the token cannot wrap"));
            }
            if !token.keks.contains(kek) {
                return Err(fault(FaultKind::DataCorrupt, "the KEK is not there"));
            }
            let mut blob = xored(kek, dek.expose());
            let sum = hash_of(&(kek, blob.as_slice()));
            blob.extend(sum.to_le_bytes());
            Ok(WrappedDek(blob))
        })
    }

    fn generate_kek(&self) -> Result<KekId, Fault> {
        self.device.0.borrow_mut().made += 1;
        let made = self.device.0.borrow().made;
        self.with_user(|token| {
            let id = KekId::new(&u128::from(made).to_be_bytes())
                .map_err(|error| fault(FaultKind::Internal, error.to_string()))?;
            token.keks.push(id.clone());
            Ok(id)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::hsm::{PIN, Rig, by_label, reached, suite};

    #[derive(Default)]
    struct FakeRig {
        device: FakeDevice,
        book: PinBook,
    }

    impl Rig for FakeRig {
        fn hsm(&self) -> Box<dyn Hsm> {
            Box::new(self.device.hsm(Box::new(self.book.clone())))
        }

        fn memory(&self) -> Box<dyn PinMemory> {
            Box::new(self.book.clone())
        }

        fn add_token(&self, label: &str) {
            self.device.add_token(label, PIN);
        }
    }

    #[test]
    fn the_fake_keeps_the_contract() {
        suite(&mut || Box::new(FakeRig::default()));
    }

    #[test]
    fn c03_no_failure_of_the_fake_looks_like_absence() {
        for failure in [
            FakeHsmFailure::Unreachable,
            FakeHsmFailure::Hangs,
            FakeHsmFailure::DeviceError,
        ] {
            let rig = FakeRig::default();
            rig.add_token("T");
            let hsm = reached(&rig);
            rig.device.fail(Some(failure));
            let fault = hsm.find_token(&by_label("T")).expect_err("fails");
            assert_eq!(fault.kind(), FaultKind::HsmUnavailable);
            assert_eq!(hsm.is_hung(), failure == FakeHsmFailure::Hangs);
        }
    }

    #[test]
    fn c18_the_fake_counts_logins() {
        let rig = FakeRig::default();
        let serial = rig.device.add_token("T", PIN);
        for state in [
            PinState::FinalTry,
            PinState::Locked,
            PinState::NotInitialised,
        ] {
            rig.device.set_pin_state(&serial, state);
            let hsm = reached(&rig);
            let TokenSight::Present(token) = hsm.find_token(&by_label("T")).expect("seen") else {
                panic!("present");
            };
            let fault = hsm.login(&token, &Secret::from(PIN.to_owned()));
            assert_eq!(fault.expect_err("refused").kind(), FaultKind::Denied);
        }
        assert_eq!(rig.device.logins(), 0);
    }
}
