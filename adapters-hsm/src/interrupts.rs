//! The end of the process from outside (a signal) waits while a call is in the module.
//!
//! SoftHSM writes `token.object` anew at each C_Login: a process that ends in the middle of it
//! loses the token.

/// Who ends this process when it is asked to from outside.
pub trait Interrupts {
    /// From now on such an end waits. Calls nest.
    fn hold(&self);

    /// It waits no longer: the last of these does not come back where an end was asked for.
    fn release(&self);
}

/// Holds for as long as it lives.
pub(crate) struct Held<'a>(&'a dyn Interrupts);

impl<'a> Held<'a> {
    pub(crate) fn new(interrupts: &'a dyn Interrupts) -> Self {
        interrupts.hold();
        Self(interrupts)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}
