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

    /// The directory in which the path's last name is.
    pub(crate) fn parent(&self) -> Result<Self, IoError> {
        let bytes = self.bytes();
        let end = bytes
            .iter()
            .rposition(|&byte| byte != b'/')
            .map_or(0, |at| at + 1);
        let name = bytes[..end].iter().rposition(|&byte| byte == b'/');
        match name {
            None if end == 0 && !bytes.is_empty() => Self::new(b"/"),
            None => Self::new(b"."),
            Some(at) => Self::new(&bytes[..=at]),
        }
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

#[cfg(test)]
mod tests {
    use super::Path;

    /// Put back: take the part before the last slash, whether or not a name follows.
    #[test]
    fn parents_are_the_directories_of_the_last_name() {
        let cases: [(&[u8], &[u8]); 7] = [
            (b"store", b"."),
            (b"store/", b"."),
            (b"/store", b"/"),
            (b"a/store", b"a/"),
            (b"a/b/store//", b"a/b/"),
            (b"/", b"/"),
            (b"../store", b"../"),
        ];
        for (path, parent) in cases {
            assert_eq!(Path::new(path).unwrap().parent().unwrap().bytes(), parent);
        }
    }
}
