//! A token as far as a start asks for one, which fails where it is told to.

use std::cell::RefCell;
use std::rc::Rc;

use domain::{InstallationId, KekId};
use ports::{
    Dek, DekBlobs, Device, Found, Patience, PinState, ReachedModule, Secret, Token, TokenError,
    TokenInfo, TokenModule, TokenQuery, TokenSession, Trial, WrapFormat, WrappedDek,
};

/// The label of the token.
pub const LABEL: &str = "T";

/// Where a call fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    Reach,
    Find,
    LogIn,
    HasKek,
    Unwrap,
}

/// With what it fails: three ways in which an HSM is down.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    Vanished,
    Hangs,
    NoSlots,
}

impl Failure {
    fn make(self, info: &TokenInfo) -> TokenError {
        let module = "m".to_owned();
        match self {
            Self::Vanished => TokenError::TokenVanished(info.name()),
            Self::Hangs => TokenError::Hangs {
                doing: "a call".to_owned(),
                module,
                why: "no answer".to_owned(),
            },
            Self::NoSlots => TokenError::NoSlots {
                module,
                library: "l".to_owned(),
            },
        }
    }
}

/// The token; clones share it.
#[derive(Clone)]
pub struct FakeToken {
    state: Rc<RefCell<State>>,
    info: TokenInfo,
}

struct State {
    failing: Option<Call>,
    with: Failure,
    marker: Option<InstallationId>,
    has_kek: bool,
    logins: usize,
}

impl Default for FakeToken {
    fn default() -> Self {
        Self {
            state: Rc::new(RefCell::new(State {
                failing: None,
                with: Failure::Vanished,
                marker: None,
                has_kek: true,
                logins: 0,
            })),
            info: TokenInfo {
                label: LABEL.into(),
                serial: "0123456789abcdef".into(),
                device: Device::default(),
                pin: PinState::Fine,
                marker: None,
                wrap_format: Some(WrapFormat::AesKeyWrap),
            },
        }
    }
}

impl FakeToken {
    pub fn kek() -> KekId {
        KekId::new(&[7; 16]).unwrap()
    }

    pub fn serial(&self) -> String {
        self.info.serial.clone()
    }

    pub fn fail_at(&self, call: Call, with: Failure) {
        let mut state = self.state.borrow_mut();
        state.failing = Some(call);
        state.with = with;
    }

    pub fn mark_as(&self, installation: InstallationId) {
        self.state.borrow_mut().marker = Some(installation);
    }

    pub fn lose_kek(&self) {
        self.state.borrow_mut().has_kek = false;
    }

    pub fn logins(&self) -> usize {
        self.state.borrow().logins
    }

    fn check(&self, call: Call) -> Result<(), TokenError> {
        if self.state.borrow().failing == Some(call) {
            return Err(self.state.borrow().with.make(&self.info));
        }
        Ok(())
    }
}

impl TokenModule for FakeToken {
    fn reach(&self, _patience: &mut Patience<'_>) -> Result<Box<dyn ReachedModule>, TokenError> {
        self.check(Call::Reach)?;
        Ok(Box::new(self.clone()))
    }

    fn probe_daemon(&self) -> Result<Option<String>, TokenError> {
        Ok(None)
    }

    fn take_warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

impl ReachedModule for FakeToken {
    fn description(&self) -> &str {
        "a module"
    }

    fn find(
        mut self: Box<Self>,
        _query: &TokenQuery,
        _patience: &mut Patience<'_>,
    ) -> Result<Found, TokenError> {
        self.check(Call::Find)?;
        self.info.marker = self.state.borrow().marker.clone();
        Ok(Found::Present(self))
    }

    fn initialise(
        self: Box<Self>,
        _label: &str,
        _so_pin: &Secret,
        _pin: &Secret,
    ) -> Result<Box<dyn Token>, TokenError> {
        unasked()
    }
}

impl Token for FakeToken {
    fn info(&self) -> &TokenInfo {
        &self.info
    }

    fn into_module(self: Box<Self>) -> Box<dyn ReachedModule> {
        self
    }

    fn examine(&self) -> Result<Vec<Trial>, TokenError> {
        unasked()
    }

    fn mechanisms(&self) -> Result<Vec<String>, TokenError> {
        unasked()
    }

    fn log_in_as_asked(
        self: Box<Self>,
        _pin: &Secret,
    ) -> Result<Box<dyn TokenSession>, TokenError> {
        unasked()
    }

    fn log_in(self: Box<Self>, _pin: &Secret) -> Result<Box<dyn TokenSession>, TokenError> {
        self.check(Call::LogIn)?;
        self.state.borrow_mut().logins += 1;
        Ok(self)
    }
}

/// A blob is the id of the KEK and the DEK in the clear.
impl TokenSession for FakeToken {
    fn info(&self) -> &TokenInfo {
        &self.info
    }

    fn has_kek(&self, kek: &KekId) -> Result<bool, TokenError> {
        self.check(Call::HasKek)?;
        Ok(self.state.borrow().has_kek && *kek == Self::kek())
    }

    fn unwrap_dek(&self, kek: &KekId, blob: &WrappedDek) -> Result<Dek, TokenError> {
        self.check(Call::Unwrap)?;
        let dek = blob.0.strip_prefix(kek.as_bytes()).unwrap();
        Ok(Dek::from_bytes(dek).unwrap())
    }

    fn wrap_dek(&self, kek: &KekId, dek: &Dek) -> Result<WrappedDek, TokenError> {
        Ok(WrappedDek([kek.as_bytes(), dek.expose()].concat()))
    }

    fn generate_kek_as(&self, _kek: &KekId) -> Result<(), TokenError> {
        unasked()
    }

    fn kek_check_value(&self, _kek: &KekId) -> Result<Option<Vec<u8>>, TokenError> {
        unasked()
    }

    fn destroy_kek(&self, _kek: &KekId) -> Result<bool, TokenError> {
        unasked()
    }

    fn random(&self, _length: usize) -> Result<Secret, TokenError> {
        unasked()
    }

    fn try_out(&self) -> Result<Vec<Trial>, TokenError> {
        unasked()
    }

    fn mark(&mut self, _installation: &InstallationId) -> Result<(), TokenError> {
        unasked()
    }
}

impl DekBlobs for FakeToken {
    fn wrap_format_of(&self, _blob: &WrappedDek) -> Option<WrapFormat> {
        self.info.wrap_format
    }

    fn kek_of(&self, blob: &WrappedDek) -> Option<KekId> {
        KekId::new(blob.0.get(..16)?).ok()
    }
}

pub fn unasked<T>() -> T {
    panic!("no start asks for this")
}
