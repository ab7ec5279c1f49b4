//! Files of the working copy, and of what lives as long as one task.

use std::path::Path;

/// Writes a file and the folders that it stands in.
#[expect(
    clippy::disallowed_methods,
    reason = "a file in a working copy needs neither durability nor a mode of its own"
)]
pub fn put(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
