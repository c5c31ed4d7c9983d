//! MariaDB's UUID, INET4 and INET6, which are stored as fixed bytes and read as text.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::value::fault::{Fault, Put};

/// `UUID` in its canonical text. Row events have its bytes in that order (checked with MariaDB 10.11.19).
pub(crate) fn uuid_text(out: &mut Vec<u8>, stored: &[u8]) -> Put {
    for (index, byte) in padded::<16>(stored)?.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write!(out, "{byte:02x}").map_err(|_| Fault::Malformed)?;
    }
    Ok(())
}

/// `INET4` in dotted form.
pub(crate) fn inet4_text(out: &mut Vec<u8>, stored: &[u8]) -> Put {
    write!(out, "{}", Ipv4Addr::from(padded::<4>(stored)?)).map_err(|_| Fault::Malformed)
}

/// `INET6` in its shortest form.
pub(crate) fn inet6_text(out: &mut Vec<u8>, stored: &[u8]) -> Put {
    write!(out, "{}", Ipv6Addr::from(padded::<16>(stored)?)).map_err(|_| Fault::Malformed)
}

/// Row events leave trailing zero bytes out, as with BINARY.
fn padded<const N: usize>(stored: &[u8]) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    bytes.get_mut(..stored.len()).ok_or(Fault::Malformed)?.copy_from_slice(stored);
    Ok(bytes)
}
