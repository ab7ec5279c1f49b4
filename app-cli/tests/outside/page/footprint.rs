//! What a process takes of its machine, as anybody may read it.

use std::fs;

/// Memory, files and threads of a process.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    pub rss_kib: u64,
    /// The most that it ever was.
    pub peak_kib: u64,
    /// The most files that it ever had open at once, as the kernel makes room for them.
    pub files: u64,
    pub threads: u64,
}

impl Footprint {
    /// Of the process with this id, which must live.
    #[track_caller]
    pub fn of(id: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.split_whitespace().next());
            let value = value.and_then(|value| value.parse().ok());
            value.unwrap_or_else(|| panic!("no {name} in {status}"))
        };
        Self {
            rss_kib: field("VmRSS:"),
            peak_kib: field("VmHWM:"),
            files: field("FDSize:"),
            threads: field("Threads:"),
        }
    }

    /// The most of each.
    pub fn max(self, other: Self) -> Self {
        Self {
            rss_kib: self.rss_kib.max(other.rss_kib),
            peak_kib: self.peak_kib.max(other.peak_kib),
            files: self.files.max(other.files),
            threads: self.threads.max(other.threads),
        }
    }
}
