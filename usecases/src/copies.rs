//! The copies of the DEK that other tokens wrap: a token that was away is right when it comes back,
//! and one that was stolen has to be forgotten.

use ports::{Sealing, TokenCopy};

use crate::recorder::Recorder;
use crate::report::own::{CopyReport, Own, Recover};

/// The wrapped copies of other tokens than the one with this serial number.
pub fn others<'a>(sealing: &'a Sealing, serial: &str) -> impl Iterator<Item = &'a TokenCopy> {
    sealing
        .copies
        .iter()
        .filter(move |copy| copy.serial != serial && copy.wrapped.is_some())
}

/// What is to be done about such a copy.
#[must_use]
pub fn advice(copy: &TokenCopy) -> String {
    let TokenCopy { label, serial, .. } = copy;
    format!(
        "the copy of the DEK that the token {label:?} (serial {serial}) opens is left: when that \
         token comes back, the node is ready with it and needs no password. If it was stolen, have \
         it forgotten: `trustpointctl keys forget-token {serial}`"
    )
}

/// Names, after a recovery onto this token, the copies that are left.
pub fn tell_of_others(recorder: &mut Recorder<'_>, sealing: &Sealing, serial: &str) {
    let report = &mut recorder.report;
    report.warnings.extend(others(sealing, serial).map(advice));
    report.own = Some(Own::Recover(Recover {
        other_copies: others(sealing, serial)
            .map(|copy| CopyReport::of(copy, Some(false)))
            .collect(),
    }));
}
