//! Every CKR_ code (PKCS#11 v3.1, section 5.1.6) and what it means.
//!
//! The table decides what a failed call may be taken for. Nothing in it is ever taken for "no
//! token" or "no key": that is concluded from lists that could be read to their end alone (C3).

use cryptoki::error::{Error, RvError};
use ports::{CallFailure, TokenError};

/// Names what did not work, where a call into the module failed.
pub(crate) trait OrFailed<T> {
    /// `what` says what did not work, and where.
    fn or_failed(self, what: impl FnOnce() -> String) -> Result<T, TokenError>;
}

impl<T> OrFailed<T> for Result<T, Error> {
    fn or_failed(self, what: impl FnOnce() -> String) -> Result<T, TokenError> {
        self.map_err(|error| failed(what(), error))
    }
}

/// The failure of a call.
pub(crate) fn failed(what: String, error: Error) -> TokenError {
    TokenError::Call {
        what,
        failure: failure_of(&error),
        source: cause(error),
    }
}

/// What any error of the binding means.
pub(crate) fn failure_of(error: &Error) -> CallFailure {
    use CallFailure::{Config, Corrupt, Internal, Unreachable};
    match error {
        Error::Pkcs11(code, _) => entry(*code).1,
        Error::LibraryLoading(_) | Error::MissingSymbol(_) => Unreachable,
        Error::NullFunctionPointer | Error::NotSupported => Config,
        Error::InvalidValue | Error::TryFromSlice(_) | Error::Utf8(_) | Error::ParseInt(_) => {
            Corrupt
        }
        Error::TryFromInt(_) | Error::NulError(_) | Error::PinNotSet => Internal,
    }
}

/// Whether the call returned this code.
pub(crate) fn is(error: &Error, code: RvError) -> bool {
    matches!(error, Error::Pkcs11(actual, _) if *actual == code)
}

/// Whether the call returned one of these codes.
pub(crate) fn is_one_of(error: &Error, codes: &[RvError]) -> bool {
    codes.iter().any(|code| is(error, *code))
}

/// A failed call in the words of PKCS#11: `C_Login: CKR_PIN_INCORRECT`.
pub(crate) fn cause(error: Error) -> Box<dyn std::error::Error + Send + Sync> {
    let Error::Pkcs11(code, function) = error else {
        return error.into();
    };
    let name = entry(code).0;
    match code {
        RvError::VendorDefined(number) | RvError::UnknownErrorCode(number) => {
            format!("C_{function:?}: {name} ({number:#x})").into()
        }
        _ => format!("C_{function:?}: {name}").into(),
    }
}

