//! Who may: the access code, and what a wrong one costs.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use data_encoding::BASE32_NOPAD;
use ports::Secret;
use ring::hmac;
use ring::rand::SystemRandom;

use crate::random::{self, NoRandom};
use crate::sessions::Sessions;

/// Bytes of an access code: 128 bits.
const BYTES: usize = 16;

/// Characters between two hyphens, so that a code can be read out.
const GROUP: usize = 7;

/// Who lets operators in. It lives as long as the process, whatever becomes of its pages: whoever is in
/// stays in, and a wrong code is not forgotten.
pub struct Doorkeeper {
    pub(crate) door: RefCell<Door>,
    pub(crate) sessions: RefCell<Sessions>,
}

impl Doorkeeper {
    /// With a new code, and nobody in yet.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new() -> Result<Rc<Self>, NoRandom> {
        Ok(Rc::new(Self {
            door: RefCell::new(Door::new(AccessCode::new()?)),
            sessions: RefCell::new(Sessions::new()?),
        }))
    }

    /// The code, as the operator is shown it.
    #[must_use]
    pub fn code(&self) -> Secret {
        self.door.borrow().code.shown.clone()
    }
}

/// What an operator types to get in.
struct AccessCode {
    shown: Secret,
    key: hmac::Key,
    tag: hmac::Tag,
}

impl AccessCode {
    fn new() -> Result<Self, NoRandom> {
        let random = SystemRandom::new();
        let plain = BASE32_NOPAD
            .encode(&random::bytes::<BYTES>(&random)?)
            .to_lowercase();
        let key = random::key(&random)?;
        let mut shown = String::new();
        for (number, letter) in plain.chars().enumerate() {
            if number > 0 && number % GROUP == 0 {
                shown.push('-');
            }
            shown.push(letter);
        }
        Ok(Self {
            shown: shown.into(),
            tag: hmac::sign(&key, plain.as_bytes()),
            key,
        })
    }

    /// Whether this is the code. Case, hyphens and spaces do not count. How long it takes says
    /// nothing of the code: tags are compared, under a key that nobody knows.
    fn is(&self, typed: &Secret) -> bool {
        let letters = typed.expose().iter();
        let letters = letters.filter(|byte| byte.is_ascii_alphanumeric());
        let plain: Vec<u8> = letters.map(u8::to_ascii_lowercase).collect();
        let plain = Secret::new(plain);
        hmac::verify(&self.key, plain.expose(), self.tag.as_ref()).is_ok()
    }
}

/// Wrong codes that cost nothing.
const FREE: u32 = 5;

/// The longest wait after a wrong code.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The door: the code, and the wrong ones so far, whoever typed them.
pub struct Door {
    code: AccessCode,
    wrong: u32,
    closed_until: Option<Instant>,
}

/// What became of a try.
#[derive(Debug, Eq, PartialEq)]
pub enum Tried {
    /// It was the code.
    Right,
    /// It was not.
    Wrong,
    /// It was not looked at, since wrong ones came before it; how long that lasts.
    Wait(Duration),
}

impl Door {
    /// With no wrong one yet.
    fn new(code: AccessCode) -> Self {
        Self {
            code,
            wrong: 0,
            closed_until: None,
        }
    }

    /// Tries a code.
    pub fn try_code(&mut self, typed: &Secret, now: Instant) -> Tried {
        if let Some(until) = self.closed_until
            && let Some(left) = until.checked_duration_since(now)
            && !left.is_zero()
        {
            return Tried::Wait(left);
        }
        if self.code.is(typed) {
            self.wrong = 0;
            self.closed_until = None;
            return Tried::Right;
        }
        self.wrong = self.wrong.saturating_add(1);
        if let Some(beyond) = self.wrong.checked_sub(FREE) {
            let wait = Duration::from_secs(1 << beyond.min(6)).min(LONGEST_WAIT);
            self.closed_until = now.checked_add(wait);
        }
        Tried::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong() -> Secret {
        Secret::from("aaaaaaa-aaaaaaa-aaaaaaa-aaaaa".to_owned())
    }

    #[test]
    fn a_code_has_128_bits_and_no_two_are_the_same() {
        let (one, other) = (AccessCode::new().unwrap(), AccessCode::new().unwrap());
        let text = one.shown.expose_text().unwrap().to_owned();
        let letters: String = text.split('-').collect();
        let bytes = BASE32_NOPAD.decode(letters.to_uppercase().as_bytes());
        assert_eq!(bytes.unwrap().len(), 16);
        assert!(one.is(&one.shown));
        assert!(!one.is(&other.shown));
    }

    #[test]
    fn a_code_may_be_typed_without_hyphens_and_in_capitals() {
        let code = AccessCode::new().unwrap();
        let shown = code.shown.expose_text().unwrap();
        let typed = format!(" {} ", shown.replace('-', " ").to_uppercase());
        assert!(code.is(&typed.into()));
        assert!(!code.is(&shown[..shown.len() - 1].to_owned().into()));
        assert!(!code.is(&String::new().into()));
    }

    #[test]
    fn after_five_wrong_ones_each_try_waits_twice_as_long_up_to_a_minute() {
        let code = AccessCode::new().unwrap();
        let shown = code.shown.clone();
        let mut door = Door::new(code);
        let mut now = Instant::now();
        for _ in 0..5 {
            assert_eq!(door.try_code(&wrong(), now), Tried::Wrong);
        }
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = Duration::from_secs(seconds);
            // The right one waits too, and a try that waits is not counted.
            assert_eq!(door.try_code(&shown, now), Tried::Wait(wait));
            assert_eq!(door.try_code(&wrong(), now), Tried::Wait(wait));
            now += wait;
            assert_eq!(door.try_code(&wrong(), now), Tried::Wrong);
        }
        now += LONGEST_WAIT;
        assert_eq!(door.try_code(&shown, now), Tried::Right);
        assert_eq!(door.try_code(&wrong(), now), Tried::Wrong);
        assert_eq!(door.try_code(&shown, now), Tried::Right);
    }
}
