//! DER by its own rules (X.690, section 10 and 11): what a lenient parser lets pass, OpenSSL may
//! not read.

const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

const CLASS: u8 = 0xc0;
const CONTEXT: u8 = 0x80;
const CONSTRUCTED: u8 = 0x20;
const NUMBER: u8 = 0x1f;

/// Nothing that a certificate has is nested deeper.
const DEPTH: usize = 16;

/// What the value of an attribute of a name may be.
pub(super) const NAME_STRINGS: [u8; 7] = [
    UTF8_STRING,
    NUMERIC_STRING,
    PRINTABLE_STRING,
    TELETEX_STRING,
    IA5_STRING,
    UNIVERSAL_STRING,
    BMP_STRING,
];

/// Whether these bytes are one element, encoded in the one way that DER has for it, and nothing
/// after it. What stands inside an OCTET STRING or BIT STRING is not looked at.
pub(super) fn is_canonical(der: &[u8]) -> bool {
    matches!(element(der), Some((tag, content, [])) if is_element(tag, content, DEPTH))
}

/// Tag and content of the first element, and what follows it.
pub(super) fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(*first & 0x7f))?;
        if bytes.len() > 4 || bytes.first().is_none_or(|first| *first == 0) {
            return None;
        }
        let length = bytes
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        if length < 0x80 {
            return None;
        }
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (*tag & NUMBER != NUMBER).then_some((*tag, content, rest))
}

fn is_element(tag: u8, content: &[u8], depth: usize) -> bool {
    match tag {
        BOOLEAN => matches!(content, [0 | 0xff]),
        INTEGER => is_integer(content),
        BIT_STRING => is_bit_string(content),
        NULL => content.is_empty(),
        OBJECT_IDENTIFIER => is_object_identifier(content),
        UTF8_STRING => std::str::from_utf8(content).is_ok(),
        BMP_STRING => is_bmp_string(content),
        UNIVERSAL_STRING => is_universal_string(content),
        OCTET_STRING | NUMERIC_STRING | PRINTABLE_STRING | TELETEX_STRING | IA5_STRING
        | UTC_TIME | GENERALIZED_TIME => true,
        SEQUENCE | SET => are_elements(content, depth),
        _ if tag & CLASS != CONTEXT => false,
        _ if tag & CONSTRUCTED != 0 => are_elements(content, depth),
        _ => true,
    }
}

fn are_elements(mut content: &[u8], depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    while !content.is_empty() {
        match element(content) {
            Some((tag, inner, rest)) if is_element(tag, inner, depth) => content = rest,
            _ => return false,
        }
    }
    true
}

/// At least one byte, and no first one that says nothing.
fn is_integer(content: &[u8]) -> bool {
    match content {
        [] => false,
        [0, second, ..] => second & 0x80 != 0,
        [0xff, second, ..] => second & 0x80 == 0,
        _ => true,
    }
}

/// The bits that are left over in the last byte are zero.
fn is_bit_string(content: &[u8]) -> bool {
    match content {
        [unused] => *unused == 0,
        [unused @ 0..=7, .., last] => last & !(0xff << unused) == 0,
        _ => false,
    }
}

/// Each arc ends, and none begins with a byte that says nothing.
fn is_object_identifier(content: &[u8]) -> bool {
    let mut begins = true;
    for byte in content {
        if begins && *byte == 0x80 {
            return false;
        }
        begins = byte & 0x80 == 0;
    }
    begins && !content.is_empty()
}

fn is_bmp_string(content: &[u8]) -> bool {
    let (pairs, rest) = content.as_chunks::<2>();
    let is_character = |pair: &[u8; 2]| char::from_u32(u16::from_be_bytes(*pair).into()).is_some();
    rest.is_empty() && pairs.iter().all(is_character)
}

fn is_universal_string(content: &[u8]) -> bool {
    let (quads, rest) = content.as_chunks::<4>();
    let is_character = |quad: &[u8; 4]| char::from_u32(u32::from_be_bytes(*quad)).is_some();
    rest.is_empty() && quads.iter().all(is_character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_encoding_of_each_value_is_canonical() {
        let right: [&[u8]; 12] = [
            &[BOOLEAN, 1, 0xff],
            &[INTEGER, 1, 0],
            &[INTEGER, 2, 0, 0x80],
            &[BIT_STRING, 2, 7, 0x80],
            &[BIT_STRING, 1, 0],
            &[NULL, 0],
            &[OBJECT_IDENTIFIER, 3, 0x55, 0x84, 0x07],
            &[UTF8_STRING, 2, 0xc3, 0xbc],
            &[BMP_STRING, 2, 0, 0x41],
            &[SEQUENCE, 2, SET, 0],
            &[0xa0, 3, INTEGER, 1, 2],
            &[0x81, 1, 9],
        ];
        for der in right {
            assert!(is_canonical(der), "{der:02x?}");
        }
        let wrong: [&[u8]; 16] = [
            &[],
            &[BOOLEAN, 1, 0x7f],
            &[INTEGER, 0],
            &[INTEGER, 2, 0, 0x7f],
            &[INTEGER, 2, 0xff, 0x80],
            &[INTEGER, 0x81, 1, 5],
            &[INTEGER, 1, 5, 0],
            &[BIT_STRING, 2, 7, 0x81],
            &[BIT_STRING, 2, 8, 0],
            &[NULL, 1, 0],
            &[OBJECT_IDENTIFIER, 2, 0x55, 0x84],
            &[OBJECT_IDENTIFIER, 2, 0x80, 0x01],
            &[UTF8_STRING, 1, 0xff],
            &[BMP_STRING, 2, 0xd8, 0],
            &[UTF8_STRING | CONSTRUCTED, 0],
            &[0x1f, 0x20, 0],
        ];
        for der in wrong {
            assert!(!is_canonical(der), "{der:02x?}");
        }
    }

    #[test]
    fn nesting_ends_somewhere() {
        let mut der = vec![NULL, 0];
        for _ in 0..DEPTH {
            der = [&[SEQUENCE, der.len() as u8], der.as_slice()].concat();
        }
        assert!(is_canonical(&der));
        assert!(!is_canonical(&[&[SEQUENCE, der.len() as u8], der.as_slice()].concat()));
    }
}
