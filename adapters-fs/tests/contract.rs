//! The adapters on real files are held to the contracts of their ports.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::cell::RefCell;

use adapters_fs::{
    DekCacheFile, FileLock, MessageCompiler, NginxTls, PinMemoryFile, SelfSignedIssuer,
    StaticCollector, WizardDir,
};
use camino::{Utf8Path, Utf8PathBuf};
use ports::contract::files::{self, MessagesRig, Open, StaticFilesRig};
use ports::{DekCache, Messages, PinMemory, StartLock, StaticFiles, TlsStore, WizardStore};
use tempfile::TempDir;

/// Directories that live as long as the test.
#[derive(Default)]
struct Directories(RefCell<Vec<TempDir>>);

impl Directories {
    fn fresh(&self) -> Utf8PathBuf {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from(directory.path().to_str().unwrap());
        self.0.borrow_mut().push(directory);
        path
    }
}

#[test]
fn start_lock() {
    let directories = Directories::default();
    files::start_lock(&mut || -> Open<dyn StartLock> {
        let path = directories.fresh().join("data/trustpoint.lock");
        Box::new(move || Box::new(FileLock::new(path.clone(), true)))
    });
}

#[test]
fn pin_memory() {
    let directories = Directories::default();
    files::pin_memory(&mut || -> Open<dyn PinMemory> {
        let path = directories.fresh().join("pin-rejected");
        Box::new(move || Box::new(PinMemoryFile::new(path.clone())))
    });
}

#[test]
fn dek_cache() {
    let directories = Directories::default();
    files::dek_cache(&mut || -> Open<dyn DekCache> {
        let path = directories.fresh().join("run/trustpoint");
        Box::new(move || Box::new(DekCacheFile::new(path.clone(), true)))
    });
}

#[test]
fn wizard_store() {
    let directories = Directories::default();
    files::wizard_store(&mut || -> Open<dyn WizardStore> {
        let path = directories.fresh().join("wizard/state");
        Box::new(move || Box::new(WizardDir::new(path.clone())))
    });
}

#[test]
fn tls_issuer() {
    files::tls_issuer(&SelfSignedIssuer);
}

#[test]
fn tls_store() {
    let directories = Directories::default();
    files::tls_store(&SelfSignedIssuer, &mut || -> Open<dyn TlsStore> {
        let path = directories.fresh().join("etc/tls");
        Box::new(move || Box::new(NginxTls::new(path.clone())))
    });
}

struct Assets(TempDir);

impl Assets {
    fn fresh() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        adapters_fs::durable::write_atomic(&path, content, 0o644).unwrap();
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path().join(path)).ok()
    }
}

impl StaticFilesRig for Assets {
    fn put(&self, source: usize, path: &str, content: &[u8]) {
        self.write(&format!("source{source}/{path}"), content);
    }

    fn open(&self) -> Box<dyn StaticFiles> {
        let sources = vec![self.path().join("source0"), self.path().join("source1")];
        Box::new(StaticCollector::new(
            sources,
            Some(self.path().join("srv/root")),
        ))
    }

    fn collected(&self, path: &str) -> Option<Vec<u8>> {
        self.read(&format!("srv/root/{path}"))
    }
}

#[test]
fn static_files() {
    files::static_files(&mut || Box::new(Assets::fresh()));
}

impl MessagesRig for Assets {
    fn put(&self, path: &str, content: &[u8]) {
        self.write(path, content);
    }

    fn open(&self) -> Box<dyn Messages> {
        Box::new(MessageCompiler::new(
            vec![self.path().to_owned()],
            vec!["de".to_owned(), "en".to_owned()],
        ))
    }

    fn compiled(&self, path: &str) -> Option<Vec<u8>> {
        self.read(path)
    }
}

#[test]
fn messages() {
    files::messages(&mut || Box::new(Assets::fresh()));
}
