//! The web server is told of a new set.

use ports::{Reload, WebServerError, in_full};

use crate::recorder::Recorder;

/// Has the web server take up the set. The set is in place whatever becomes of this: a web server
/// that does not run yet reads it when it starts.
pub fn reload(recorder: &mut Recorder<'_>) {
    match recorder.node.web.server.reload() {
        Ok(Reload::Done) => recorder.note("reload_web_server", true, "the reload command worked"),
        Ok(Reload::NotConfigured) => recorder.skip(
            "reload_web_server",
            "no nginx.reload is configured: where nginx runs, reload it by hand",
        ),
        Err(error) => {
            let why = in_full(&error);
            let next = match error {
                WebServerError::CannotRun { .. } => {
                    "Correct nginx.reload, and reload the web server by hand"
                }
                WebServerError::Failed { .. } => {
                    "See whether the web server runs and accepts its configuration (`nginx -t`), \
                     then reload it by hand"
                }
            };
            recorder.report.warnings.push(format!(
                "the new TLS set is in place, but nginx may still serve the old one: {why}. {next}"
            ));
            recorder.skip("reload_web_server", &why);
        }
    }
}
