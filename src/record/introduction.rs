//! How a record says what it is before its statement has an id.
//!
//! A statement whose first run is in a signal handler cannot be registered there. Its record carries
//! the addresses of the call site and of the list of types, which live as long as the process; whoever
//! reads the record in the same process registers the statement. To any other reader it is a record of
//! an unknown statement.

use super::TypeList;

/// Where a statement's description is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Introduction {
    words: [u64; 2],
}

impl Introduction {
    /// Stands in the header where the id would.
    pub(crate) const STATEMENT: u32 = u32::MAX;

    pub(crate) fn new(site: *const (), types: &'static TypeList) -> Self {
        let types: *const TypeList = types;
        Introduction {
            words: [
                site.expose_provenance() as u64,
                types.expose_provenance() as u64,
            ],
        }
    }

    /// As it stands in the record, behind the thread's number.
    pub(crate) fn words(&self) -> [u64; 2] {
        self.words
    }

    /// Takes it from the front of a record's bytes.
    pub(crate) fn split(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (site, rest) = payload.split_first_chunk()?;
        let (types, rest) = rest.split_first_chunk()?;
        let words = [u64::from_le_bytes(*site), u64::from_le_bytes(*types)];
        Some((Introduction { words }, rest))
    }

    /// The addresses of the call site and of the types.
    pub(crate) fn addresses(&self) -> (*const (), *const TypeList) {
        let [site, types] = self.words;
        (
            std::ptr::with_exposed_provenance(site as usize),
            std::ptr::with_exposed_provenance(types as usize),
        )
    }
}
