//! What `ring` does not look at in an RSA key: whether its exponents belong together.

use zeroize::Zeroizing;

use super::der::{INTEGER, OCTET_STRING, SEQUENCE, element};

type Number = Zeroizing<Vec<u64>>;

/// Whether the private exponent of a PKCS#8 RSA key is the one of its primes' exponents. Those two
/// sign, and a wrong signature is noticed; the exponent itself is what other programs may take.
pub(super) fn is_sound(pkcs8: &[u8]) -> bool {
    let Some([_, _, _, d, p, q, d_p, d_q]) = numbers(pkcs8) else {
        return false;
    };
    is_remainder(d_p, d, p) && is_remainder(d_q, d, q)
}

/// Version, modulus, public and private exponent, primes and their exponents (RFC 8017, A.1.2).
fn numbers(pkcs8: &[u8]) -> Option<[&[u8]; 8]> {
    let (SEQUENCE, info, []) = element(pkcs8)? else {
        return None;
    };
    let (INTEGER, _, info) = element(info)? else {
        return None;
    };
    let (SEQUENCE, _, info) = element(info)? else {
        return None;
    };
    let (OCTET_STRING, key, _) = element(info)? else {
        return None;
    };
    let (SEQUENCE, mut key, []) = element(key)? else {
        return None;
    };
    let mut numbers: [&[u8]; 8] = [&[]; 8];
    for number in &mut numbers {
        let (INTEGER, content, rest) = element(key)? else {
            return None;
        };
        (*number, key) = (content, rest);
    }
    Some(numbers)
}

/// Whether `exponent` is `d` modulo `prime - 1`.
fn is_remainder(exponent: &[u8], d: &[u8], prime: &[u8]) -> bool {
    let mut modulus = limbs(prime);
    // A prime is odd.
    match modulus.first_mut() {
        Some(lowest) if *lowest & 1 == 1 => *lowest &= !1,
        _ => return false,
    }
    let rest = remainder(d, &modulus);
    let mut expected = limbs(exponent);
    let length = expected.len().max(rest.len());
    expected.resize(length, 0);
    let mut rest = rest;
    rest.resize(length, 0);
    *rest == *expected
}

/// Little-endian, of a big-endian number.
fn limbs(bytes: &[u8]) -> Number {
    let limb = |chunk: &[u8]| {
        chunk
            .iter()
            .fold(0, |limb, byte| limb << 8 | u64::from(*byte))
    };
    Zeroizing::new(bytes.rchunks(8).map(limb).collect())
}

/// Bit by bit, as on paper. It takes its time by the number's bits: nobody can ask for it from
/// outside.
fn remainder(value: &[u8], modulus: &[u64]) -> Number {
    let mut rest = Zeroizing::new(vec![0_u64; modulus.len()]);
    for byte in value {
        for shift in (0..8).rev() {
            let mut carry = u64::from(byte >> shift & 1);
            for limb in rest.iter_mut() {
                (*limb, carry) = (*limb << 1 | carry, *limb >> 63);
            }
            if carry == 1 || rest.iter().rev().ge(modulus.iter().rev()) {
                subtract(&mut rest, modulus);
            }
        }
    }
    rest
}

fn subtract(from: &mut [u64], number: &[u64]) {
    let mut borrow = false;
    for (limb, other) in from.iter_mut().zip(number) {
        let (without, first) = limb.overflowing_sub(*other);
        let (without, second) = without.overflowing_sub(u64::from(borrow));
        (*limb, borrow) = (without, first || second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remainder_is_what_division_leaves() {
        let numbers: [u128; 7] = [
            1,
            2,
            0xffff_ffff_ffff_ffff,
            0x1_0000_0000_0000_0000,
            0x8000_0000_0000_0000_0000_0000_0000_0001,
            0x1234_5678_9abc_def0_0fed_cba9_8765_4321,
            u128::MAX,
        ];
        for value in numbers {
            for modulus in numbers {
                let limbs_of = |number: u128| [number as u64, (number >> 64) as u64];
                let rest = remainder(&value.to_be_bytes(), &limbs_of(modulus));
                assert_eq!(*rest, limbs_of(value % modulus), "{value:x} {modulus:x}");
            }
        }
    }
}
