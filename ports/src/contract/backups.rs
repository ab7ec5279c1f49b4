//! Contract suites of [`Backups`] and of [`BackupCipher`].

use domain::StorageType;

use crate::contract::database::{known_token, moment};
use crate::{
    BackupCipher, BackupManifest, BackupOrigin, BackupPlace, Backups, Database, DatabaseState,
    FaultKind, NodeRecord, Secret,
};

/// A place for one database and its backups; nothing stands there yet.
pub trait BackupsRig {
    /// A new value over the place.
    fn database(&self) -> Box<dyn Database>;

    /// A new value over the same place.
    fn backups(&self) -> Box<dyn Backups>;

    /// A path for a backup.
    fn file(&self, name: &str) -> String;

    /// Alters one byte of a backup.
    fn damage(&self, file: &str);
}

type Case = (&'static str, fn(&dyn BackupsRig));

const CASES: [Case; 6] = [
    ("no database is nothing to back up", |rig| {
        let file = rig.file("backup");
        let fault = rig
            .backups()
            .create(&file, &origin(false), &mut |_, _| ())
            .unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Config);
        assert_eq!(rig.backups().place(&file).unwrap(), BackupPlace::Free);
        assert!(rig.backups().read(&file).is_err());
    }),
    ("a backup says what it is of, and changes nothing", |rig| {
        prepare(rig);
        let file = rig.file("backup");
        let before = format!("{:?}", node(rig));
        let manifest = create(rig, &file, false);
        assert_eq!(format!("{:?}", node(rig)), before);
        assert_eq!(rig.backups().place(&file).unwrap(), BackupPlace::Backup);
        let token = known_token();
        assert_eq!(manifest.format, 1);
        assert_eq!(manifest.application_version, "1.2.3");
        assert_eq!(manifest.created_at, moment(7));
        assert_eq!(manifest.installation, node(rig).installation);
        assert_eq!(manifest.storage, Some(StorageType::SoftHsm));
        assert_eq!(manifest.kek, token.kek);
        assert_eq!(manifest.dek_check_value, token.dek_check_value);
        assert!(manifest.backup_password_set && !manifest.setup_completed);
        let backup = rig.backups().read(&file).unwrap();
        assert_eq!(backup.manifest, Some(manifest));
        assert_eq!(backup.record.token, Some(token));
    }),
    (
        "c09: a setup that the database does not know of yet",
        |rig| {
            prepare(rig);
            let file = rig.file("backup");
            assert!(create(rig, &file, true).setup_completed);
            let record = rig.backups().read(&file).unwrap().record;
            assert_eq!(record.setup_completed_at, Some(moment(7)));
            assert_eq!(node(rig).setup_completed_at, None);
        },
    ),
    ("what was staged replaces the database, once", |rig| {
        prepare(rig);
        let file = rig.file("backup");
        create(rig, &file, false);
        rig.database()
            .change_storage(StorageType::Software)
            .unwrap();
        let backups = rig.backups();
        let mut staged = backups.stage(&file).unwrap();
        assert!(!staged.is_in_place());
        assert_eq!(staged.backup().record.storage, Some(StorageType::SoftHsm));
        let kept = staged.keep_replaced(moment(9)).unwrap().unwrap();
        assert_eq!(node(rig).storage, Some(StorageType::Software));
        staged.put_in_place().unwrap();
        assert_eq!(node(rig).storage, Some(StorageType::SoftHsm));
        assert_eq!(rig.database().snapshots().unwrap()[0].path, kept);
        assert!(backups.stage(&file).unwrap().is_in_place());
    }),
    ("what was staged and dropped changes nothing", |rig| {
        prepare(rig);
        let file = rig.file("backup");
        create(rig, &file, false);
        rig.database()
            .change_storage(StorageType::Software)
            .unwrap();
        let backups = rig.backups();
        drop(backups.stage(&file).unwrap());
        let mut staged = backups.stage(&file).unwrap();
        staged.keep_replaced(moment(9)).unwrap();
        drop(staged);
        assert_eq!(node(rig).storage, Some(StorageType::Software));
        rig.database().change_storage(StorageType::SoftHsm).unwrap();
    }),
    ("an altered backup is corrupt", |rig| {
        prepare(rig);
        let file = rig.file("backup");
        create(rig, &file, false);
        rig.damage(&file);
        let backups = rig.backups();
        assert_eq!(
            backups.read(&file).unwrap_err().kind(),
            FaultKind::DataCorrupt
        );
        let Err(fault) = backups.stage(&file) else {
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
    let database = rig.database();
    database.migrate().unwrap();
    database.configure_storage(StorageType::SoftHsm).unwrap();
    database.save_token(&known_token()).unwrap();
}

fn create(rig: &dyn BackupsRig, file: &str, setup_completed: bool) -> BackupManifest {
    let mut told = (0, 0);
    let manifest = rig
        .backups()
        .create(file, &origin(setup_completed), &mut |done, total| {
            told = (done, total);
        })
        .unwrap();
    assert!(told.0 == told.1 && told.1 > 0, "{told:?}");
    manifest
}

fn node(rig: &dyn BackupsRig) -> NodeRecord {
    match rig.database().observe().unwrap() {
        DatabaseState::Initialised(record) => *record,
        DatabaseState::NotInitialised => panic!("the database is not initialised"),
    }
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

/// Files for a cipher.
pub trait CipherRig {
    /// The cipher.
    fn cipher(&self) -> Box<dyn BackupCipher>;

    /// A path.
    fn file(&self, name: &str) -> String;

    /// Writes a file.
    fn put(&self, file: &str, bytes: &[u8]);

    /// Reads a file; `None` where there is none.
    fn get(&self, file: &str) -> Option<Vec<u8>>;
}

/// Suite of [`BackupCipher`].
pub fn cipher(rig: &dyn CipherRig) {
    let cipher = rig.cipher();
    let (clear, sealed) = (rig.file("clear"), rig.file("sealed"));
    let password = Secret::from("correct horse".to_owned());
    // Longer than one chunk of the format.
    let content = b"0123456789abcdef".repeat(10_000);
    rig.put(&clear, &content);
    assert!(!cipher.is_encrypted(&rig.file("missing")).unwrap());
    assert!(!cipher.is_encrypted(&clear).unwrap());

    cipher.encrypt(&clear, &sealed, &password).unwrap();
    assert!(cipher.is_encrypted(&sealed).unwrap());
    let bytes = rig.get(&sealed).unwrap();
    assert!(!bytes.windows(16).any(|seen| seen == b"0123456789abcdef"));

    let opened = cipher.decrypt(&sealed, &password).unwrap();
    let path = opened.path().to_owned();
    assert_eq!(rig.get(&path).unwrap(), content);
    drop(opened);
    assert_eq!(rig.get(&path), None, "a private file is gone when dropped");

    let wrong = Secret::from("wrong horse".to_owned());
    let kind = |file: &str, password: &Secret| match cipher.decrypt(file, password) {
        Ok(_) => panic!("{file} was opened"),
        Err(fault) => fault.kind(),
    };
    assert_eq!(kind(&sealed, &wrong), FaultKind::Denied);
    for length in [bytes.len() - 1, bytes.len() / 2, 30] {
        let cut = rig.file("cut");
        rig.put(&cut, &bytes[..length]);
        assert_eq!(kind(&cut, &password), FaultKind::DataCorrupt, "{length}");
    }
    let mut altered = bytes;
    let last = altered.len() - 1;
    altered[last] ^= 1;
    rig.put(&sealed, &altered);
    assert_eq!(kind(&sealed, &password), FaultKind::DataCorrupt);

    let private = cipher.private_file(1).unwrap();
    rig.put(private.path(), b"x");
}
