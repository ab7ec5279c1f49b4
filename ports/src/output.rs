//! What a person sees while a command runs (the reference's OutputWriter).

/// How a line is meant.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Level {
    /// More than most people want to know.
    Debug,
    /// Progress.
    Info,
    /// Something has to be dealt with.
    Warning,
}

/// Where progress goes. A line that cannot be written is dropped: a closed terminal must not
/// stop a start.
pub trait Output {
    /// Writes one line. `line` has no secret in it.
    fn line(&self, level: Level, line: &str);

    /// More than most people want to know.
    fn debug(&self, line: &str) {
        self.line(Level::Debug, line);
    }

    /// Progress.
    fn info(&self, line: &str) {
        self.line(Level::Info, line);
    }

    /// Something has to be dealt with.
    fn warning(&self, line: &str) {
        self.line(Level::Warning, line);
    }
}
