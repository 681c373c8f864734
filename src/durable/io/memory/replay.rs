//! Replays recorded changes up to a crash; see the comment of the module above.

use std::collections::BTreeMap;

use super::{Change, Random, directory_of};

const SECTOR: usize = 512;

/// A write's offset and bytes.
type Written = (u64, Vec<u8>);

/// A file while changes are replayed.
#[derive(Default, Clone)]
struct Inode {
    synced: Vec<u8>,
    /// Since the last sync: each write's offset and bytes, and the length after it; or a length.
    pending: Vec<(Option<Written>, u64)>,
}

impl Inode {
    fn length(&self) -> u64 {
        (self.pending.last()).map_or(self.synced.len() as u64, |(_, length)| *length)
    }

    /// Applies the changes; `keep` decides for each sector how many of the writes to it.
    fn settled(&self, length: u64, mut keep: impl FnMut(usize) -> usize) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let longest = self.pending.iter().map(|(_, length)| *length).max();
        let sectors = (longest.unwrap_or(0).max(bytes.len() as u64) as usize).div_ceil(SECTOR);
        bytes.resize(sectors * SECTOR, 0);
        for sector in 0..sectors {
            let (begin, end) = (sector * SECTOR, (sector + 1) * SECTOR);
            let mut writes = Vec::new();
            for (write, length) in &self.pending {
                match write {
                    Some((offset, written))
                        if (*offset as usize) < end && *offset as usize + written.len() > begin =>
                    {
                        writes.push((*offset as usize, written.clone()));
                    }
                    // A file that became shorter has zeroes there if it grows again.
                    None if (*length as usize) < end => {
                        let from = (*length as usize).max(begin);
                        writes.push((from, vec![0; end - from]));
                    }
                    _ => {}
                }
            }
            let kept = keep(writes.len());
            for (offset, written) in &writes[..kept] {
                for (index, byte) in written.iter().enumerate() {
                    if (begin..end).contains(&(offset + index)) {
                        bytes[offset + index] = *byte;
                    }
                }
            }
        }
        bytes.resize(length as usize, 0);
        bytes
    }
}

pub(super) struct Replay {
    inodes: Vec<Inode>,
    /// The synced names.
    names: BTreeMap<Vec<u8>, usize>,
    /// The operations of directories since their last sync.
    pending: Vec<Change>,
}

impl Replay {
    pub(super) fn new(base: &BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let mut names = BTreeMap::new();
        let mut inodes = Vec::new();
        for (path, bytes) in base {
            names.insert(path.clone(), inodes.len());
            inodes.push(Inode {
                synced: bytes.clone(),
                pending: Vec::new(),
            });
        }
        Self {
            inodes,
            names,
            pending: Vec::new(),
        }
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Create(inode, _) => {
                assert_eq!(*inode, self.inodes.len());
                self.inodes.push(Inode::default());
                self.pending.push(change.clone());
            }
            Change::Write(inode, offset, bytes) => {
                let inode = &mut self.inodes[*inode];
                let length = inode.length().max(offset + bytes.len() as u64);
                inode.pending.push((Some((*offset, bytes.clone())), length));
            }
            Change::Length(inode, length) => self.inodes[*inode].pending.push((None, *length)),
            Change::Sync(inode) => {
                let inode = &mut self.inodes[*inode];
                inode.synced = inode.settled(inode.length(), |writes| writes);
                inode.pending.clear();
            }
            Change::SyncDir(directory) => {
                for pending in std::mem::take(&mut self.pending) {
                    let (Change::Create(_, path) | Change::Rename(path, _) | Change::Unlink(path)) =
                        &pending
                    else {
                        unreachable!("an operation of a directory");
                    };
                    if directory_of(path) == directory.as_slice() {
                        self.rename(&pending);
                    } else {
                        self.pending.push(pending);
                    }
                }
            }
            Change::Rename(..) | Change::Unlink(_) => self.pending.push(change.clone()),
            Change::Mkdir => {}
        }
    }

    fn rename(&mut self, change: &Change) {
        match change {
            Change::Create(inode, path) => {
                self.names.insert(path.clone(), *inode);
            }
            Change::Rename(from, to) => {
                if let Some(inode) = self.names.remove(from) {
                    self.names.insert(to.clone(), inode);
                }
            }
            Change::Unlink(path) => {
                self.names.remove(path);
            }
            _ => unreachable!("an operation of a directory"),
        }
    }

    pub(super) fn crash(mut self, random: &mut Random) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let pending = std::mem::take(&mut self.pending);
        let prefix = random.below(pending.len() + 1);
        let in_order = random.below(2) == 0;
        for (index, change) in pending.iter().enumerate() {
            let kept = if in_order {
                index < prefix
            } else {
                random.below(2) == 0
            };
            if kept {
                self.rename(change);
            }
        }
        let mut files = BTreeMap::new();
        for (path, &inode) in &self.names {
            let inode = &self.inodes[inode];
            // Sometimes all or none of the writes, so that longer runs of them are seen.
            let mode = random.below(4);
            let mut lengths = vec![inode.synced.len() as u64];
            lengths.extend(inode.pending.iter().map(|(_, length)| *length));
            let length = match mode {
                0 => lengths[0],
                1 => inode.length(),
                _ => lengths[random.below(lengths.len())],
            };
            let bytes = inode.settled(length, |writes| match mode {
                0 => 0,
                1 => writes,
                _ => random.below(writes + 1),
            });
            files.insert(path.clone(), bytes);
        }
        files
    }
}
