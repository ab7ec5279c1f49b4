//! Contract suite of [`Hsm`].

use domain::{InstallationId, KekId};

use crate::{
    Dek, Fault, FaultKind, Hsm, MOST_UNSEEN_TRIES, PinMemory, PinState, Secret, Token, TokenQuery,
    TokenSight, TryEnd, WrappedDek,
};

/// A store of tokens that belongs to one case alone.
pub trait Rig {
    /// A new value over the store, as a new start has it. The one before is dropped by then.
    fn hsm(&self) -> Box<dyn Hsm>;

    /// The ledger of PIN tries that every [`Rig::hsm`] shares.
    fn memory(&self) -> Box<dyn PinMemory>;

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

const CASES: [Case; 18] = [
    ("a fresh store has no token and a free slot", fresh),
    ("reach may be repeated", reach_again),
    ("an initialised token is found", initialised),
    ("no second token under one label", no_second),
    ("initialised tokens are not touched", untouched),
    ("several tokens: serial, marker, else config", several),
    ("a login is needed", needs_login),
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
        println!("hsm contract: {name}");
        case(&*make());
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
        serial: None,
        installation: None,
    }
}

/// A value that has reached its module.
pub fn reached(rig: &dyn Rig) -> Box<dyn Hsm> {
    let hsm = rig.hsm();
    hsm.reach(std::time::Duration::ZERO, &mut |fault| panic!("{fault}"))
        .expect("the module is reached");
    hsm
}

fn token(hsm: &dyn Hsm, query: &TokenQuery) -> Token {
    match hsm.find_token(query).expect("the token is looked for") {
        TokenSight::Present(token) => token,
        absent @ TokenSight::Absent { .. } => panic!("{query:?} must be found, not {absent:?}"),
    }
}

/// A value whose user is logged in, on a token that this makes where there is none.
fn logged_in(rig: &dyn Rig) -> (Box<dyn Hsm>, Token) {
    let hsm = reached(rig);
    let token = match hsm.find_token(&by_label(LABEL)).expect("looked for") {
        TokenSight::Present(token) => token,
        TokenSight::Absent { .. } => hsm
            .initialise_token(LABEL, &secret(SO_PIN), &secret(PIN))
            .expect("a free slot is initialised"),
    };
    hsm.login(&token, &secret(PIN)).expect("the PIN works");
    (hsm, token)
}

fn kind<T: std::fmt::Debug>(result: Result<T, Fault>, what: &str) -> FaultKind {
    match result {
        Ok(value) => panic!("{what} must fail, not give {value:?}"),
        Err(fault) => {
            assert!(!fault.hint().is_empty(), "{what}: no hint");
            let all = format!("{fault} {} {:?}", fault.hint(), fault.causes());
            assert!(!all.contains(PIN) && !all.contains(SO_PIN), "{what}: {all}");
            fault.kind()
        }
    }
}

fn fresh(rig: &dyn Rig) {
    let hsm = rig.hsm();
    let library = hsm
        .reach(std::time::Duration::ZERO, &mut |_| {})
        .expect("reached");
    assert!(!library.is_empty(), "reach says what answered");
    assert_eq!(
        hsm.find_token(&by_label(LABEL)).expect("looked for"),
        TokenSight::Absent {
            others: Vec::new(),
            free_slot: true
        }
    );
    assert!(!hsm.is_hung());
}

fn reach_again(rig: &dyn Rig) {
    let (hsm, _) = logged_in(rig);
    hsm.reach(std::time::Duration::ZERO, &mut |_| {})
        .expect("a second reach");
    // A module that was loaded again would have lost the login.
    hsm.generate_kek().expect("still logged in");
}

