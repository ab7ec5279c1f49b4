//! How reports spell values: by name, and times.

use domain::{
    DekCacheState, Outcome, RestoreScenario, SetupWizardState, StartupScenario, StorageType,
    WizardState,
};
use ports::{CredentialOrigin, FaultKind, PinState, TlsSource, WrapFormat};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What has a spelling in reports.
pub trait Named: Copy + 'static {
    /// One of each spelling.
    const ALL: &'static [Self];

    /// The spelling.
    fn spelling(self) -> &'static str;
}

/// The types that have all of them as `ALL`, and the spelling as `name`.
macro_rules! named {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::report::spelling::Named for $type {
            const ALL: &'static [Self] = &<$type>::ALL;

            fn spelling(self) -> &'static str {
                self.name()
            }
        }
    )+};
}
pub(crate) use named;

named!(
    CredentialOrigin,
    DekCacheState,
    FaultKind,
    Outcome,
    PinState,
    RestoreScenario,
    SetupWizardState,
    StartupScenario,
    StorageType,
    TlsSource,
    WizardState,
    WrapFormat,
);

/// A value that a report gives by its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Name<T>(pub T);

impl<T: Named> Serialize for Name<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.spelling())
    }
}

/// A time that a report gives as [`rfc3339`] does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment(pub OffsetDateTime);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

/// For a field that is a name in reports alone.
pub(super) fn by_name<T: Named, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    Name(*value).serialize(to)
}

/// For a field that is a text in reports alone.
pub(super) fn as_rfc3339<S: Serializer>(at: &OffsetDateTime, to: S) -> Result<S::Ok, S::Error> {
    Moment(*at).serialize(to)
}

/// A time as RFC 3339 with seconds, UTC.
#[must_use]
pub fn rfc3339(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_else(|_| at.to_string())
}

#[cfg(feature = "schema")]
mod schema {
    use std::any::type_name;
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Moment, Name, Named};

    impl<T: Named> JsonSchema for Name<T> {
        fn schema_name() -> Cow<'static, str> {
            type_name::<T>().into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let names: Vec<_> = T::ALL.iter().map(|value| value.spelling()).collect();
            json_schema!({ "type": "string", "enum": names })
        }
    }

    impl JsonSchema for Moment {
        fn schema_name() -> Cow<'static, str> {
            "Moment".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "format": "date-time", "pattern": "Z$" })
        }
    }
}
