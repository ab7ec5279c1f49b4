//! What is asked of a token that is to keep a KEK, tried out. Nothing of it stays on the token.

use domain::KekId;
use ports::{PinState, TokenError, Trial, TrialResult, WrapFormat, in_full};

use crate::classify::OrFailed as _;
use crate::session::UserSession;
use crate::{kek, marker, random, wrap};

/// What the token says of itself.
pub(crate) fn without_login(user: &mut UserSession) -> Result<Vec<Trial>, TokenError> {
    Ok(vec![
        trial("mechanism", mechanism(user)),
        trial("pin", pin(user)),
        trial("serial", Ok(serial(user))),
        trial("random", Ok(generator(user))),
    ])
}

/// What it does with a key of this session.
pub(crate) fn with_a_key(user: &mut UserSession) -> Result<Vec<Trial>, TokenError> {
    let id = KekId::new(&random::bytes::<16>()?).map_err(|error| TokenError::Defect {
        what: "no id could be made for a key to try out",
        source: error.into(),
    })?;
    let mut trials = Vec::new();
    match kek::generate_for_session(user, &id) {
        Ok(key) => {
            trials.push(trial("key", Ok(works(made(user)))));
            for format in user.mechanisms().wrap_formats()? {
                let wrapped = wrap::try_out(user, &id, key, format);
                trials.push(trial(name(format), told(user, format, wrapped)));
            }
            trials.push(trial("stays", Ok(stays(user, &id, key))));
            (user.session.destroy_object(key))
                .or_failed(|| format!("the key that was tried out on the {user} stays there"))?;
        }
        Err(error) => trials.push(trial("key", Err(error))),
    }
    let marked = marker::try_out(user)
        .map(|form| works(format!("{form} is taken, for as long as a session lasts")));
    trials.push(trial("marker", marked));
    Ok(trials)
}

fn trial(name: &'static str, result: Result<TrialResult, TokenError>) -> Trial {
    Trial {
        name,
        result: result.unwrap_or_else(TrialResult::Fails),
    }
}

fn works(how: impl Into<String>) -> TrialResult {
    TrialResult::Works(how.into())
}

fn mechanism(user: &UserSession) -> Result<TrialResult, TokenError> {
    let used = user.wrap_format()?.name();
    let offered = user.mechanisms().wrap_formats()?;
    let names: Vec<_> = offered.into_iter().map(WrapFormat::name).collect();
    Ok(works(format!("{used} is used, of {}", names.join(", "))))
}

fn pin(user: &UserSession) -> Result<TrialResult, TokenError> {
    user.ensure_may_try()?;
    Ok(match user.token.pin() {
        PinState::CountLow => TrialResult::Lacks(
            "wrong PINs were tried: the tries run low (CKF_USER_PIN_COUNT_LOW)".to_owned(),
        ),
        _ => works("it asks for one, with a PIN that a program can give; no wrong PIN is counted"),
    })
}

fn serial(user: &UserSession) -> TrialResult {
    let serial = &user.token.name.serial;
    if user.token.has_serial() {
        works(format!("{serial} tells it from others"))
    } else {
        TrialResult::Lacks(format!(
            "{serial:?} tells it from no other: the marker of this program numbers it"
        ))
    }
}

fn generator(user: &UserSession) -> TrialResult {
    if user.token.info.rng() {
        works("it has a generator (CKF_RNG)")
    } else {
        TrialResult::Lacks("it has no generator (no CKF_RNG): the system's is used".to_owned())
    }
}

fn made(user: &UserSession) -> &'static str {
    if user.quirks.reports_local {
        "AES-256, generated there, private, sensitive from the beginning, never extractable"
    } else {
        "AES-256, private, sensitive from the beginning, never extractable; this module says of no \
         key that it was generated there"
    }
}

const fn name(format: WrapFormat) -> &'static str {
    match format {
        WrapFormat::AesKeyWrap => "wrap_aes_key_wrap",
        WrapFormat::AesKeyWrapKwp => "wrap_aes_key_wrap_kwp",
        WrapFormat::AesGcm => "wrap_aes_gcm",
    }
}

/// Of the formats that the token offers one alone is used.
fn told(
    user: &UserSession,
    format: WrapFormat,
    of_flipped_bit: Result<String, TokenError>,
) -> Result<TrialResult, TokenError> {
    match of_flipped_bit {
        Ok(said) => Ok(works(format!(
            "32 bytes come back as they were; of one flipped bit it says {said}"
        ))),
        Err(error) if user.format == Some(format) => Err(error),
        Err(error) => Ok(TrialResult::Lacks(in_full(&error))),
    }
}

fn stays(user: &UserSession, id: &KekId, key: cryptoki::object::ObjectHandle) -> TrialResult {
    if wrap::gives_away(user, id, key) {
        TrialResult::Lacks(
            "a key that is not to be extracted is wrapped all the same: whoever has the PIN can read \
             the KEK"
                .to_owned(),
        )
    } else {
        works("a key that is not to be extracted is not wrapped")
    }
}
