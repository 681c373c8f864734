//! Integers and checksums in the bytes of files. Integers are little-endian; checksums are CRC-32C, and
//! the last four bytes of what they cover.

/// The rest of a buffer that is filled in order.
pub(super) struct Bytes<'a>(pub(super) &'a mut [u8]);

impl Bytes<'_> {
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let (here, rest) = std::mem::take(&mut self.0).split_at_mut(bytes.len());
        here.copy_from_slice(bytes);
        self.0 = rest;
    }

    pub(super) fn put_u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    pub(super) fn put_u64(&mut self, number: u64) {
        self.put(&number.to_le_bytes());
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Puts the checksum of the bytes before it into the last four bytes; returns it.
pub(super) fn seal(bytes: &mut [u8]) -> u32 {
    let (bytes, end) = bytes.split_last_chunk_mut::<4>().expect("a header");
    let crc = crc32c::crc32c(bytes);
    *end = crc.to_le_bytes();
    crc
}

/// Returns the checksum if it matches.
pub(super) fn sealed(bytes: &[u8]) -> Option<u32> {
    let (bytes, end) = bytes.split_last_chunk::<4>()?;
    let crc = u32::from_le_bytes(*end);
    (crc32c::crc32c(bytes) == crc).then_some(crc)
}
