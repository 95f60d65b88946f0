//! What the store holds: responses, the list of a URL's variants, and notes that nothing may be stored.

mod content;
mod notes;
mod object;

use std::mem::size_of;

pub(crate) use notes::Notes;
pub(crate) use object::Object;

/// What is stored under a key.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A response.
    Object(Object),
    /// What is known of a URL that has no response for all requests.
    Notes(Box<Notes>),
}

impl Entry {
    /// What the store is told it weighs, beside its key: itself, its counts and what it points to.
    pub fn weight(&self) -> usize {
        let own = size_of::<Self>() + 2 * size_of::<usize>();
        own + match self {
            Self::Object(object) => object.heap_bytes(),
            Self::Notes(notes) => notes.heap_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        // With its counts it fills a size class of the allocator.
        assert!(size_of::<Entry>() <= 112, "{}", size_of::<Entry>());
    }
}
