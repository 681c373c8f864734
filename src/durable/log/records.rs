//! The records of a frame that was read.

use super::ring::{FIRST_WORD, UNIT, split_first_word, units_of};

/// A frame that was read: its checksums are right, and its records fit it.
pub(crate) struct Frame<'b> {
    records: Records<'b>,
    /// The bytes of the log up to the end of this frame.
    pub(crate) read: u64,
    /// The bytes of all files that are read: at least those of the log.
    pub(crate) total: u64,
}

/// A record of the log.
#[derive(Clone, Copy)]
pub(crate) struct Record<'b> {
    pub(crate) number: u64,
    pub(crate) kind: u8,
    pub(crate) body: &'b [u8],
}

/// A record of a frame, from the first on, which begins at `number`.
#[derive(Clone, Copy)]
struct Records<'b> {
    number: u64,
    rest: &'b [u8],
    /// Records before this number are left out.
    from: u64,
}

impl<'b> Frame<'b> {
    /// Returns the frame whose first record has the number `first`, without the records before `from`; the
    /// number of a record that does not fit the frame, if there is one.
    pub(super) fn new(first: u64, body: &'b [u8], from: u64) -> Result<Self, u64> {
        let records = Records {
            number: first,
            rest: body,
            from,
        };
        let mut all = records;
        // Ends: each turn moves at least a unit.
        while !all.rest.is_empty() {
            all.split().ok_or(all.number)?;
        }
        Ok(Self {
            records,
            read: 0,
            total: 0,
        })
    }

    /// The records, in their order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'b>> {
        self.records
    }
}

impl<'b> Records<'b> {
    /// Splits the first record off; `None` if it does not fit.
    fn split(&mut self) -> Option<Record<'b>> {
        let (word, _) = self.rest.split_first_chunk()?;
        let (body, kind) = split_first_word(u64::from_le_bytes(*word))?;
        let units = units_of(body);
        let size = usize::try_from(units * UNIT).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(size)?;
        let record = Record {
            number: self.number,
            kind,
            body: &bytes[FIRST_WORD as usize..][..body as usize],
        };
        (self.number, self.rest) = (self.number + units, rest);
        Some(record)
    }
}

/// A record, and where it lies in its frame.
pub(crate) struct Placed<'b> {
    pub(crate) record: Record<'b>,
    /// Where its body begins.
    pub(crate) body: usize,
    /// Where the next record begins.
    pub(crate) next: usize,
}

/// Returns the record at an offset in the records of a frame that was checked; `None` at the end.
pub(super) fn placed(first: u64, body: &[u8], offset: usize) -> Option<Placed<'_>> {
    let mut records = Records {
        number: first + offset as u64 / UNIT,
        rest: body.get(offset..)?,
        from: 0,
    };
    let record = records.split()?;
    Some(Placed {
        record,
        body: offset + FIRST_WORD as usize,
        next: body.len() - records.rest.len(),
    })
}

impl<'b> Iterator for Records<'b> {
    type Item = Record<'b>;

    fn next(&mut self) -> Option<Record<'b>> {
        // Ends: each turn moves at least a unit.
        loop {
            let record = self.split()?;
            if record.number >= self.from {
                return Some(record);
            }
        }
    }
}
