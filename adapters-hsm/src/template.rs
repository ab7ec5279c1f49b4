//! Templates of objects, and what of them a token may refuse.

use cryptoki::error::{Error, RvError};
use cryptoki::object::Attribute;

use crate::classify::is_one_of;

/// Makes an object that nobody can modify. Not every token takes CKA_MODIFIABLE: it is left out
/// where the template is refused.
pub(crate) fn unmodifiable<T>(
    mut template: Vec<Attribute>,
    make: impl Fn(&[Attribute]) -> Result<T, Error>,
) -> Result<T, Error> {
    template.push(Attribute::Modifiable(false));
    match make(&template) {
        Err(error) if refuses_template(&error) => {
            template.pop();
            make(&template)
        }
        made => made,
    }
}

/// Whether the token does not take an attribute of the template.
pub(crate) fn refuses_template(error: &Error) -> bool {
    is_one_of(
        error,
        &[
            RvError::TemplateInconsistent,
            RvError::AttributeTypeInvalid,
            RvError::AttributeValueInvalid,
            RvError::AttributeReadOnly,
        ],
    )
}
