//! The device behind the fake: its tokens and its switches.

use std::cell::RefCell;
use std::rc::Rc;

use domain::{InstallationId, KekId};

use crate::{PinState, Secret, WrapFormat};

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
pub(super) struct FakeToken {
    pub(super) label: String,
    pub(super) serial: String,
    pub(super) pin: Option<Secret>,
    pub(super) state: PinState,
    pub(super) marker: Option<InstallationId>,
    pub(super) format: Option<WrapFormat>,
    pub(super) keks: Vec<KekId>,
}

#[derive(Debug)]
pub(super) struct Device {
    pub(super) tokens: Vec<FakeToken>,
    pub(super) failure: Option<FakeHsmFailure>,
    pub(super) free_slot: bool,
    pub(super) corrupt_unwrap: bool,
    pub(super) logins: usize,
    pub(super) made: u64,
}

/// The device; clones share it. Each start asks it for a value of its own.
#[derive(Clone, Debug)]
pub struct FakeDevice(pub(super) Rc<RefCell<Device>>);

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

    pub(super) fn with_token(&self, serial: &str, change: impl FnOnce(&mut FakeToken)) {
        let mut device = self.0.borrow_mut();
        let token = device
            .tokens
            .iter_mut()
            .find(|token| token.serial == serial)
            .expect("the fake has no token with this serial");
        change(token);
    }
}
