//! What the containers of a story may not: judged at its end.

use super::report::{require, same};
use super::world::{DATABASE_PASSWORD, PASSWORD, PIN, SO_PIN, WRONG_PASSWORD, World};
use crate::run::Result;

impl World<'_> {
    /// The node's user, a read-only root, no capability, and no secret in what anybody may see.
    pub fn check_containers(&self) -> Result<()> {
        for container in self.containers()? {
            let name = container.name.as_str();
            // A story may have removed it.
            let inspected = self.stage.engine.output(&["inspect", name])?;
            if !inspected.status.success() {
                continue;
            }
            let inspected = String::from_utf8_lossy(&inspected.stdout).into_owned();
            check_confinement(name, &inspected)?;
            let (stdout, stderr) = container.logs()?;
            for (place, text) in [
                ("inspect", &inspected),
                ("logs", &stdout),
                ("logs", &stderr),
            ] {
                check_no_secret(name, place, text)?;
            }
        }
        Ok(())
    }
}

fn check_confinement(name: &str, inspected: &str) -> Result<()> {
    let value: serde_json::Value =
        serde_json::from_str(inspected).map_err(|error| format!("inspect of {name}: {error}"))?;
    let at = |pointer: &str| value.pointer(pointer).cloned().unwrap_or_default();
    same("the user", at("/0/Config/User"), "trustpoint".into())?;
    same("read-only", at("/0/HostConfig/ReadonlyRootfs"), true.into())?;
    same("privileged", at("/0/HostConfig/Privileged"), false.into())?;
    let dropped = at("/0/HostConfig/CapDrop").to_string();
    // podman lists what it dropped one by one.
    require(
        dropped.contains("ALL") || dropped.contains("CAP_CHOWN"),
        || format!("{name} keeps capabilities: {dropped}"),
    )
}

/// An error where `text` holds one of the secrets.
pub fn check_no_secret(name: &str, place: &str, text: &str) -> Result<()> {
    let secrets = [PIN, SO_PIN, PASSWORD, WRONG_PASSWORD, DATABASE_PASSWORD];
    for secret in secrets.into_iter().chain(["PRIVATE KEY"]) {
        require(!text.contains(secret), || {
            format!("a secret is in the {place} of {name}")
        })?;
    }
    Ok(())
}
