//! Contract suite of the chain from [`TokenModule`] to [`TokenSession`].

use std::error::Error as _;

use domain::{InstallationId, KekId};

use crate::{
    Dek, DekBlobs, Device, FaultKind, Found, MOST_UNSEEN_TRIES, Patience, PinMemory, PinState,
    ReachedModule, Secret, Token, TokenError, TokenInfo, TokenModule, TokenQuery, TokenSession,
    TryEnd, WrappedDek,
};

/// A store of tokens that belongs to one case alone.
pub trait Rig {
    /// A new value over the store, as a new start has it. What came of the one before is dropped
    /// by then.
    fn module(&self) -> Box<dyn TokenModule>;

    /// What reads the blobs that its sessions make.
    fn blobs(&self) -> Box<dyn DekBlobs>;

    /// The ledger of PIN tries that every [`Rig::module`] shares.
    fn memory(&self) -> Box<dyn PinMemory>;

    /// Whether the module has slots that can be initialised. Where it has none, each case finds a
    /// token that [`Rig::add_token`] has made.
    fn can_initialise(&self) -> bool;

    /// Initialises a further token by other means than the port, with [`SO_PIN`] and [`PIN`].
    /// Nothing has the store open.
    fn add_token(&self, label: &str);
}

/// The SO PIN of every token.
pub const SO_PIN: &str = "12345678";

/// The user PIN of every token.
pub const PIN: &str = "87654321";

const LABEL: &str = "Contract-Token";

type Case = (&'static str, fn(&dyn Rig));

const CASES: [Case; 17] = [
    (
        "a fresh store has no token, and a free slot where there are any",
        fresh,
    ),
    ("a module is reached again", reach_again),
    ("an initialised token is found", initialised),
    ("no second token under one label", no_second),
    ("initialised tokens are not touched", untouched),
    ("several tokens: serial, marker, else config", several),
    ("c18: a wrong PIN is tried once", wrong_pin),
    ("c18: no try after two whose end nobody saw", unseen_tries),
    ("c18: one login in the life of a value", one_login),
    ("c18: an empty PIN is not tried", empty_pin),
    ("a KEK is known by its id", kek),
    ("a KEK is generated under an id noted down before", kek_as),
    ("one KEK is destroyed and no other", destroyed),
    ("c16: a wrapped DEK unwraps", wraps),
    ("c16: an altered blob is corrupt", altered),
    ("c23: the marker", marker),
    ("random bytes", random),
];

/// Runs every case on a fresh rig.
#[expect(
    clippy::print_stdout,
    reason = "the name of the promise stands above the panic that broke it"
)]
pub fn suite(make: &mut dyn FnMut() -> Box<dyn Rig>) {
    for (name, case) in CASES {
        println!("token contract: {name}");
        let rig = make();
        if !rig.can_initialise() {
            rig.add_token(LABEL);
        }
        case(&*rig);
    }
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

/// A query by label alone.
#[must_use]
pub fn by_label(label: &str) -> TokenQuery {
    TokenQuery {
        label: label.to_owned(),
        ..TokenQuery::default()
    }
}

/// The module, reached.
pub fn reach(module: &dyn TokenModule) -> Box<dyn ReachedModule> {
    module
        .reach(&mut Patience::none())
        .expect("the module is reached")
}

/// The token that is meant, which must be there.
pub fn present(module: &dyn TokenModule, query: &TokenQuery) -> Box<dyn Token> {
    match reach(module)
        .find(query, &mut Patience::none())
        .expect("the token is looked for")
    {
        Found::Present(token) => token,
        Found::Absent { others, .. } => panic!("{query:?} must be found beside {others:?}"),
    }
}

fn info(module: &dyn TokenModule, query: &TokenQuery) -> TokenInfo {
    present(module, query).info().clone()
}

fn log_in(module: &dyn TokenModule, pin: &str) -> Result<Box<dyn TokenSession>, TokenError> {
    present(module, &by_label(LABEL)).log_in(&secret(pin))
}

/// A session on a token that this makes where there is none.
fn logged_in(rig: &dyn Rig) -> Box<dyn TokenSession> {
    let found = reach(&*rig.module()).find(&by_label(LABEL), &mut Patience::none());
    let token = match found.expect("looked for") {
        Found::Present(token) => token,
        Found::Absent { module, .. } => initialise(module, LABEL).expect("a free slot"),
    };
    token.log_in(&secret(PIN)).expect("the PIN works")
}

fn initialise(module: Box<dyn ReachedModule>, label: &str) -> Result<Box<dyn Token>, TokenError> {
    module.initialise(label, &secret(SO_PIN), &secret(PIN))
}

fn kind<T>(result: Result<T, TokenError>, what: &str) -> FaultKind {
    match result {
        Ok(_) => panic!("{what} must fail"),
        Err(error) => {
            let all = format!("{} {error:?}", in_full(&error));
            assert!(!all.contains(PIN) && !all.contains(SO_PIN), "{what}: {all}");
            error.kind()
        }
    }
}

/// The message with those of its causes behind it.
#[must_use]
pub fn in_full(error: &TokenError) -> String {
    let mut all = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        all = format!("{all}: {cause}");
        next = cause.source();
    }
    all
}

