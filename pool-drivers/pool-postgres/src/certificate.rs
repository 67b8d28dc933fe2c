//! The digest of a server's certificate to which SCRAM binds a password exchange:
//! `tls-server-end-point` (RFC 5929).

use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

/// The digest of a certificate, by the hash that it was signed with; `None` for a signature without
/// one (Ed25519), or of a kind nobody has met.
pub(crate) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let hash = hash_of(signature_algorithm(certificate)?)?;
    Some(digest(hash, certificate).as_ref().to_vec())
}

/// The object identifier of the algorithm by which a certificate is signed:
/// `SEQUENCE { tbs SEQUENCE, SEQUENCE { OID, ... }, signature }`.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, after_body) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(after_body, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    Some(identifier)
}

/// The content of a DER element of this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // So many bytes of length follow; no certificate needs more than three.
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn hash_of(identifier: &[u8]) -> Option<&'static Algorithm> {
    /// `1.2.840.113549.1.1`: RSA by PKCS #1.
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    /// `1.2.840.10045.4.3`: ECDSA.
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    let (last, family) = identifier.split_last()?;
    match (family, last) {
        // MD5 and SHA-1 are replaced by SHA-256, says the RFC.
        (RSA, 4 | 5 | 11) | (ECDSA, 2) => Some(&SHA256),
        (RSA, 12) | (ECDSA, 3) => Some(&SHA384),
        (RSA, 13) | (ECDSA, 4) => Some(&SHA512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate in outline: a body, the algorithm, a signature.
    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let body = [0x30, 0x81, 0x80].into_iter().chain([7; 0x80]);
        let length = algorithm.len() as u8;
        let algorithm = [0x30, length + 2, 0x06, length].into_iter().chain(algorithm.to_vec());
        let content: Vec<u8> = body.chain(algorithm).chain([0x03, 0x01, 0x00]).collect();
        [0x30, 0x81, content.len() as u8].into_iter().chain(content).collect()
    }

    #[test]
    fn the_hash_is_the_one_of_the_certificates_signature() {
        let ecdsa_sha384 = certificate(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]);
        assert_eq!(end_point(&ecdsa_sha384).map(|digest| digest.len()), Some(48));
        let rsa_sha1 = certificate(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05]);
        assert_eq!(end_point(&rsa_sha1).map(|digest| digest.len()), Some(32));
        let ed25519 = certificate(&[0x2b, 0x65, 0x70]);
        assert_eq!(end_point(&ed25519), None);
    }

    #[test]
    fn half_a_certificate_has_none() {
        let whole = certificate(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);
        assert!(end_point(&whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(end_point(&whole[..length]), None, "{length}");
        }
    }
}