/// The table.
fn entry(code: RvError) -> (&'static str, CallFailure) {
    use CallFailure::{Config, Corrupt, Denied, Gone, Internal, Unreachable, Vague};
    use RvError as R;
    match code {
        R::Cancel => ("CKR_CANCEL", Unreachable),
        R::HostMemory => ("CKR_HOST_MEMORY", Unreachable),
        R::SlotIdInvalid => ("CKR_SLOT_ID_INVALID", Unreachable),
        // SoftHSM gives these for a blob whose integrity check fails, see `wrap::unwrap`.
        R::GeneralError => ("CKR_GENERAL_ERROR", Vague),
        R::FunctionFailed => ("CKR_FUNCTION_FAILED", Vague),
        R::ArgumentsBad => ("CKR_ARGUMENTS_BAD", Internal),
        R::NoEvent => ("CKR_NO_EVENT", Internal),
        R::NeedToCreateThreads => ("CKR_NEED_TO_CREATE_THREADS", Config),
        R::CantLock => ("CKR_CANT_LOCK", Config),
        R::AttributeReadOnly => ("CKR_ATTRIBUTE_READ_ONLY", Config),
        R::AttributeSensitive => ("CKR_ATTRIBUTE_SENSITIVE", Config),
        R::AttributeTypeInvalid => ("CKR_ATTRIBUTE_TYPE_INVALID", Config),
        R::AttributeValueInvalid => ("CKR_ATTRIBUTE_VALUE_INVALID", Config),
        R::ActionProhibited => ("CKR_ACTION_PROHIBITED", Denied),
        R::DataInvalid => ("CKR_DATA_INVALID", Corrupt),
        R::DataLenRange => ("CKR_DATA_LEN_RANGE", Corrupt),
        R::DeviceError => ("CKR_DEVICE_ERROR", Unreachable),
        R::DeviceMemory => ("CKR_DEVICE_MEMORY", Unreachable),
        R::DeviceRemoved => ("CKR_DEVICE_REMOVED", Unreachable),
        R::EncryptedDataInvalid => ("CKR_ENCRYPTED_DATA_INVALID", Corrupt),
        R::EncryptedDataLenRange => ("CKR_ENCRYPTED_DATA_LEN_RANGE", Corrupt),
        R::FunctionCanceled => ("CKR_FUNCTION_CANCELED", Unreachable),
        R::FunctionNotParallel => ("CKR_FUNCTION_NOT_PARALLEL", Internal),
        R::FunctionNotSupported => ("CKR_FUNCTION_NOT_SUPPORTED", Config),
        R::CurveNotSupported => ("CKR_CURVE_NOT_SUPPORTED", Config),
        R::KeyHandleInvalid => ("CKR_KEY_HANDLE_INVALID", Gone),
        R::KeySizeRange => ("CKR_KEY_SIZE_RANGE", Corrupt),
        R::KeyTypeInconsistent => ("CKR_KEY_TYPE_INCONSISTENT", Corrupt),
        R::KeyNotNeeded => ("CKR_KEY_NOT_NEEDED", Internal),
        R::KeyChanged => ("CKR_KEY_CHANGED", Internal),
        R::KeyNeeded => ("CKR_KEY_NEEDED", Internal),
        R::KeyIndigestible => ("CKR_KEY_INDIGESTIBLE", Internal),
        R::KeyFunctionNotPermitted => ("CKR_KEY_FUNCTION_NOT_PERMITTED", Corrupt),
        R::KeyNotWrappable => ("CKR_KEY_NOT_WRAPPABLE", Config),
        R::KeyUnextractable => ("CKR_KEY_UNEXTRACTABLE", Config),
        R::MechanismInvalid => ("CKR_MECHANISM_INVALID", Config),
        R::MechanismParamInvalid => ("CKR_MECHANISM_PARAM_INVALID", Config),
        R::ObjectHandleInvalid => ("CKR_OBJECT_HANDLE_INVALID", Gone),
        R::OperationActive => ("CKR_OPERATION_ACTIVE", Internal),
        R::OperationNotInitialized => ("CKR_OPERATION_NOT_INITIALIZED", Internal),
        R::PinIncorrect => ("CKR_PIN_INCORRECT", Denied),
        R::PinInvalid => ("CKR_PIN_INVALID", Denied),
        R::PinLenRange => ("CKR_PIN_LEN_RANGE", Denied),
        R::PinExpired => ("CKR_PIN_EXPIRED", Denied),
        R::PinLocked => ("CKR_PIN_LOCKED", Denied),
        R::SessionClosed => ("CKR_SESSION_CLOSED", Unreachable),
        R::SessionCount => ("CKR_SESSION_COUNT", Unreachable),
        R::SessionHandleInvalid => ("CKR_SESSION_HANDLE_INVALID", Unreachable),
        R::SessionParallelNotSupported => ("CKR_SESSION_PARALLEL_NOT_SUPPORTED", Internal),
        R::SessionReadOnly => ("CKR_SESSION_READ_ONLY", Config),
        R::SessionExists => ("CKR_SESSION_EXISTS", Unreachable),
        R::SessionReadOnlyExists => ("CKR_SESSION_READ_ONLY_EXISTS", Unreachable),
        R::SessionReadWriteSoExists => ("CKR_SESSION_READ_WRITE_SO_EXISTS", Unreachable),
        R::SignatureInvalid => ("CKR_SIGNATURE_INVALID", Corrupt),
        R::SignatureLenRange => ("CKR_SIGNATURE_LEN_RANGE", Corrupt),
        R::TemplateIncomplete => ("CKR_TEMPLATE_INCOMPLETE", Config),
        R::TemplateInconsistent => ("CKR_TEMPLATE_INCONSISTENT", Config),
        R::TokenNotPresent => ("CKR_TOKEN_NOT_PRESENT", Unreachable),
        R::TokenNotRecognized => ("CKR_TOKEN_NOT_RECOGNIZED", Unreachable),
        R::TokenWriteProtected => ("CKR_TOKEN_WRITE_PROTECTED", Denied),
        R::UnwrappingKeyHandleInvalid => ("CKR_UNWRAPPING_KEY_HANDLE_INVALID", Gone),
        R::UnwrappingKeySizeRange => ("CKR_UNWRAPPING_KEY_SIZE_RANGE", Corrupt),
        R::UnwrappingKeyTypeInconsistent => ("CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT", Corrupt),
        R::UserAlreadyLoggedIn => ("CKR_USER_ALREADY_LOGGED_IN", Internal),
        R::UserNotLoggedIn => ("CKR_USER_NOT_LOGGED_IN", Unreachable),
        R::UserPinNotInitialized => ("CKR_USER_PIN_NOT_INITIALIZED", Denied),
        R::UserTypeInvalid => ("CKR_USER_TYPE_INVALID", Internal),
        R::UserAnotherAlreadyLoggedIn => ("CKR_USER_ANOTHER_ALREADY_LOGGED_IN", Unreachable),
        R::UserTooManyTypes => ("CKR_USER_TOO_MANY_TYPES", Unreachable),
        R::WrappedKeyInvalid => ("CKR_WRAPPED_KEY_INVALID", Corrupt),
        R::WrappedKeyLenRange => ("CKR_WRAPPED_KEY_LEN_RANGE", Corrupt),
        R::WrappingKeyHandleInvalid => ("CKR_WRAPPING_KEY_HANDLE_INVALID", Gone),
        R::WrappingKeySizeRange => ("CKR_WRAPPING_KEY_SIZE_RANGE", Corrupt),
        R::WrappingKeyTypeInconsistent => ("CKR_WRAPPING_KEY_TYPE_INCONSISTENT", Corrupt),
        R::RandomSeedNotSupported => ("CKR_RANDOM_SEED_NOT_SUPPORTED", Config),
        R::RandomNoRng => ("CKR_RANDOM_NO_RNG", Config),
        R::DomainParamsInvalid => ("CKR_DOMAIN_PARAMS_INVALID", Config),
        R::BufferTooSmall => ("CKR_BUFFER_TOO_SMALL", Internal),
        R::SavedStateInvalid => ("CKR_SAVED_STATE_INVALID", Internal),
        R::InformationSensitive => ("CKR_INFORMATION_SENSITIVE", Config),
        R::StateUnsaveable => ("CKR_STATE_UNSAVEABLE", Internal),
        R::CryptokiNotInitialized => ("CKR_CRYPTOKI_NOT_INITIALIZED", Unreachable),
        R::CryptokiAlreadyInitialized => ("CKR_CRYPTOKI_ALREADY_INITIALIZED", Internal),
        R::MutexBad => ("CKR_MUTEX_BAD", Internal),
        R::MutexNotLocked => ("CKR_MUTEX_NOT_LOCKED", Internal),
        R::NewPinMode => ("CKR_NEW_PIN_MODE", Denied),
        R::NextOtp => ("CKR_NEXT_OTP", Denied),
        R::ExceededMaxIterations => ("CKR_EXCEEDED_MAX_ITERATIONS", Unreachable),
        R::FipsSelfTestFailed => ("CKR_FIPS_SELF_TEST_FAILED", Unreachable),
        R::LibraryLoadFailed => ("CKR_LIBRARY_LOAD_FAILED", Unreachable),
        R::PinTooWeak => ("CKR_PIN_TOO_WEAK", Denied),
        R::PublicKeyInvalid => ("CKR_PUBLIC_KEY_INVALID", Corrupt),
        R::FunctionRejected => ("CKR_FUNCTION_REJECTED", Denied),
        R::VendorDefined(_) => ("CKR_VENDOR_DEFINED", Unreachable),
        R::UnknownErrorCode(_) => ("an unknown CKR_ code", Unreachable),
    }
}

#[cfg(test)]
mod tests;
