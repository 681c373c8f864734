//! A path, whose memory may be refused.

use std::ffi::CStr;
use std::fmt;

use super::IoError;

/// The bytes of a path, with a zero byte at the end.
#[derive(PartialEq, Eq)]
pub(crate) struct Path(Vec<u8>);

impl Path {
    /// Fails with EINVAL if `bytes` contains a zero byte, and if there is no memory.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, IoError> {
        Self::of_parts(&[bytes])
    }

    /// The path of a file in this directory.
    pub(crate) fn join(&self, name: &[u8]) -> Result<Self, IoError> {
        Self::of_parts(&[self.bytes(), b"/", name])
    }

    fn of_parts(parts: &[&[u8]]) -> Result<Self, IoError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut all = Vec::new();
        let no_memory = |_| IoError::no_memory();
        all.try_reserve_exact(length + 1).map_err(no_memory)?;
        for part in parts {
            if part.contains(&0) {
                return Err(IoError {
                    errno: libc::EINVAL,
                    operation: "open",
                    path: Self::empty(),
                    offset: 0,
                });
            }
            all.extend_from_slice(part);
        }
        all.push(0);
        Ok(Self(all))
    }

    pub(crate) const fn empty() -> Self {
        Self(Vec::new())
    }

    /// The bytes without the zero byte.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.split_last().map_or(&[], |(_, bytes)| bytes)
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }

    pub(crate) fn duplicate(&self) -> Result<Self, IoError> {
        Self::new(self.bytes())
    }

    /// Copies the path, for a message; empty if there is no memory.
    pub(crate) fn duplicate_or_empty(&self) -> Self {
        self.duplicate().unwrap_or(Self::empty())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.as_c_str())
    }
}
