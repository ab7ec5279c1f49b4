//! The web server is told of a new set.

use ports::Reload;

use crate::error::Error;
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
            let fault = Error::from(error);
            let why = fault.in_full();
            recorder.report.warnings.push(format!(
                "the new TLS set is in place, but nginx may still serve the old one: {why}. See \
                 whether nginx runs and accepts its configuration (`nginx -t`), then reload it by \
                 hand"
            ));
            recorder.skip("reload_web_server", &why);
        }
    }
}
