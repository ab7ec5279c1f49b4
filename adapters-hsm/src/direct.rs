//! Calls into the module that the binding cannot make: CKM_AES_KEY_WRAP_KWP is no mechanism that it
//! knows.

#![expect(
    unsafe_code,
    reason = "the functions of the module are C, and are called by their pointers"
)]

use std::cell::OnceCell;

use camino::Utf8PathBuf;
use cryptoki::context::Function;
use cryptoki::error::{Error, Rv};
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_FLAGS, CK_FUNCTION_LIST, CK_MECHANISM, CK_MECHANISM_INFO, CK_MECHANISM_TYPE,
    CK_RV, CK_ULONG,
};

/// Room for a wrapped DEK, which has 40 bytes (RFC 5649). It is not asked for: NSS softokn says 32.
const ROOM: usize = 64;

/// The module's own functions, looked up at the first call.
pub(crate) struct DirectCalls {
    path: Utf8PathBuf,
    functions: OnceCell<Functions>,
}

struct Functions {
    list: CK_FUNCTION_LIST,
    // Keeps the functions where they are.
    _library: cryptoki_sys::Pkcs11,
}

impl DirectCalls {
    /// Of the module that the binding has loaded from this path, and has initialised.
    pub(crate) const fn new(path: Utf8PathBuf) -> Self {
        Self {
            path,
            functions: OnceCell::new(),
        }
    }

    fn list(&self) -> Result<&CK_FUNCTION_LIST, Error> {
        if let Some(functions) = self.functions.get() {
            return Ok(&functions.list);
        }
        let functions = Functions::load(&self.path)?;
        Ok(&self.functions.get_or_init(|| functions).list)
    }

    /// C_GetMechanismList: every mechanism, known to the binding or not.
    pub(crate) fn mechanisms(&self, slot: Slot) -> Result<Vec<CK_MECHANISM_TYPE>, Error> {
        let call = self.list()?.C_GetMechanismList;
        let call = call.ok_or(Error::NullFunctionPointer)?;
        let mut count = 0;
        // SAFETY: without a buffer the function writes their number alone (v3.1, section 5.5.7).
        let code = unsafe { call(slot.id(), std::ptr::null_mut(), &raw mut count) };
        result(code, Function::GetMechanismList)?;
        let mut listed = vec![0; usize::try_from(count)?];
        // SAFETY: `count` is the number that there is room for.
        let code = unsafe { call(slot.id(), listed.as_mut_ptr(), &raw mut count) };
        result(code, Function::GetMechanismList)?;
        listed.truncate(usize::try_from(count)?);
        Ok(listed)
    }

    /// C_GetMechanismInfo: the flags of a mechanism.
    pub(crate) fn flags(
        &self,
        slot: Slot,
        mechanism: CK_MECHANISM_TYPE,
    ) -> Result<CK_FLAGS, Error> {
        let call = self.list()?.C_GetMechanismInfo;
        let call = call.ok_or(Error::NullFunctionPointer)?;
        let mut info = CK_MECHANISM_INFO::default();
        // SAFETY: `info` is a value of the type that the function writes, and outlives the call.
        let code = unsafe { call(slot.id(), mechanism, &raw mut info) };
        result(code, Function::GetMechanismInfo)?;
        Ok(info.flags)
    }

    /// C_WrapKey with a mechanism that takes no parameter.
    pub(crate) fn wrap_key(
        &self,
        session: &Session,
        mechanism: CK_MECHANISM_TYPE,
        kek: ObjectHandle,
        key: ObjectHandle,
    ) -> Result<Vec<u8>, Error> {
        let call = self.list()?.C_WrapKey.ok_or(Error::NullFunctionPointer)?;
        let mut mechanism = without_parameter(mechanism);
        let mut wrapped = vec![0; ROOM];
        let mut written = length(ROOM)?;
        // SAFETY: the mechanism has no parameter, `written` is the length of the buffer, and all of
        // them outlive the call.
        let code = unsafe {
            call(
                session.handle(),
                &raw mut mechanism,
                kek.handle(),
                key.handle(),
                wrapped.as_mut_ptr(),
                &raw mut written,
            )
        };
        result(code, Function::WrapKey)?;
        wrapped.truncate(usize::try_from(written)?);
        Ok(wrapped)
    }

    /// C_UnwrapKey with a mechanism that takes no parameter.
    pub(crate) fn unwrap_key(
        &self,
        session: &Session,
        mechanism: CK_MECHANISM_TYPE,
        kek: ObjectHandle,
        wrapped: &[u8],
        template: &[Attribute],
    ) -> Result<ObjectHandle, Error> {
        let call = self.list()?.C_UnwrapKey.ok_or(Error::NullFunctionPointer)?;
        let mut mechanism = without_parameter(mechanism);
        let mut template: Vec<CK_ATTRIBUTE> = template.iter().map(Into::into).collect();
        let mut wrapped = wrapped.to_vec();
        let mut handle = 0;
        // SAFETY: the mechanism has no parameter; the lengths are those of the buffers; the attributes
        // point into `template`'s source. All of them outlive the call, which keeps none.
        let code = unsafe {
            call(
                session.handle(),
                &raw mut mechanism,
                kek.handle(),
                wrapped.as_mut_ptr(),
                length(wrapped.len())?,
                template.as_mut_ptr(),
                length(template.len())?,
                &raw mut handle,
            )
        };
        result(code, Function::UnwrapKey)?;
        // SAFETY: the module gave this handle a moment ago.
        Ok(unsafe { ObjectHandle::new_from_raw(handle) })
    }
}

impl Functions {
    fn load(path: &Utf8PathBuf) -> Result<Self, Error> {
        // SAFETY: the module is loaded already, by the binding: this runs no initialiser again, and
        // counts one more user of it.
        let library =
            unsafe { cryptoki_sys::Pkcs11::new(path.as_str()) }.map_err(Error::LibraryLoading)?;
        let mut list: *mut CK_FUNCTION_LIST = std::ptr::null_mut();
        let call = (library.C_GetFunctionList.as_ref())
            .map_err(|_| Error::MissingSymbol("C_GetFunctionList"))?;
        // SAFETY: the function writes a pointer to where it is told.
        let code = unsafe { call(&raw mut list) };
        result(code, Function::GetFunctionList)?;
        // SAFETY: the module gave a pointer to its list, which stays for as long as it is loaded, or
        // none.
        let list = unsafe { list.as_ref() }.ok_or(Error::NullFunctionPointer)?;
        Ok(Self {
            list: *list,
            _library: library,
        })
    }
}

const fn without_parameter(mechanism: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM {
        mechanism,
        pParameter: std::ptr::null_mut(),
        ulParameterLen: 0,
    }
}

fn length(length: usize) -> Result<CK_ULONG, Error> {
    Ok(CK_ULONG::try_from(length)?)
}

fn result(code: CK_RV, function: Function) -> Result<(), Error> {
    Rv::from(code).into_result(function)
}
