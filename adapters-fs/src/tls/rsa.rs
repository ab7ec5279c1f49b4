//! What `ring` does not look at in an RSA key: whether its exponents belong together.

use pkcs1::RsaPrivateKeyRef;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::Decode as _;
use zeroize::Zeroizing;

type Number = Zeroizing<Vec<u64>>;

/// Whether the private exponent of a PKCS#8 RSA key is the one of its primes' exponents. Those two
/// sign, and a wrong signature is noticed; the exponent itself is what other programs may take.
pub(super) fn is_sound(pkcs8: &[u8]) -> bool {
    let Ok(info) = PrivateKeyInfoRef::from_der(pkcs8) else {
        return false;
    };
    let Ok(key) = RsaPrivateKeyRef::from_der(info.private_key.as_bytes()) else {
        return false;
    };
    let d = key.private_exponent.as_bytes();
    is_remainder(key.exponent1.as_bytes(), d, key.prime1.as_bytes())
        && is_remainder(key.exponent2.as_bytes(), d, key.prime2.as_bytes())
}

/// Whether `exponent` is `d` modulo `prime - 1`.
fn is_remainder(exponent: &[u8], d: &[u8], prime: &[u8]) -> bool {
    let mut modulus = limbs(prime);
    // A prime is odd.
    match modulus.first_mut() {
        Some(lowest) if *lowest & 1 == 1 => *lowest &= !1,
        _ => return false,
    }
    let mut rest = remainder(d, &modulus);
    let mut expected = limbs(exponent);
    let length = expected.len().max(rest.len());
    expected.resize(length, 0);
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
