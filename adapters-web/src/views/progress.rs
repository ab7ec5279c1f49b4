//! `/progress`: what is being done, and how it ended.

use maud::{Markup, html};
use usecases::report::{Report, StepReport};

use super::words::{of_fault, of_storage};
use super::{View, fingerprint};
use crate::desk::Failed;
use crate::texts;

/// Seconds until the page looks again.
const REFRESH: u8 = 1;

/// At work.
pub fn working(view: &View<'_>, steps: &[StepReport]) -> Markup {
    let main = html! {
        h1 { (view.text(texts::PROGRESS)) }
        p.working role="status" { (view.text(texts::PROGRESS_HINT)) }
        (view.steps(steps, true))
    };
    view.page(texts::PROGRESS, Some(REFRESH), &main)
}

/// It worked.
pub fn done(view: &View<'_>, report: &Report) -> Markup {
    let view = &view.at_the_end();
    let hint = match report.command.as_str() {
        "status" => texts::THERE_HINT,
        _ => texts::DONE_HINT,
    };
    let shown = view
        .report()
        .tls
        .as_ref()
        .map(|tls| &tls.sha256_fingerprint);
    let tls = report.tls.as_ref().map(|tls| &tls.sha256_fingerprint);
    let main = html! {
        h1 { (view.text(texts::DONE)) }
        p role="status" { (view.text(hint)) }
        @if let Some(new) = tls.filter(|_| tls != shown) {
            p { (view.text(texts::DONE_CERTIFICATE)) }
            (fingerprint(new))
        }
        // As it is, whoever asked for it: somebody else may have been faster.
        @if let Some(storage) = report.summary.as_ref().and_then(|summary| summary.storage) {
            dl {
                dt { (view.text(texts::STORED_KIND)) }
                dd { (view.text(of_storage(storage).0)) }
            }
        }
        p { a href="/" { (view.text(texts::DONE_LINK)) } }
        @if !report.warnings.is_empty() {
            h2 { (view.text(texts::WARNINGS)) }
            ul lang="en" { @for warning in &report.warnings { li { (warning) } } }
        }
        (view.steps(&report.steps, false))
    };
    view.page(texts::DONE, None, &main)
}

/// It did not work.
pub fn failed(view: &View<'_>, failed: &Failed) -> Markup {
    let error = &failed.error;
    let main = html! {
        h1 { (view.text(texts::FAILED)) }
        (view.problem(None, of_fault(error.kind), error))
        (view.again(failed.form, error))
        (view.steps(&failed.steps, false))
    };
    view.page(texts::FAILED, None, &main)
}
