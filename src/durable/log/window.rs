//! A part of a file in memory, which moves forward: one read gets many small frames.

use super::scan::resize;
use crate::durable::io::{File, IoError};

/// Bytes that are read at a time, or more for a long frame. Few in tests, so that frames cross them.
const WINDOW: usize = if cfg!(test) { 512 } else { 256 << 10 };

pub(super) struct Window {
    /// What tells the file from others.
    file: u64,
    /// Where in the file the bytes begin.
    from: u64,
    bytes: Vec<u8>,
    /// How many of the bytes are the file's.
    filled: usize,
    /// The bytes that are read at a time, if fewer are asked for.
    ahead: usize,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            file: 0,
            from: 0,
            bytes: Vec::new(),
            filled: 0,
            ahead: WINDOW,
        }
    }

    /// Forgets what was read. From now on, about so many bytes are read at a time, but no more than ever.
    pub(super) fn renew(&mut self, ahead: u64) {
        self.filled = 0;
        self.ahead = usize::try_from(ahead).unwrap_or(WINDOW).min(WINDOW);
    }

    /// Returns `length` bytes of a file from `offset` on; fewer if it ends before. `base` tells the file from
    /// others.
    pub(super) fn read(
        &mut self,
        file: &File,
        base: u64,
        offset: u64,
        length: usize,
    ) -> Result<&[u8], IoError> {
        if self.held(base, offset, length).is_none() {
            self.filled = 0;
            let wanted = length.max(self.ahead);
            let kept = wanted.max(self.bytes.len());
            resize(&mut self.bytes, kept)?;
            self.filled = file.read_at(&mut self.bytes[..wanted], offset)?;
            (self.file, self.from) = (base, offset);
        }
        let start = (offset - self.from) as usize;
        Ok(&self.bytes[start..self.filled.min(start + length)])
    }

    /// Returns bytes that were read before, if they are still here.
    pub(super) fn held(&self, base: u64, offset: u64, length: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.from)?).ok()?;
        let held = &self.bytes[..self.filled];
        let held = held.get(start..start.checked_add(length)?);
        held.filter(|_| self.file == base)
    }

    /// Returns the memory, for another use.
    pub(super) fn reuse(&mut self) -> &mut Vec<u8> {
        self.filled = 0;
        &mut self.bytes
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::durable::io::Path;
    use crate::durable::io::memory::Disk;

    /// Put back: in `held`, look at all of `bytes`; in `reuse`, keep `filled`.
    #[test]
    fn a_window_has_what_the_file_has() {
        let content: Vec<u8> = (0..WINDOW + 200).map(|at| at as u8).collect();
        let path = b"/disk/file".to_vec();
        let disk = Disk::with([(path.clone(), content.clone())].into());
        let file = disk.io().open(&Path::new(&path).unwrap(), 0).unwrap();
        let mut window = Window::new();
        let end = content.len();
        for from in [0, 1, WINDOW - 1, 100, end - 100, end - 50, end, end + 10] {
            for length in [1, 70, WINDOW, 2 * WINDOW] {
                let read = window.read(&file, 1, from as u64, length).unwrap();
                let expected = &content[from.min(end)..end.min(from + length)];
                assert_eq!(read, expected, "{length} bytes from {from}");
            }
        }
        window.read(&file, 1, 0, 10).unwrap();
        window.reuse()[0] = 0xff;
        assert_eq!(window.held(1, 0, 10), None);
        assert_eq!(window.read(&file, 1, 0, 10).unwrap(), &content[..10]);
        assert_eq!(window.held(2, 0, 10), None);
    }
}
