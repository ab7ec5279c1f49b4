//! Who hears how far a copy is.

use std::fmt;
use std::sync::Arc;

/// Hears what is done, how many bytes (or pages) of it, and of how many.
type Hear = dyn Fn(&'static str, u64, u64) + Send + Sync;

/// Hears how far long work is; nobody does by default.
#[derive(Clone)]
pub struct Watch(Arc<Hear>);

impl Watch {
    /// This one hears it, from whichever thread does the work.
    pub fn new(hear: impl Fn(&'static str, u64, u64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    /// For work that is called like "copying the database".
    pub(crate) fn of(&self, what: &'static str) -> impl FnMut(u64, u64) + use<'_> {
        move |done, total| (self.0)(what, done, total)
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new(|_, _, _| ())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Watch")
    }
}
