//! Identities and check values of the keys; never a byte of one.

use std::time::Duration;

use ports::{Found, Sealing, Token, TokenCopy, TokenInfo, WrapFormat};

use super::sealed_node::SealedNode;
use crate::error::Error;
use crate::node::Node;
use crate::report::own::{
    BackupPasswordReport, CopyReport, DekReport, KekReport, KeysReport, TokenReport,
};
use crate::report::{Moment, Name, rfc3339};
use crate::session;

/// What is shown.
pub struct KeyFacts {
    sealing: Sealing,
    label: String,
    /// The copy of the token in use; where it is not there, that of the one that is looked for
    /// first.
    copy: Option<TokenCopy>,
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
        copy: sealed.record.sealing.newest_copy().cloned(),
        sealing: sealed.record.sealing.clone(),
        label: node.settings.token_label.clone(),
        wrap_format: None,
        token: None,
        kek: None,
        warnings: Vec::new(),
    };
    let asked = look(node, &sealed).and_then(|token| match token {
        Some(token) => facts.ask(node, token),
        None => Ok(()),
    });
    if let Err(fault) = asked {
        let warning = format!("the token was not asked for the KEK: {fault}");
        facts.warnings.push(warning);
    }
    if facts.token.is_none() && facts.warnings.is_empty() {
        let label = &node.settings.token_label;
        facts.warnings.push(format!("no token is named {label:?}"));
    }
    let wrapped = facts.copy.as_ref().and_then(|copy| copy.wrapped.as_ref());
    facts.wrap_format = wrapped.and_then(|wrapped| node.secrets.blobs.wrap_format_of(&wrapped.dek));
    Ok(facts)
}

fn look(node: &Node, sealed: &SealedNode) -> Result<Option<Box<dyn Token>>, Error> {
    let seen = session::find(node, Duration::ZERO, Some(&sealed.record))?;
    Ok(match seen.found {
        Found::Present(token) => Some(token),
        Found::Absent { .. } => None,
    })
}

impl KeyFacts {
    /// A KEK is private: even its check value needs a login.
    fn ask(&mut self, node: &Node, token: Box<dyn Token>) -> Result<(), Error> {
        let info = token.info().clone();
        self.copy = self.sealing.copy_of(&info.serial).cloned();
        self.token = Some(info);
        if self.sealing.copies.is_empty() {
            return Ok(());
        }
        let session = token.log_in(&node.secrets.pins.user_pin()?)?;
        self.copy = session::copy_for(node, &*session, &self.sealing)?.cloned();
        if let Some(kek) = self.copy.as_ref().and_then(|copy| copy.kek.as_ref()) {
            self.kek = Some(KekFacts {
                on_token: session.has_kek(kek)?,
                check_value: session.kek_check_value(kek)?.as_deref().map(domain::hex),
            });
        }
        Ok(())
    }

    /// Whether this is the copy of the token in use; `None` where no token could be asked.
    fn is_in_use(&self, copy: &TokenCopy) -> Option<bool> {
        self.token.as_ref()?;
        Some(self.copy.as_ref() == Some(copy))
    }

    /// Serial number of the token that is shown.
    fn serial(&self) -> Option<&str> {
        let found = self.token.as_ref().map(|token| token.serial.as_str());
        found.or(self.copy.as_ref().map(|copy| copy.serial.as_str()))
    }

    /// For programs.
    #[must_use]
    pub fn report(&self) -> KeysReport {
        let copy = self.copy.as_ref();
        let backup = self.sealing.backup.as_ref();
        let kek = self.kek.as_ref();
        let id = |kek: &domain::KekId| kek.to_string();
        KeysReport {
            token: TokenReport {
                label: copy.map_or_else(|| self.label.clone(), |copy| copy.label.clone()),
                serial: self.serial().map(str::to_owned),
                module: copy.map(|copy| copy.module_path.clone()),
                present: self.token.is_some(),
                pin: self.token.as_ref().map(|token| Name(token.pin)),
                device: self.token.as_ref().map(Into::into),
            },
            kek: KekReport {
                id: copy.and_then(|copy| copy.kek.as_ref()).map(id),
                on_token: kek.map(|kek| kek.on_token),
                check_value: kek.and_then(|kek| kek.check_value.clone()),
                old: copy.map_or_else(Vec::new, |copy| copy.retired_keks.iter().map(id).collect()),
                pending: copy.and_then(|copy| copy.pending_kek.as_ref()).map(id),
            },
            dek: DekReport {
                wrap_format: self.wrap_format.map(Name),
                check_value: self.sealing.check_value.as_deref().map(domain::hex),
            },
            backup_password: BackupPasswordReport {
                set: backup.is_some(),
                since: backup.and_then(|backup| backup.set_at).map(Moment),
            },
            copies: (self.sealing.copies.iter())
                .map(|copy| CopyReport::of(copy, self.is_in_use(copy)))
                .collect(),
        }
    }

    /// For people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.token_lines();
        lines.extend(self.dek_lines());
        lines.extend(self.sealing.copies.iter().map(|copy| self.copy_line(copy)));
        lines
    }

    fn token_lines(&self) -> Vec<String> {
        let KeysReport { token, kek, .. } = self.report();
        let on_token = match kek.on_token {
            Some(true) => "on the token",
            Some(false) => "NOT on the token",
            None => "not looked for",
        };
        let mut lines = vec![
            format!(
                "token: {:?}, serial {}",
                token.label,
                token.serial.unwrap_or_else(unknown)
            ),
            format!(
                "device: {}",
                token
                    .device
                    .map_or_else(unknown, |device| device.to_string())
            ),
            format!(
                "user PIN: {}",
                token.pin.map_or("unknown", |pin| pin.0.name())
            ),
            format!("KEK: {}, {on_token}", kek.id.unwrap_or_else(unknown)),
            format!(
                "KEK check value: {}",
                kek.check_value.unwrap_or_else(unknown)
            ),
        ];
        lines.extend(kek.old.iter().map(|old| format!("old KEK: {old}")));
        lines.extend(kek.pending.map(|pending| {
            format!("KEK of a change that was cut short: {pending}; `keys rotate-kek` finishes it")
        }));
        lines
    }

    fn dek_lines(&self) -> [String; 3] {
        let format = self.wrap_format;
        let check_value = self.sealing.check_value.as_deref();
        [
            format!(
                "DEK: wrapped with {}",
                format.map_or("an unknown format", WrapFormat::name)
            ),
            format!(
                "DEK check value: {}",
                check_value.map_or_else(unknown, domain::hex)
            ),
            match &self.sealing.backup {
                Some(backup) => format!(
                    "backup password: set, since {}",
                    backup.set_at.map_or_else(unknown, rfc3339)
                ),
                None => "backup password: NOT set".to_owned(),
            },
        ]
    }

    fn copy_line(&self, copy: &TokenCopy) -> String {
        let CopyReport {
            label,
            serial,
            kek_id,
            in_use,
            ..
        } = CopyReport::of(copy, self.is_in_use(copy));
        let wrapped = match &copy.wrapped {
            Some(wrapped) => format!(
                "wrapped {}",
                wrapped.at.map_or_else(
                    || "before that was recorded".to_owned(),
                    |at| format!("at {}", rfc3339(at))
                )
            ),
            None => "not wrapped yet".to_owned(),
        };
        let in_use = if in_use == Some(true) { ", in use" } else { "" };
        format!(
            "copy: {label:?}, serial {serial}, KEK {}, {wrapped}{in_use}",
            kek_id.unwrap_or_else(unknown)
        )
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}