fn fresh(rig: &dyn Rig) {
    let module = reach(&*rig.module());
    assert!(!module.description().is_empty(), "it says what answered");
    if !rig.can_initialise() {
        let refused = initialise(module, "Other").err().expect("no slot is free");
        assert!(matches!(refused, TokenError::NoFreeSlot(_)), "{refused}");
        present(&*rig.module(), &by_label(LABEL));
        return;
    }
    match module
        .find(&by_label(LABEL), &mut Patience::none())
        .expect("looked for")
    {
        Found::Absent {
            others, free_slot, ..
        } => assert!(others.is_empty() && free_slot),
        Found::Present(token) => panic!("{:?}", token.info()),
    }
}

fn reach_again(rig: &dyn Rig) {
    let module = rig.module();
    drop(reach(&*module));
    if rig.can_initialise() {
        initialise(reach(&*module), LABEL).expect("a free slot");
    }
    log_in(&*module, PIN).expect("the PIN works");
    present(&*module, &by_label(LABEL));
}

fn initialised(rig: &dyn Rig) {
    let module = rig.module();
    let token = if rig.can_initialise() {
        initialise(reach(&*module), LABEL).expect("a free slot is initialised")
    } else {
        present(&*module, &by_label(LABEL))
    };
    let made = token.info().clone();
    drop(token);
    assert_eq!(made.label, LABEL);
    assert!(!made.serial.is_empty());
    assert_is_told(&made.device);
    assert_eq!(made.pin, PinState::Fine);
    assert_eq!(made.marker, None);
    assert!(made.wrap_format.is_some());
    assert_eq!(info(&*module, &by_label(LABEL)), made);
    drop(module);
    let module = rig.module();
    assert_eq!(info(&*module, &by_label(LABEL)), made, "after a restart");
    match reach(&*module).find(&by_label("Other"), &mut Patience::none()) {
        Ok(Found::Absent {
            others, free_slot, ..
        }) => {
            assert_eq!(others, [made.name()]);
            assert_eq!(free_slot, rig.can_initialise());
        }
        Ok(Found::Present(token)) => panic!("{:?}", token.info()),
        // The tokens are called what the configuration of the module says.
        Err(error) => assert_eq!(error.kind(), FaultKind::Config, "{error}"),
    }
}

/// What pads the fields of CK_TOKEN_INFO is no part of them.
fn assert_is_told(device: &Device) {
    for text in [&device.manufacturer, &device.model, &device.firmware] {
        assert!(!text.is_empty() && text.trim_end() == text, "{device:?}");
    }
}

fn no_second(rig: &dyn Rig) {
    drop(logged_in(rig));
    let module = rig.module();
    let again = initialise(reach(&*module), LABEL);
    assert_eq!(kind(again, "the same label again"), FaultKind::Config);
    present(&*module, &by_label(LABEL));
}

fn untouched(rig: &dyn Rig) {
    let session = logged_in(rig);
    let kek = session.generate_kek().expect("a KEK");
    drop(session);
    if rig.can_initialise() {
        let another = initialise(reach(&*rig.module()), "Another");
        drop(another.expect("another slot is free"));
    } else {
        rig.add_token("Another");
    }
    let session = logged_in(rig);
    assert!(
        session.has_kek(&kek).expect("looked for"),
        "the KEK survives"
    );
}

fn several(rig: &dyn Rig) {
    let mut session = logged_in(rig);
    let ours = InstallationId::from_random([1; 16]);
    session.mark(&ours).expect("marked");
    let serial = session.info().serial.clone();
    drop(session);
    rig.add_token(LABEL);
    let module = rig.module();
    let find = |query: &TokenQuery| reach(&*module).find(query, &mut Patience::none()).map(drop);
    let ambiguous = find(&by_label(LABEL)).expect_err("ambiguous");
    assert!(
        matches!(&ambiguous, TokenError::Ambiguous { serials, .. } if serials.contains(&serial)),
        "{ambiguous}"
    );
    let mut query = by_label(LABEL);
    query.serial = Some("no such serial".into());
    let other = find(&query);
    assert_eq!(kind(other, "a serial of no token"), FaultKind::Config);
    query.serial = Some(serial.clone());
    assert_eq!(info(&*module, &query).serial, serial);
    query.serial = None;
    query.known = vec!["no such serial".into(), serial.clone()];
    assert_eq!(info(&*module, &query).serial, serial);
    query.known = Vec::new();
    query.installation = Some(ours.clone());
    let found = info(&*module, &query);
    assert_eq!(found.serial, serial);
    assert_eq!(found.marker, Some(ours));
    query.installation = Some(InstallationId::from_random([2; 16]));
    let other = find(&query);
    assert_eq!(kind(other, "a marker of no token"), FaultKind::Config);
}

