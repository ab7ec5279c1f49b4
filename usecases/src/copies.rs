//! The copies of the DEK that other tokens wrap: a token that was away is right when it comes back,
//! and one that was stolen has to be forgotten.

use ports::{Sealing, TokenCopy};

use crate::node::Node;
use crate::recorder::Recorder;
use crate::report::own::{CopyReport, Own, Recover};

/// The wrapped copies of other tokens than the one with this serial number.
pub fn others<'a>(sealing: &'a Sealing, serial: &str) -> impl Iterator<Item = &'a TokenCopy> {
    sealing
        .wrapped_copies()
        .filter(move |copy| copy.serial != serial)
}

/// What is to be done about such a copy.
#[must_use]
pub fn advice(node: &Node, copy: &TokenCopy) -> String {
    let TokenCopy { label, serial, .. } = copy;
    let left =
        format!("the copy of the DEK that the token {label:?} (serial {serial}) opens is left");
    let forget = format!("have it forgotten: `trustpointctl keys forget-token {serial}`");
    if node.store.is_shared() {
        return format!(
            "{left}: another node may use that token, and a node that has it needs no password. If \
             it was lost or stolen, {forget}"
        );
    }
    format!(
        "{left}: when that token comes back, the node is ready with it and needs no password. If it \
         was stolen, {forget}"
    )
}

/// Names, after a recovery onto this token, the copies that are left.
pub fn tell_of_others(recorder: &mut Recorder<'_>, sealing: &Sealing, serial: &str) {
    let node = recorder.node;
    let report = &mut recorder.report;
    let advice = others(sealing, serial).map(|copy| advice(node, copy));
    report.warnings.extend(advice);
    report.own = Some(Own::Recover(Recover {
        other_copies: others(sealing, serial)
            .map(|copy| CopyReport::of(copy, Some(false)))
            .collect(),
    }));
}
