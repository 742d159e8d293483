//! How much code and data an executable has, from its section headers (64-bit ELF).

use std::fs;
use std::io;
use std::ops::Sub;
use std::path::Path;

/// Section flags.
const WRITE_OR_ALLOC: u64 = 3;
const EXECUTABLE: u64 = 4;
/// The type of a section that takes no room in the file.
const NOBITS: u32 = 8;

/// The bytes of executable sections, and of all others that are loaded and in the file.
#[derive(Clone, Copy, Default)]
pub struct Sizes {
    pub code: u64,
    pub data: u64,
}

impl Sub for Sizes {
    type Output = Sizes;

    /// What is less than nothing is nothing.
    fn sub(self, other: Sizes) -> Sizes {
        Sizes {
            code: self.code.saturating_sub(other.code),
            data: self.data.saturating_sub(other.data),
        }
    }
}

pub fn sizes(path: &Path) -> io::Result<Sizes> {
    let bytes = fs::read(path)?;
    let malformed = || io::Error::other("not a 64-bit ELF file");
    sizes_of(&bytes).ok_or_else(malformed)
}

fn sizes_of(bytes: &[u8]) -> Option<Sizes> {
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let u64_at = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let u16_at = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (table, size, count) = (u64_at(0x28)? as usize, u16_at(0x3a)?, u16_at(0x3c)?);
    let (mut code, mut data) = (0, 0);
    for section in 0..usize::from(count) {
        let header = table + section * usize::from(size);
        let (kind, flags) = (u32_at(header + 4)?, u64_at(header + 8)?);
        let length = u64_at(header + 0x20)?;
        if flags & EXECUTABLE != 0 {
            code += length;
        } else if flags & WRITE_OR_ALLOC != 0 && kind != NOBITS {
            data += length;
        }
    }
    Some(Sizes { code, data })
}