/// The serial number of a token that this makes.
fn made(rig: &dyn Rig) -> String {
    logged_in(rig).info().serial.clone()
}

fn wrong_pin(rig: &dyn Rig) {
    let serial = made(rig);
    let wrong = "wr0ng-pin";
    let refused = log_in(&*rig.module(), wrong);
    assert_eq!(kind(refused, "a wrong PIN"), FaultKind::Denied);
    let (unseen, hashes) = ledger(rig, &serial);
    assert_eq!(
        (unseen, hashes.len()),
        (0, 1),
        "a rejected PIN is remembered"
    );
    let hash = &hashes[0];
    assert!(
        !hash.contains(wrong) && !hash.contains([' ', '\n']),
        "{hash}"
    );
    let module = rig.module();
    let again = log_in(&*module, wrong).map(drop).expect_err("not again");
    assert!(matches!(again, TokenError::PinRejectedBefore(_)), "{again}");
    log_in(&*module, PIN).expect("a PIN that is not tried uses up no login");
    assert_eq!(
        ledger(rig, &serial),
        (0, vec![]),
        "a login that works forgets"
    );
}

/// Tries whose end nobody saw, and hashes of rejected PINs.
fn ledger(rig: &dyn Rig, serial: &str) -> (u8, Vec<String>) {
    let wait = std::time::Duration::ZERO;
    let ledger = rig.memory().open(serial, wait).expect("opened");
    (ledger.unseen(), ledger.rejected().to_vec())
}

fn unseen_tries(rig: &dyn Rig) {
    let serial = made(rig);
    let open = || {
        let wait = std::time::Duration::ZERO;
        rig.memory().open(&serial, wait).expect("opened")
    };
    for _ in 1..MOST_UNSEEN_TRIES {
        open().note_try().expect("noted");
    }
    drop(logged_in(rig));
    assert_eq!(
        ledger(rig, &serial).0,
        0,
        "one more is allowed, and it worked"
    );
    for _ in 0..MOST_UNSEEN_TRIES {
        open().note_try().expect("noted");
    }
    let module = rig.module();
    let refused = log_in(&*module, PIN);
    assert_eq!(kind(refused, "a third try"), FaultKind::Denied);
    assert_eq!(ledger(rig, &serial).0, MOST_UNSEEN_TRIES, "none was made");
    open().end_try(TryEnd::Accepted).expect("forgotten");
    log_in(&*module, PIN).expect("no try was used up");
}

fn one_login(rig: &dyn Rig) {
    made(rig);
    for first in [PIN, "00000000"] {
        let module = rig.module();
        assert_eq!(log_in(&*module, first).is_ok(), first == PIN);
        let again = log_in(&*module, PIN);
        assert_eq!(kind(again, "a second try"), FaultKind::Denied);
    }
}

fn empty_pin(rig: &dyn Rig) {
    let serial = made(rig);
    let module = rig.module();
    assert_eq!(
        kind(log_in(&*module, ""), "an empty PIN"),
        FaultKind::Denied
    );
    assert_eq!(ledger(rig, &serial), (0, vec![]));
    log_in(&*module, PIN).expect("no try was used up");
}

fn kek(rig: &dyn Rig) {
    let session = logged_in(rig);
    let none = KekId::new(&[9; 16]).expect("an id");
    assert!(!session.has_kek(&none).expect("looked for"));
    let first = session.generate_kek().expect("a KEK");
    let second = session.generate_kek().expect("another KEK");
    assert_ne!(first, second);
    assert!(
        !session.has_kek(&none).expect("looked for"),
        "never by label"
    );
    drop(session);
    let session = logged_in(rig);
    assert!(session.has_kek(&first).expect("looked for"));
    assert!(session.has_kek(&second).expect("looked for"));
}