fn initialised(rig: &dyn Rig) {
    let hsm = reached(rig);
    let made = hsm
        .initialise_token(LABEL, &secret(SO_PIN), &secret(PIN))
        .expect("a free slot is initialised");
    assert_eq!(made.label, LABEL);
    assert!(!made.serial.is_empty());
    assert_eq!(made.pin, PinState::Fine);
    assert_eq!(made.marker, None);
    assert!(made.wrap_format.is_some());
    assert_eq!(token(&*hsm, &by_label(LABEL)), made);
    drop(hsm);
    let hsm = reached(rig);
    assert_eq!(token(&*hsm, &by_label(LABEL)), made, "after a restart");
    match hsm.find_token(&by_label("Other")).expect("looked for") {
        TokenSight::Absent { others, free_slot } => {
            assert_eq!(others, [LABEL]);
            assert!(free_slot);
        }
        present @ TokenSight::Present(_) => panic!("{present:?}"),
    }
}

fn no_second(rig: &dyn Rig) {
    drop(logged_in(rig));
    let hsm = reached(rig);
    let again = hsm.initialise_token(LABEL, &secret(SO_PIN), &secret(PIN));
    assert_eq!(kind(again, "the same label again"), FaultKind::Config);
    token(&*hsm, &by_label(LABEL));
}

fn untouched(rig: &dyn Rig) {
    let (hsm, _) = logged_in(rig);
    let kek = hsm.generate_kek().expect("a KEK");
    drop(hsm);
    let hsm = reached(rig);
    hsm.initialise_token("Another", &secret(SO_PIN), &secret("11112222"))
        .expect("another slot is free");
    drop(hsm);
    let (hsm, _) = logged_in(rig);
    assert!(hsm.has_kek(&kek).expect("looked for"), "the KEK survives");
}

fn several(rig: &dyn Rig) {
    rig.add_token(LABEL);
    let hsm = reached(rig);
    let first = token(&*hsm, &by_label(LABEL));
    hsm.login(&first, &secret(PIN)).expect("the PIN works");
    let ours = InstallationId::from_random([1; 16]);
    hsm.mark(&ours).expect("marked");
    drop(hsm);
    rig.add_token(LABEL);
    let hsm = reached(rig);
    let ambiguous = hsm.find_token(&by_label(LABEL)).expect_err("ambiguous");
    assert_eq!(ambiguous.kind(), FaultKind::Config);
    assert!(ambiguous.to_string().contains(&first.serial), "{ambiguous}");
    let mut query = by_label(LABEL);
    query.serial = Some("no such serial".into());
    let other = hsm.find_token(&query);
    assert_eq!(kind(other, "a serial of no token"), FaultKind::Config);
    query.serial = Some(first.serial.clone());
    assert_eq!(token(&*hsm, &query).serial, first.serial);
    query.serial = None;
    query.installation = Some(ours.clone());
    let found = token(&*hsm, &query);
    assert_eq!(found.serial, first.serial);
    assert_eq!(found.marker, Some(ours));
    query.installation = Some(InstallationId::from_random([2; 16]));
    let other = hsm.find_token(&query);
    assert_eq!(kind(other, "a marker of no token"), FaultKind::Config);
}

fn needs_login(rig: &dyn Rig) {
    drop(logged_in(rig));
    let hsm = reached(rig);
    token(&*hsm, &by_label(LABEL));
    let kek = KekId::new(&[1; 16]).expect("an id");
    let dek = Dek::from_bytes(&[1; 32]).expect("a DEK");
    // None of these may look like an answer about the keys (C3).
    assert!(hsm.has_kek(&kek).is_err());
    assert!(hsm.generate_kek().is_err());
    assert!(hsm.generate_kek_as(&kek).is_err());
    assert!(hsm.kek_check_value(&kek).is_err());
    assert!(hsm.destroy_kek(&kek).is_err());
    assert!(hsm.wrap_dek(&kek, &dek).is_err());
    assert!(hsm.random(8).is_err());
}

fn wrong_pin(rig: &dyn Rig) {
    let (hsm, token) = logged_in(rig);
    drop(hsm);
    let wrong = "wr0ng-pin";
    let hsm = reached(rig);
    assert_eq!(
        kind(hsm.login(&token, &secret(wrong)), "a wrong PIN"),
        FaultKind::Denied
    );
    drop(hsm);
    let (unseen, hashes) = ledger(rig, &token);
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
    let hsm = reached(rig);
    let again = hsm.login(&token, &secret(wrong)).expect_err("not again");
    assert_eq!(again.kind(), FaultKind::Denied);
    assert!(again.to_string().contains("not tried again"), "{again}");
    hsm.login(&token, &secret(PIN))
        .expect("a PIN that is not tried uses up no login");
    drop(hsm);
    assert_eq!(
        ledger(rig, &token),
        (0, vec![]),
        "a login that works forgets"
    );
}

