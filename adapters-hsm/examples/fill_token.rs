//! Fills a token with keys of nobody: `fill_token --module MODULE LABEL COUNT`, the user PIN in
//! `HSM_PIN`. `cargo xtask bench --objects` measures a start on such a token.

use std::error::Error;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, module, label, count] = arguments.as_slice() else {
        return Err("fill_token --module MODULE LABEL COUNT".into());
    };
    if flag != "--module" {
        return Err(format!("{flag:?} is not --module").into());
    }
    fill(module, label, count.parse()?)
}

fn fill(module: &str, label: &str, count: u64) -> Result<(), Box<dyn Error>> {
    let context = Pkcs11::new(module)?;
    context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    for slot in context.get_slots_with_token()? {
        let info = context.get_token_info(slot)?;
        if !info.token_initialized() || info.label().trim_end() != label {
            continue;
        }
        let session = context.open_rw_session(slot)?;
        let pin = AuthPin::from(std::env::var("HSM_PIN")?);
        session.login(UserType::User, Some(&pin))?;
        for number in 0..count {
            session.generate_key(
                &Mechanism::AesKeyGen,
                &[
                    Attribute::ValueLen(32.into()),
                    Attribute::Token(true),
                    Attribute::Private(true),
                    Attribute::Sensitive(true),
                    Attribute::Label(b"nobody's".to_vec()),
                    Attribute::Id(number.to_be_bytes().to_vec()),
                ],
            )?;
        }
        return Ok(());
    }
    Err(format!("{module} shows no token {label:?}").into())
}
