//! Damages the files of a store as an input says, and gives damaged headers valid checksums.

use arbitrary::Unstructured;

use crate::store_checkpoint::{BLOCK_MAGIC, END_MAGIC, HEADER, MANIFEST_HEAD, MANIFEST_MAGIC};
use crate::store_checkpoint::{PART_MAGIC, PART_RECORD, part_name};
use crate::store_disk::{File, Files};
use crate::store_forge::{FRAME_HEADER, FRAME_MAGIC, SEGMENT_HEADER, SEGMENT_MAGIC};
use crate::store_forge::{crc, seal, segment_name};

const MAX_DAMAGES: usize = 8;
/// Numbers at which code may be wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    16,
    64,
    (1 << 32) - 1,
    1 << 40,
    (1 << 48) - 1,
    (1 << 56) - 1,
    1 << 56,
    1 << 63,
    u64::MAX - 15,
    u64::MAX,
];

/// Returns whether a checksum was made valid: then the files may contain anything.
pub(crate) fn damage(files: &mut Files, u: &mut Unstructured<'_>) -> arbitrary::Result<bool> {
    let mut is_sealed = false;
    for _ in 0..MAX_DAMAGES {
        let names: Vec<Vec<u8>> = files
            .keys()
            .filter(|name| name[0] != b'l' || name.len() > 4)
            .cloned()
            .collect();
        if u.is_empty() || names.is_empty() {
            break;
        }
        let name = names[u.choose_index(names.len())?].clone();
        let mut bytes = files.remove(&name).expect("its name was listed").bytes;
        let kind = u.int_in_range(0..=10u8)?;
        let at = usize::from(u.arbitrary::<u16>()?) % (bytes.len() + 1);
        let name_is_of_checkpoint = !name.starts_with(b"log-");
        let mut to = Some(name);
        match kind {
            0 if at < bytes.len() => bytes[at] ^= 1 << u.int_in_range(0..=7u8)?,
            // Headers in a part begin anywhere.
            2 if name_is_of_checkpoint => put(&mut bytes, at, &word(u)?.to_le_bytes()),
            1 | 2 => put(&mut bytes, at / 8 * 8, &word(u)?.to_le_bytes()),
            3 => {
                let end = bytes.len().min(at + usize::from(u.arbitrary::<u8>()?) * 8);
                bytes[at..end].fill(0);
            }
            4 => bytes.truncate(at),
            5 => bytes.extend(vec![
                u.arbitrary::<u8>()?;
                usize::from(u.arbitrary::<u8>()?)
            ]),
            6 => to = None,
            7 => {
                let from = at / 16 * 16;
                let copied = bytes[from..].to_vec();
                let target = usize::from(u.arbitrary::<u16>()?) % (bytes.len() + 1) / 16 * 16;
                put(&mut bytes, target, &copied);
            }
            8 => to = Some(segment_name(word(u)?)),
            _ => {
                let chains = kind == 10;
                if chains && bytes.starts_with(MANIFEST_MAGIC) {
                    fit_parts(&mut bytes, files);
                }
                seal_all(&mut bytes, chains);
                is_sealed = true;
            }
        }
        if let Some(name) = to {
            files.insert(name, File::of(bytes));
        }
    }
    Ok(is_sealed)
}

fn word(u: &mut Unstructured<'_>) -> arbitrary::Result<u64> {
    let choice = usize::from(u.arbitrary::<u8>()?);
    Ok(match EDGES.get(choice % 24) {
        Some(&edge) => edge,
        None => u64::from(u.arbitrary::<u16>()?),
    })
}

fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() < at + new.len() {
        bytes.resize(at + new.len(), 0);
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Makes a manifest say of each part what its file says.
fn fit_parts(manifest: &mut [u8], files: &Files) {
    if manifest.len() < MANIFEST_HEAD {
        return;
    }
    let number = u64_at(manifest, 24);
    let count = (u64_at(manifest, 48) as u32 as usize).min(manifest.len() / PART_RECORD);
    for part in 0..count {
        let from_end = 4 + (count - part) * PART_RECORD;
        let record = manifest.len().checked_sub(from_end);
        let (Some(at), Some(file)) = (record, files.get(&part_name(number, part))) else {
            continue;
        };
        let bytes = &file.bytes;
        put_u64(manifest, at, bytes.len() as u64);
        if let Some(end) = bytes.len().checked_sub(HEADER) {
            put_u64(manifest, at + 8, u64_at(bytes, end + 16));
            manifest[at + 16..at + 20].copy_from_slice(&bytes[end + 44..]);
        }
    }
}

/// Makes the checksums of all headers valid, and those of records; with `chains`, each frame follows the
/// header before it.
fn seal_all(bytes: &mut [u8], chains: bool) {
    if bytes.starts_with(MANIFEST_MAGIC) {
        seal(bytes);
        return;
    }
    if bytes.starts_with(PART_MAGIC) {
        seal_part(bytes, chains);
        return;
    }
    let mut chain = 0;
    for at in (0..bytes.len()).step_by(16) {
        let (rest, mut is_header) = (&mut bytes[at..], false);
        if rest.starts_with(SEGMENT_MAGIC) && rest.len() >= SEGMENT_HEADER {
            chain = seal(&mut rest[..SEGMENT_HEADER]);
        } else if rest.starts_with(FRAME_MAGIC) && rest.len() >= FRAME_HEADER {
            is_header = true;
        }
        if !is_header {
            continue;
        }
        let (head, records) = rest.split_at_mut(FRAME_HEADER);
        if let Some(records) = records.get(..u64_at(head, 40) as usize) {
            head[12..16].copy_from_slice(&crc(records).to_le_bytes());
        }
        if chains {
            head[56..60].copy_from_slice(&u32::to_le_bytes(chain));
        }
        chain = seal(head);
    }
}

/// As `seal_all`, for a part.
fn seal_part(bytes: &mut [u8], chains: bool) {
    let mut chain = 0;
    for at in 0..=bytes.len().saturating_sub(HEADER) {
        let Some((head, entries)) = bytes[at..].split_at_mut_checked(HEADER) else {
            return;
        };
        let is_block = head.starts_with(BLOCK_MAGIC);
        if !is_block && !head.starts_with(PART_MAGIC) && !head.starts_with(END_MAGIC) {
            continue;
        }
        if let Some(entries) = entries.get(..u64_at(head, 32) as usize)
            && is_block
        {
            head[12..16].copy_from_slice(&crc(entries).to_le_bytes());
        }
        if chains && at > 0 {
            head[40..44].copy_from_slice(&u32::to_le_bytes(chain));
        }
        chain = seal(head);
    }
}

fn put_u64(bytes: &mut [u8], at: usize, word: u64) {
    bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
}