/// Tries whose end nobody saw, and hashes of rejected PINs.
fn ledger(rig: &dyn Rig, token: &Token) -> (u8, Vec<String>) {
    let wait = std::time::Duration::ZERO;
    let ledger = rig.memory().open(&token.serial, wait).expect("opened");
    (ledger.unseen(), ledger.rejected().to_vec())
}

fn unseen_tries(rig: &dyn Rig) {
    let (hsm, token) = logged_in(rig);
    drop(hsm);
    let open = || {
        let wait = std::time::Duration::ZERO;
        rig.memory().open(&token.serial, wait).expect("opened")
    };
    for _ in 1..MOST_UNSEEN_TRIES {
        open().note_try().expect("noted");
    }
    drop(logged_in(rig));
    assert_eq!(
        ledger(rig, &token).0,
        0,
        "one more is allowed, and it worked"
    );
    for _ in 0..MOST_UNSEEN_TRIES {
        open().note_try().expect("noted");
    }
    let hsm = reached(rig);
    let refused = hsm.login(&token, &secret(PIN));
    assert_eq!(kind(refused, "a third try"), FaultKind::Denied);
    assert_eq!(ledger(rig, &token).0, MOST_UNSEEN_TRIES, "none was made");
    open().end_try(TryEnd::Accepted).expect("forgotten");
    hsm.login(&token, &secret(PIN)).expect("no try was used up");
}

fn one_login(rig: &dyn Rig) {
    let (hsm, token) = logged_in(rig);
    hsm.login(&token, &secret("ignored"))
        .expect("after a login that worked the next does nothing");
    drop(hsm);
    let hsm = reached(rig);
    assert!(hsm.login(&token, &secret("00000000")).is_err());
    assert_eq!(
        kind(hsm.login(&token, &secret(PIN)), "a second try"),
        FaultKind::Denied
    );
}

fn empty_pin(rig: &dyn Rig) {
    let (hsm, token) = logged_in(rig);
    drop(hsm);
    let hsm = reached(rig);
    assert_eq!(
        kind(hsm.login(&token, &secret("")), "an empty PIN"),
        FaultKind::Denied
    );
    assert_eq!(ledger(rig, &token), (0, vec![]));
    hsm.login(&token, &secret(PIN)).expect("no try was used up");
}

fn kek(rig: &dyn Rig) {
    let (hsm, _) = logged_in(rig);
    let none = KekId::new(&[9; 16]).expect("an id");
    assert!(!hsm.has_kek(&none).expect("looked for"));
    let first = hsm.generate_kek().expect("a KEK");
    let second = hsm.generate_kek().expect("another KEK");
    assert_ne!(first, second);
    assert!(!hsm.has_kek(&none).expect("looked for"), "never by label");
    drop(hsm);
    let (hsm, _) = logged_in(rig);
    assert!(hsm.has_kek(&first).expect("looked for"));
    assert!(hsm.has_kek(&second).expect("looked for"));
}

fn kek_as(rig: &dyn Rig) {
    let (hsm, _) = logged_in(rig);
    let id = hsm.new_kek_id().expect("an id");
    assert_ne!(id, hsm.new_kek_id().expect("another id"));
    assert!(!hsm.has_kek(&id).expect("looked for"), "only an id so far");
    assert_eq!(hsm.kek_check_value(&id).expect("looked for"), None);
    hsm.generate_kek_as(&id).expect("generated");
    let other = hsm.generate_kek().expect("another KEK");
    let value = |kek| hsm.kek_check_value(kek).expect("looked for");
    // A token need not have check values; where it has, they tell its keys apart.
    if let Some(first) = value(&id) {
        assert!(!first.is_empty() && first.len() <= 8, "{first:02x?}");
        assert_ne!(value(&other), Some(first));
    }
    drop(hsm);
    let (hsm, _) = logged_in(rig);
    assert!(hsm.has_kek(&id).expect("looked for"));
}

