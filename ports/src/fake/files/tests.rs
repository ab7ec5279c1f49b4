//! The fakes are held to the contracts like the real parts.

use super::*;
use crate::contract::files::{self, MessagesRig, Open, StaticFilesRig};
use crate::{
    DekCache, FaultKind, Messages, PinMemory, StartLock, StaticFiles, TlsStore, WizardStore,
};

macro_rules! open {
    ($fake:ty as $port:path) => {{
        || -> Open<dyn $port> {
            let fake = <$fake>::default();
            Box::new(move || Box::new(fake.clone()))
        }
    }};
}

#[test]
fn state() {
    files::start_lock(&mut open!(FakeLock as StartLock));
    files::pin_memory(&mut open!(FakePinMemory as PinMemory));
    files::dek_cache(&mut open!(FakeDekCache as DekCache));
    files::wizard_store(&mut open!(FakeWizardStore as WizardStore));
}

#[test]
fn tls() {
    let issuer = FakeTlsIssuer::default();
    files::tls_issuer(&issuer);
    files::tls_store(&issuer, &mut open!(FakeTlsStore as TlsStore));
}

impl StaticFilesRig for FakeStaticFiles {
    fn put(&self, source: usize, path: &str, content: &[u8]) {
        Self::put(self, source, path, content);
    }

    fn open(&self) -> Box<dyn StaticFiles> {
        Box::new(self.clone())
    }

    fn collected(&self, path: &str) -> Option<Vec<u8>> {
        Self::collected(self, path)
    }
}

impl MessagesRig for FakeMessages {
    fn put(&self, path: &str, content: &[u8]) {
        Self::put(self, path, content);
    }

    fn open(&self) -> Box<dyn Messages> {
        Box::new(self.clone())
    }

    fn compiled(&self, path: &str) -> Option<Vec<u8>> {
        Self::compiled(self, path)
    }
}

#[test]
fn assets() {
    files::static_files(&mut || Box::<FakeStaticFiles>::default());
    files::messages(&mut || Box::<FakeMessages>::default());
}

#[test]
fn a_failure_that_is_set_is_what_the_call_ends_with() {
    let wizard = FakeWizardStore::default();
    wizard.failures.set("read", FaultKind::Io);
    assert_eq!(wizard.read().unwrap_err().kind(), FaultKind::Io);
    wizard.failures.clear("read");
    assert!(wizard.read().is_ok());
    wizard.put("WIZARD_NOWHERE");
    assert_eq!(wizard.read().unwrap_err().kind(), FaultKind::DataCorrupt);
}
