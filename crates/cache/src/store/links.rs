//! Doubly linked lists of items in one slab: pushed at the back, taken from the front or from anywhere, each in
//! a few moves. A removed item leaves nothing behind.

/// No link.
const NONE: u32 = u32::MAX;
/// Links in a chunk. The slab grows by whole chunks, so that growing never moves what is there.
const CHUNK: usize = 1024;

#[derive(Debug)]
struct Link<T> {
    prev: u32,
    /// In a free link: the next free one.
    next: u32,
    item: Option<T>,
}

/// The slab.
#[derive(Debug)]
pub(super) struct Links<T> {
    chunks: Vec<Vec<Link<T>>>,
    free: u32,
}

/// One list in a slab. Every call must name the slab it was made with.
#[derive(Debug)]
pub(super) struct List {
    front: u32,
    back: u32,
    len: usize,
}

impl List {
    pub(super) const fn new() -> Self {
        Self { front: NONE, back: NONE, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl<T> Links<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), free: NONE }
    }

    /// The first item.
    pub(super) fn front(&self, list: &List) -> Option<&T> {
        if list.front == NONE { None } else { self.at(list.front).item.as_ref() }
    }

    /// Appends an item; returns where it is. `None`, and the item is dropped, at 2^32 - 1 items.
    pub(super) fn push_back(&mut self, list: &mut List, item: T) -> Option<u32> {
        let index = self.allocate(Link { prev: list.back, next: NONE, item: Some(item) })?;
        match list.back {
            NONE => list.front = index,
            back => self.at_mut(back).next = index,
        }
        list.back = index;
        list.len += 1;
        Some(index)
    }

    /// Takes out the item at a position. `None` if there is none.
    pub(super) fn remove(&mut self, list: &mut List, index: u32) -> Option<T> {
        let free = self.free;
        let link = self.chunks.get_mut(index as usize / CHUNK)?.get_mut(index as usize % CHUNK)?;
        let item = link.item.take()?;
        let (prev, next) = (link.prev, link.next);
        link.next = free;
        self.free = index;
        match prev {
            NONE => list.front = next,
            prev => self.at_mut(prev).next = next,
        }
        match next {
            NONE => list.back = prev,
            next => self.at_mut(next).prev = prev,
        }
        list.len -= 1;
        Some(item)
    }

    /// Moves the first item to the back; where it is does not change.
    pub(super) fn rotate(&mut self, list: &mut List) {
        let (first, last) = (list.front, list.back);
        if first == last {
            return;
        }
        let second = self.at(first).next;
        self.at_mut(second).prev = NONE;
        self.at_mut(last).next = first;
        let link = self.at_mut(first);
        (link.prev, link.next) = (last, NONE);
        (list.front, list.back) = (second, first);
    }

    fn allocate(&mut self, link: Link<T>) -> Option<u32> {
        if self.free != NONE {
            let index = self.free;
            self.free = self.at(index).next;
            *self.at_mut(index) = link;
            return Some(index);
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = (self.chunks.len() - 1) * CHUNK;
        let chunk = self.chunks.last_mut()?;
        let index = u32::try_from(full + chunk.len()).ok().filter(|index| *index != NONE)?;
        chunk.push(link);
        Some(index)
    }

    fn at(&self, index: u32) -> &Link<T> {
        &self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }

    fn at_mut(&mut self, index: u32) -> &mut Link<T> {
        &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn items(links: &Links<u16>, list: &List) -> Vec<u16> {
        let (mut found, mut at) = (Vec::new(), list.front);
        while at != NONE {
            found.push(links.at(at).item.unwrap());
            at = links.at(at).next;
        }
        found
    }

    proptest! {
        #[test]
        fn lists_do_as_queues_do(steps in prop::collection::vec((0..2_usize, 0..6_u8, any::<u16>()), 0..300)) {
            let mut links = Links::new();
            let mut lists = [List::new(), List::new()];
            let mut models = [VecDeque::new(), VecDeque::new()];
            for (which, step, value) in steps {
                let (list, model) = (&mut lists[which], &mut models[which]);
                match step {
                    0..=2 => model.push_back((links.push_back(list, value).unwrap(), value)),
                    3 if !model.is_empty() => {
                        let (index, expected) = model.remove(usize::from(value) % model.len()).unwrap();
                        prop_assert_eq!(links.remove(list, index), Some(expected));
                        prop_assert_eq!(links.remove(list, index), None);
                    }
                    4 => {
                        links.rotate(list);
                        if !model.is_empty() {
                            model.rotate_left(1);
                        }
                    }
                    _ => prop_assert_eq!(links.front(list), model.front().map(|(_, value)| value)),
                }
                prop_assert_eq!(list.len(), model.len());
            }
            for (list, model) in lists.iter().zip(&models) {
                let expected: Vec<_> = model.iter().map(|(_, value)| *value).collect();
                prop_assert_eq!(items(&links, list), expected);
            }
        }
    }

    #[test]
    fn places_are_used_again() {
        let (mut links, mut list) = (Links::new(), List::new());
        for round in 0..10_000_u32 {
            let index = links.push_back(&mut list, round).unwrap();
            assert!(index < 2);
            if round > 0 {
                let front = list.front;
                assert_eq!(links.remove(&mut list, front), Some(round - 1));
            }
        }
        assert_eq!(links.chunks.len(), 1);
    }
}
