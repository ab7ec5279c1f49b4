//! Contract suite of [`Backups`].

use domain::{KekId, StorageType};

use crate::contract::store::{StoreRig, known_sealing, known_token, moment, save_sealing, start};
use crate::{
    BackupError, BackupManifest, BackupOrigin, BackupSource, BackupTarget, Backups, FaultKind,
    KekCopy, NodeRecord, Purpose, Sealing, TokenCopy,
};

/// A place for one database and its backups; nothing stands there yet.
pub trait BackupsRig: StoreRig {
    /// A new value over the same place, for reading alone where there is such a thing.
    fn backups(&self) -> Box<dyn Backups>;

    /// A path for a backup.
    fn file(&self, name: &str) -> String;

    /// Alters one byte of a backup.
    fn damage(&self, file: &str);
}

type Case = (&'static str, fn(&dyn BackupsRig));

const CASES: [Case; 9] = [
    ("no database is nothing to back up", |rig| {
        let file = rig.file("backup");
        let error = rig
            .backups()
            .create(BackupTarget::New(&file), &origin(false))
            .unwrap_err();
        assert!(matches!(error, BackupError::NoDatabase { .. }), "{error}");
        assert!(rig.backups().verify(BackupSource::File(&file)).is_err());
    }),
    ("a backup says what it is of, and changes nothing", |rig| {
        prepare(rig);
        let file = rig.file("backup");
        let before = format!("{:?}", node(rig));
        let manifest = create(rig, &file, false);
        assert_eq!(format!("{:?}", node(rig)), before);
        let (sealing, other) = (sealing(), other_token());
        assert_eq!(manifest.format, 2);
        assert_eq!(manifest.application_version, "1.2.3");
        assert_eq!(manifest.created_at, moment(7));
        assert_eq!(manifest.installation, node(rig).installation);
        assert_eq!(manifest.storage, Some(StorageType::SoftHsm));
        let keks = [other.kek, known_token("0123abcd").kek];
        assert_eq!(manifest.keks, keks.map(Option::unwrap));
        assert_eq!(manifest.dek_check_value, sealing.check_value);
        assert!(manifest.backup_password_set && !manifest.setup_completed);
        let backup = rig.backups().verify(BackupSource::File(&file)).unwrap();
        assert_eq!(backup.manifest, Some(manifest));
        assert_eq!(backup.record.sealing, sealing);
    }),
    (
        "c09: a setup that the database does not know of yet",
        |rig| {
            prepare(rig);
            let file = rig.file("backup");
            assert!(create(rig, &file, true).setup_completed);
            let record = rig
                .backups()
                .verify(BackupSource::File(&file))
                .unwrap()
                .record;
            assert_eq!(record.setup_completed_at, Some(moment(7)));
            assert_eq!(node(rig).setup_completed_at, None);
        },
    ),
    ("what was staged replaces the database, once", |rig| {
        prepare(rig);
        let file = rig.file("backup");
        create(rig, &file, false);
        rig.store().set_storage(StorageType::Software).unwrap();
        let backups = rig.backups();
        let mut staged = backups.stage(BackupSource::File(&file)).unwrap();
        assert!(!staged.is_in_place().unwrap());
        assert_eq!(staged.backup().record.storage, Some(StorageType::SoftHsm));
        let kept = staged.keep_replaced(moment(9)).unwrap().unwrap();
        assert_eq!(node(rig).storage, Some(StorageType::Software));
        staged.put_in_place().unwrap();
        assert_eq!(node(rig).storage, Some(StorageType::SoftHsm));
        assert_eq!(rig.store().snapshots().unwrap()[0].path, kept);
        assert!(
            backups
                .stage(BackupSource::File(&file))
                .unwrap()
                .is_in_place()
                .unwrap()
        );
    }),
    ("what was staged and dropped changes nothing", |rig| {
        prepare(rig);
        let file = rig.file("backup");
        create(rig, &file, false);
        rig.store().set_storage(StorageType::Software).unwrap();
        let backups = rig.backups();
        drop(backups.stage(BackupSource::File(&file)).unwrap());
        let mut staged = backups.stage(BackupSource::File(&file)).unwrap();
        staged.keep_replaced(moment(9)).unwrap();
        drop(staged);
        assert_eq!(node(rig).storage, Some(StorageType::Software));
        rig.store().set_storage(StorageType::SoftHsm).unwrap();
    }),
    (
        "a backup is not overwritten, unless that is wanted",
        |rig| {
            prepare(rig);
            let file = rig.file("backup");
            let first = create(rig, &file, false);
            let backups = rig.backups();
            let again = |target| backups.create(target, &origin(true));
            let error = again(BackupTarget::New(&file)).unwrap_err();
            assert!(matches!(error, BackupError::Exists { .. }), "{error}");
            let read = || backups.verify(BackupSource::File(&file)).unwrap().manifest;
            assert_eq!(read(), Some(first));
            let second = again(BackupTarget::Replace(&file)).unwrap();
            assert_eq!(read(), Some(second));
            again(BackupTarget::Replace(&rig.file("other"))).unwrap();
        },
    ),
    ("a backup through a pipe", |rig| {
        prepare(rig);
        let mut bytes = Vec::new();
        let backups = rig.backups();
        let manifest = backups
            .create(BackupTarget::Stream(&mut bytes), &origin(false))
            .unwrap();
        let read = |bytes: &[u8]| -> Result<_, BackupError> {
            Ok(backups.verify(BackupSource::Stream(&mut &*bytes))?.manifest)
        };
        assert_eq!(read(&bytes).unwrap(), Some(manifest));
        for cut in [&bytes[..bytes.len() - 1], &[]] {
            assert_eq!(read(cut).unwrap_err().kind(), FaultKind::DataCorrupt);
        }
        rig.store().set_storage(StorageType::Software).unwrap();
        let mut staged = backups.stage(BackupSource::Stream(&mut &*bytes)).unwrap();
        staged.keep_replaced(moment(9)).unwrap().unwrap();
        staged.put_in_place().unwrap();
        assert_eq!(node(rig).storage, Some(StorageType::SoftHsm));
    }),
    ("what was replaced outlives every later snapshot", |rig| {
        prepare(rig);
        let file = rig.file("backup");
        create(rig, &file, false);
        let database = rig.store();
        database.set_storage(StorageType::Software).unwrap();
        let backups = rig.backups();
        let mut staged = backups.stage(BackupSource::File(&file)).unwrap();
        let kept = staged.keep_replaced(moment(9)).unwrap().unwrap();
        staged.put_in_place().unwrap();
        for number in 0..7 {
            let version = format!("2.0.{number}");
            let database = rig.store();
            database.record_start(&start(&version, moment(10))).unwrap();
            let made = database
                .snapshot(Purpose::BeforeUpgrade, moment(10 + number))
                .unwrap();
            assert!(!made.removed.contains(&kept));
        }
        let left = rig.store().snapshots().unwrap();
        assert_eq!(left.len(), 6);
        assert!(left.iter().any(|snapshot| snapshot.path == kept));
    }),
    ("an altered backup is corrupt", |rig| {
        prepare(rig);
        let file = rig.file("backup");
        create(rig, &file, false);
        rig.damage(&file);
        let backups = rig.backups();
        assert_eq!(
            backups
                .verify(BackupSource::File(&file))
                .unwrap_err()
                .kind(),
            FaultKind::DataCorrupt
        );
        let Err(fault) = backups.stage(BackupSource::File(&file)) else {
            panic!("an altered backup was staged");
        };
        assert_eq!(fault.kind(), FaultKind::DataCorrupt);
    }),
];

fn origin(setup_completed: bool) -> BackupOrigin {
    BackupOrigin {
        application_version: "1.2.3".to_owned(),
        setup_completed,
        at: moment(7),
    }
}

fn prepare(rig: &dyn BackupsRig) {
    let database = rig.store();
    database.migrate().unwrap();
    database.set_storage(StorageType::SoftHsm).unwrap();
    save_sealing(&*database, &sealing());
}

/// A second token, which wrapped the DEK after the first.
fn other_token() -> TokenCopy {
    let mut other = known_token("4567cdef");
    other.kek = Some(KekId::new(&[3; 16]).unwrap());
    other.wrapped = other.wrapped.map(|wrapped| KekCopy {
        at: Some(moment(1)),
        ..wrapped
    });
    other
}

fn sealing() -> Sealing {
    let mut sealing = known_sealing();
    sealing.copies.push(other_token());
    sealing
}

fn create(rig: &dyn BackupsRig, file: &str, setup_completed: bool) -> BackupManifest {
    let target = BackupTarget::New(file);
    let backups = rig.backups();
    backups.create(target, &origin(setup_completed)).unwrap()
}

fn node(rig: &dyn BackupsRig) -> NodeRecord {
    crate::contract::store::node(&*rig.store())
}

/// Runs every case on a fresh rig.
#[expect(
    clippy::print_stdout,
    reason = "the name of the promise stands above the panic that broke it"
)]
pub fn suite(make: &mut dyn FnMut() -> Box<dyn BackupsRig>) {
    for (name, case) in CASES {
        println!("backups contract: {name}");
        case(&*make());
    }
}