fn kek_as(rig: &dyn Rig) {
    let session = logged_in(rig);
    let id = session.new_kek_id().expect("an id");
    assert_ne!(id, session.new_kek_id().expect("another id"));
    assert!(
        !session.has_kek(&id).expect("looked for"),
        "only an id so far"
    );
    assert_eq!(session.kek_check_value(&id).expect("looked for"), None);
    session.generate_kek_as(&id).expect("generated");
    let others = [(); 2].map(|()| session.generate_kek().expect("another KEK"));
    let value = |kek| session.kek_check_value(kek).expect("looked for");
    // A token need not have check values; where it has, they tell its keys apart. They are short: two
    // keys may have the same, and three will not.
    if let Some(first) = value(&id) {
        assert!(!first.is_empty() && first.len() <= 8, "{first:02x?}");
        assert!(others.iter().any(|kek| value(kek).as_ref() != Some(&first)));
    }
    drop(session);
    let session = logged_in(rig);
    assert!(session.has_kek(&id).expect("looked for"));
}

fn destroyed(rig: &dyn Rig) {
    let session = logged_in(rig);
    let old = session.generate_kek().expect("a KEK");
    let new = session.generate_kek().expect("another KEK");
    let dek = Dek::from_bytes(&[0x5A; 32]).expect("a DEK");
    let blob = session.wrap_dek(&new, &dek).expect("wrapped");
    assert!(session.destroy_kek(&old).expect("destroyed"));
    assert!(!session.destroy_kek(&old).expect("nothing left to do"));
    drop(session);
    let session = logged_in(rig);
    assert!(!session.has_kek(&old).expect("looked for"));
    let back = session.unwrap_dek(&new, &blob).expect("the other is whole");
    assert!(back.is_same(&dek));
}

fn wraps(rig: &dyn Rig) {
    let session = logged_in(rig);
    let kek = session.generate_kek().expect("a KEK");
    let other = session.generate_kek().expect("another KEK");
    let none = KekId::new(&[9; 16]).expect("an id");
    let dek = Dek::from_bytes(&[0x5A; 32]).expect("a DEK");
    let blob = session.wrap_dek(&kek, &dek).expect("wrapped");
    assert!(!blob.0.windows(16).any(|part| part == [0x5A; 16]));
    let blobs = rig.blobs();
    assert_eq!(blobs.wrap_format_of(&blob), session.info().wrap_format);
    assert_eq!(blobs.wrap_format_of(&WrappedDek(Vec::new())), None);
    assert_eq!(blobs.kek_of(&blob), Some(kek.clone()));
    assert_eq!(blobs.kek_of(&WrappedDek(Vec::new())), None);
    assert!(session.wrap_dek(&none, &dek).is_err());
    drop(session);
    let session = logged_in(rig);
    let back = session.unwrap_dek(&kek, &blob).expect("unwrapped");
    assert!(back.is_same(&dek));
    for wrong in [&other, &none] {
        assert_eq!(
            kind(session.unwrap_dek(wrong, &blob), "another KEK"),
            FaultKind::DataCorrupt
        );
    }
}

fn altered(rig: &dyn Rig) {
    let session = logged_in(rig);
    let kek = session.generate_kek().expect("a KEK");
    let dek = Dek::from_bytes(&[0x5A; 32]).expect("a DEK");
    let WrappedDek(blob) = session.wrap_dek(&kek, &dek).expect("wrapped");
    let refused = |bytes: Vec<u8>, what: &str| {
        let kind = kind(session.unwrap_dek(&kek, &WrappedDek(bytes)), what);
        assert_eq!(kind, FaultKind::DataCorrupt, "{what}");
    };
    for bit in 0..blob.len() * 8 {
        let mut bytes = blob.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(bytes, &format!("bit {bit} flipped"));
    }
    for length in 0..blob.len() {
        refused(blob[..length].to_vec(), &format!("cut to {length} bytes"));
    }
    let mut longer = blob.clone();
    longer.push(0);
    refused(longer, "a trailing byte");
    assert!(
        session
            .unwrap_dek(&kek, &WrappedDek(blob))
            .expect("the right one still unwraps")
            .is_same(&dek)
    );
}

fn marker(rig: &dyn Rig) {
    let mut session = logged_in(rig);
    let ours = InstallationId::from_random([1; 16]);
    session.mark(&ours).expect("marked");
    session.mark(&ours).expect("marked again");
    let other = session.mark(&InstallationId::from_random([2; 16]));
    let other = other.expect_err("another installation");
    assert!(
        matches!(other, TokenError::OtherInstallation { .. }),
        "{other}"
    );
    drop(session);
    let module = rig.module();
    let found = info(&*module, &by_label(LABEL));
    assert_eq!(found.marker, Some(ours.clone()));
    // Another installation's token is shown as it is: the caller must not use it.
    let mut query = by_label(LABEL);
    query.installation = Some(InstallationId::from_random([2; 16]));
    assert_eq!(info(&*module, &query).marker, Some(ours));
}

fn random(rig: &dyn Rig) {
    let session = logged_in(rig);
    let first = session.random(32).expect("random bytes");
    let second = session.random(32).expect("random bytes");
    assert_eq!(first.expose().len(), 32);
    assert_ne!(first, second);
}
