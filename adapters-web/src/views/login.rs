//! `/`: how the node is, and the access code.

use maud::{Markup, html};

use super::{Field, View, fingerprint};
use crate::texts;

/// The form for the access code; what is wrong with the last one.
pub fn page(view: &View<'_>, problem: Option<&str>) -> Markup {
    let field = Field {
        name: "code",
        hint: Some(view.text(texts::CODE_HINT)),
        problem,
    };
    let tls = view.report().tls.as_ref();
    let main = html! {
        h1 { (view.text(view.wanted())) }
        @if let Some(tls) = tls {
            section {
                h2 { (view.text(texts::FINGERPRINT)) }
                (fingerprint(&tls.sha256_fingerprint))
                p.hint { (view.text(texts::COMPARE)) }
            }
        }
        (view.form("/login", &html! {
            div.field {
                label for="code" { (view.text(texts::CODE)) }
                (field.beside())
                input type="text" id="code" name="code" required autocomplete="off"
                    autocapitalize="none" spellcheck="false" autofocus
                    aria-describedby=[field.described_by()] aria-invalid=[field.is_wrong()];
            }
            button type="submit" { (view.text(texts::LOG_IN)) }
        }))
    };
    view.page(view.wanted(), None, &main)
}
