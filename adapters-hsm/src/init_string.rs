//! The string that a module is given at C_Initialize, in `pReserved`. NSS softokn reads from it where
//! its token is.

#![expect(
    unsafe_code,
    reason = "the binding takes the string as a bare pointer, which the module reads in the call"
)]

use std::ffi::CString;
use std::ptr::NonNull;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::Error;

/// Initialises the module with this string, or without one.
///
/// # Errors
/// The module's own; [`Error::NulError`] for a string with a NUL in it.
pub(crate) fn initialize(context: &Pkcs11, text: Option<&str>) -> Result<(), Error> {
    let flags = CInitializeFlags::OS_LOCKING_OK;
    let Some(text) = text else {
        return context.initialize(CInitializeArgs::new(flags));
    };
    let text = CString::new(text)?;
    let pointer = NonNull::from(text.as_c_str()).cast();
    // SAFETY: the pointer is to a string that ends in a NUL and outlives the call (it is dropped at the
    // end of this function); PKCS#11 lets a module read what `pReserved` points to in C_Initialize
    // alone (v3.1, section 5.4.1), and none is known to write to it.
    let arguments = unsafe { CInitializeArgs::new_with_reserved(flags, pointer) };
    context.initialize(arguments)
}
