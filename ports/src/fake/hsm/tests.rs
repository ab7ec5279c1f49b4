//! The fake against the contract.

use super::*;
use crate::contract::hsm::{PIN, Rig, by_label, reached, suite};
use crate::fake::FakePinMemory;

#[derive(Default)]
struct FakeRig {
    device: FakeDevice,
    book: FakePinMemory,
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