fn destroyed(rig: &dyn Rig) {
    let (hsm, _) = logged_in(rig);
    let old = hsm.generate_kek().expect("a KEK");
    let new = hsm.generate_kek().expect("another KEK");
    let dek = Dek::from_bytes(&[0x5A; 32]).expect("a DEK");
    let blob = hsm.wrap_dek(&new, &dek).expect("wrapped");
    assert!(hsm.destroy_kek(&old).expect("destroyed"));
    assert!(!hsm.destroy_kek(&old).expect("nothing left to do"));
    drop(hsm);
    let (hsm, _) = logged_in(rig);
    assert!(!hsm.has_kek(&old).expect("looked for"));
    let back = hsm.unwrap_dek(&new, &blob).expect("the other is whole");
    assert!(back.is_same(&dek));
}

fn wraps(rig: &dyn Rig) {
    let (hsm, token) = logged_in(rig);
    let kek = hsm.generate_kek().expect("a KEK");
    let other = hsm.generate_kek().expect("another KEK");
    let none = KekId::new(&[9; 16]).expect("an id");
    let dek = Dek::from_bytes(&[0x5A; 32]).expect("a DEK");
    let blob = hsm.wrap_dek(&kek, &dek).expect("wrapped");
    assert!(!blob.0.windows(16).any(|part| part == [0x5A; 16]));
    assert_eq!(hsm.wrap_format_of(&blob), token.wrap_format);
    assert_eq!(hsm.wrap_format_of(&WrappedDek(Vec::new())), None);
    assert_eq!(hsm.kek_of(&blob), Some(kek.clone()));
    assert_eq!(hsm.kek_of(&WrappedDek(Vec::new())), None);
    assert!(hsm.wrap_dek(&none, &dek).is_err());
    drop(hsm);
    let (hsm, _) = logged_in(rig);
    let back = hsm.unwrap_dek(&kek, &blob).expect("unwrapped");
    assert!(back.is_same(&dek));
    for wrong in [&other, &none] {
        assert_eq!(
            kind(hsm.unwrap_dek(wrong, &blob), "another KEK"),
            FaultKind::DataCorrupt
        );
    }
}

fn altered(rig: &dyn Rig) {
    let (hsm, _) = logged_in(rig);
    let kek = hsm.generate_kek().expect("a KEK");
    let dek = Dek::from_bytes(&[0x5A; 32]).expect("a DEK");
    let WrappedDek(blob) = hsm.wrap_dek(&kek, &dek).expect("wrapped");
    let refused = |bytes: Vec<u8>, what: &str| {
        let kind = kind(hsm.unwrap_dek(&kek, &WrappedDek(bytes)), what);
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
        hsm.unwrap_dek(&kek, &WrappedDek(blob))
            .expect("the right one still unwraps")
            .is_same(&dek)
    );
}

fn marker(rig: &dyn Rig) {
    let (hsm, _) = logged_in(rig);
    let ours = InstallationId::from_random([1; 16]);
    hsm.mark(&ours).expect("marked");
    hsm.mark(&ours).expect("marked again");
    let other = hsm.mark(&InstallationId::from_random([2; 16]));
    assert_eq!(kind(other, "another installation"), FaultKind::Config);
    drop(hsm);
    let hsm = reached(rig);
    assert_eq!(token(&*hsm, &by_label(LABEL)).marker, Some(ours.clone()));
    // Another installation's token is shown as it is: the caller must not use it.
    let mut query = by_label(LABEL);
    query.installation = Some(InstallationId::from_random([2; 16]));
    assert_eq!(token(&*hsm, &query).marker, Some(ours));
}

fn random(rig: &dyn Rig) {
    let (hsm, _) = logged_in(rig);
    let first = hsm.random(32).expect("random bytes");
    let second = hsm.random(32).expect("random bytes");
    assert_eq!(first.expose().len(), 32);
    assert_ne!(first, second);
}
