//! Identities and check values of the keys; never a byte of one.

use std::time::Duration;

use ports::{Found, Token, TokenInfo, TokenRecord, WrapFormat};

use super::sealed_node::SealedNode;
use crate::error::Error;
use crate::node::Node;
use crate::report::own::{BackupPasswordReport, DekReport, KekReport, KeysReport, TokenReport};
use crate::report::{DeviceReport, Moment, Name, rfc3339};
use crate::session;

/// What is shown.
pub struct KeyFacts {
    record: TokenRecord,
    wrap_format: Option<WrapFormat>,
    token: Option<TokenInfo>,
    kek: Option<KekFacts>,
    /// What could not be asked for.
    pub warnings: Vec<String>,
}

/// What the token says of the KEK.
struct KekFacts {
    on_token: bool,
    check_value: Option<String>,
}

/// Looks at the database and at the token. What the token does not tell is null, and a warning
/// says why: the database's part is wanted most where the token is out of reach.
///
/// # Errors
/// The database, or a node without keys.
pub fn show(node: &Node) -> Result<KeyFacts, Error> {
    let sealed = SealedNode::read(node)?;
    let mut facts = KeyFacts {
        record: sealed.token.clone(),
        wrap_format: (sealed.token.encrypted_dek.as_ref())
            .and_then(|blob| node.secrets.blobs.wrap_format_of(blob)),
        token: None,
        kek: None,
        warnings: Vec::new(),
    };
    let looked = look(node, &sealed).and_then(|token| {
        facts.token = token.as_ref().map(|token| token.info().clone());
        kek(node, &sealed.token, token)
    });
    match looked {
        Ok(kek) => facts.kek = kek,
        Err(fault) => facts
            .warnings
            .push(format!("the token was not asked for the KEK: {fault}")),
    }
    if facts.token.is_none() && facts.warnings.is_empty() {
        let label = &node.settings.token_label;
        facts.warnings.push(format!("no token is named {label:?}"));
    }
    Ok(facts)
}

fn look(node: &Node, sealed: &SealedNode) -> Result<Option<Box<dyn Token>>, Error> {
    let seen = session::find(node, Duration::ZERO, Some(&sealed.record))?;
    Ok(match seen.found {
        Found::Present(token) => Some(token),
        Found::Absent { .. } => None,
    })
}

/// A KEK is private: even its check value needs a login.
fn kek(
    node: &Node,
    known: &TokenRecord,
    token: Option<Box<dyn Token>>,
) -> Result<Option<KekFacts>, Error> {
    let (Some(kek), Some(token)) = (&known.kek, token) else {
        return Ok(None);
    };
    let session = token.log_in(&node.secrets.pins.user_pin()?)?;
    Ok(Some(KekFacts {
        on_token: session.has_kek(kek)?,
        check_value: session.kek_check_value(kek)?.as_deref().map(domain::hex),
    }))
}

impl KeyFacts {
    /// For programs.
    #[must_use]
    pub fn report(&self) -> KeysReport {
        let record = &self.record;
        let kek = self.kek.as_ref();
        KeysReport {
            token: TokenReport {
                label: record.label.clone(),
                serial: record.serial.clone(),
                module: record.module_path.clone(),
                present: self.token.is_some(),
                pin: self.token.as_ref().map(|token| Name(token.pin)),
                device: self.token.as_ref().map(Into::into),
            },
            kek: KekReport {
                id: record.kek.as_ref().map(ToString::to_string),
                on_token: kek.map(|kek| kek.on_token),
                check_value: kek.and_then(|kek| kek.check_value.clone()),
                old: record
                    .retired_keks
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                pending: record.pending_kek.as_ref().map(ToString::to_string),
            },
            dek: DekReport {
                wrap_format: self.wrap_format.map(Name),
                check_value: record.dek_check_value.as_deref().map(domain::hex),
            },
            backup_password: BackupPasswordReport {
                set: record.backup_encrypted_dek.is_some(),
                since: record.backup_password_set_at.map(Moment),
            },
        }
    }

    /// For people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let record = &self.record;
        let unknown = || "unknown".to_owned();
        let mut lines = vec![format!(
            "token: {:?}, serial {}",
            record.label, record.serial
        )];
        let device = self.token.as_ref().map(DeviceReport::from);
        lines.push(format!(
            "device: {}",
            device.map_or_else(unknown, |device| device.to_string())
        ));
        lines.push(format!(
            "user PIN: {}",
            self.token
                .as_ref()
                .map_or_else(unknown, |token| token.pin.name().to_owned())
        ));
        let on_token = match self.kek.as_ref().map(|kek| kek.on_token) {
            Some(true) => "on the token",
            Some(false) => "NOT on the token",
            None => "not looked for",
        };
        let id = record
            .kek
            .as_ref()
            .map_or_else(unknown, ToString::to_string);
        lines.push(format!("KEK: {id}, {on_token}"));
        let check_value = self.kek.as_ref().and_then(|kek| kek.check_value.clone());
        lines.push(format!(
            "KEK check value: {}",
            check_value.unwrap_or_else(unknown)
        ));
        for old in &record.retired_keks {
            lines.push(format!("old KEK: {old}"));
        }
        if let Some(pending) = &record.pending_kek {
            lines.push(format!(
                "KEK of a change that was cut short: {pending}; `keys rotate-kek` finishes it"
            ));
        }
        lines.push(format!(
            "DEK: wrapped with {}",
            self.wrap_format
                .map_or("an unknown format", WrapFormat::name)
        ));
        lines.push(format!(
            "DEK check value: {}",
            record
                .dek_check_value
                .as_deref()
                .map_or_else(unknown, domain::hex)
        ));
        let since = record.backup_password_set_at.map_or_else(unknown, rfc3339);
        lines.push(if record.backup_encrypted_dek.is_some() {
            format!("backup password: set, since {since}")
        } else {
            "backup password: NOT set".into()
        });
        lines
    }
}
