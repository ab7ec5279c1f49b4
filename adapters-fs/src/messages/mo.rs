//! Catalogues as gettext reads them: the binary `.mo`, little-endian, revision 0.

use super::po::Catalogue;

const MAGIC: u32 = 0x9504_12de;
const HEADER_LENGTH: usize = 28;
const ROW_LENGTH: usize = 8;

/// Encodes; `None` for a catalogue beyond 4 GiB.
///
/// The keys are sorted, which is all a reader needs: the hash table is optional.
pub(super) fn encode(catalogue: &Catalogue) -> Option<Vec<u8>> {
    let count = catalogue.len();
    let keys_at = HEADER_LENGTH;
    let texts_at = keys_at + ROW_LENGTH * count;
    let strings_at = texts_at + ROW_LENGTH * count;

    let mut bytes = Vec::new();
    // No hash table: size 0, at the place where it would be.
    for number in [MAGIC as usize, 0, count, keys_at, texts_at, 0, strings_at] {
        push(&mut bytes, number)?;
    }
    let mut next = strings_at;
    for string in catalogue.keys().chain(catalogue.values()) {
        push(&mut bytes, string.len())?;
        push(&mut bytes, next)?;
        next += string.len() + 1;
    }
    for string in catalogue.keys().chain(catalogue.values()) {
        bytes.extend_from_slice(string);
        bytes.push(0);
    }
    Some(bytes)
}

fn push(bytes: &mut Vec<u8>, number: usize) -> Option<()> {
    bytes.extend_from_slice(&u32::try_from(number).ok()?.to_le_bytes());
    Some(())
}
