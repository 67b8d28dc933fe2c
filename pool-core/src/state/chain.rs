//! A doubly linked list threaded by index through the items of a `Vec`: constant time at both ends
//! and in the middle, and no memory of its own.

/// No item.
pub(super) const NIL: u32 = u32::MAX;

/// An item's place in the one chain it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    prev: u32,
    next: u32,
}

impl Link {
    pub(super) const fn new() -> Self {
        Self { prev: NIL, next: NIL }
    }

    /// The item behind it, or [`NIL`].
    pub(super) const fn next(self) -> u32 {
        self.next
    }
}

pub(super) trait Linked {
    fn link(&self) -> Link;
    fn link_mut(&mut self) -> &mut Link;
}

/// A chain of items, first to last. Every index given must be of `items`, and in this chain to be
/// removed, in none to be added.
#[derive(Debug)]
pub(super) struct Chain {
    first: u32,
    last: u32,
    len: u32,
}

impl Chain {
    pub(super) const fn new() -> Self {
        Self { first: NIL, last: NIL, len: 0 }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.last == NIL
    }

    pub(super) const fn first(&self) -> Option<u32> {
        if self.first == NIL { None } else { Some(self.first) }
    }

    pub(super) const fn last(&self) -> Option<u32> {
        if self.last == NIL { None } else { Some(self.last) }
    }

    pub(super) fn push_last<T: Linked>(&mut self, items: &mut [T], index: u32) {
        *items[index as usize].link_mut() = Link { prev: self.last, next: NIL };
        match self.last {
            NIL => self.first = index,
            last => items[last as usize].link_mut().next = index,
        }
        self.last = index;
        self.len += 1;
    }

    /// Adds `index` ahead of `next`, which is in the chain.
    pub(super) fn insert_before<T: Linked>(&mut self, items: &mut [T], index: u32, next: u32) {
        let prev = items[next as usize].link().prev;
        *items[index as usize].link_mut() = Link { prev, next };
        items[next as usize].link_mut().prev = index;
        match prev {
            NIL => self.first = index,
            prev => items[prev as usize].link_mut().next = index,
        }
        self.len += 1;
    }

    pub(super) fn remove<T: Linked>(&mut self, items: &mut [T], index: u32) {
        let Link { prev, next } = items[index as usize].link();
        match prev {
            NIL => self.first = next,
            prev => items[prev as usize].link_mut().next = next,
        }
        match next {
            NIL => self.last = prev,
            next => items[next as usize].link_mut().prev = prev,
        }
        self.len -= 1;
    }

    /// The items' indices, first to last.
    pub(super) fn iter<'a, T: Linked>(&self, items: &'a [T]) -> impl Iterator<Item = u32> + 'a {
        std::iter::successors(self.first(), |index| match items[*index as usize].link().next {
            NIL => None,
            next => Some(next),
        })
    }
}

/// Items that are in no chain, the one freed last on top. Only the item itself is touched: another
/// one would be another cache line to take from another processor.
#[derive(Debug)]
pub(super) struct Stack {
    top: u32,
    len: u32,
}

impl Stack {
    pub(super) const fn new() -> Self {
        Self { top: NIL, len: 0 }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn push<T: Linked>(&mut self, items: &mut [T], index: u32) {
        *items[index as usize].link_mut() = Link { prev: NIL, next: self.top };
        self.top = index;
        self.len += 1;
    }

    pub(super) fn pop<T: Linked>(&mut self, items: &[T]) -> Option<u32> {
        let index = self.top;
        if index == NIL {
            return None;
        }
        self.top = items[index as usize].link().next;
        self.len -= 1;
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Item(Link);

    impl Linked for Item {
        fn link(&self) -> Link {
            self.0
        }
        fn link_mut(&mut self) -> &mut Link {
            &mut self.0
        }
    }

    #[test]
    fn items_leave_from_both_ends_and_the_middle_in_order() {
        let mut items: Vec<_> = (0..6).map(|_| Item(Link::new())).collect();
        let mut chain = Chain::new();
        for index in [4, 2, 0, 5] {
            chain.push_last(&mut items, index);
        }
        chain.insert_before(&mut items, 3, 0);
        chain.insert_before(&mut items, 1, 4);
        assert_eq!(chain.iter(&items).collect::<Vec<_>>(), [1, 4, 2, 3, 0, 5]);
        chain.remove(&mut items, 3);
        chain.remove(&mut items, 5);
        chain.remove(&mut items, 0);
        assert_eq!((chain.first(), chain.last(), chain.len()), (Some(1), Some(2), 3));
        assert_eq!(chain.iter(&items).collect::<Vec<_>>(), [1, 4, 2]);
        for index in [4, 1, 2] {
            chain.remove(&mut items, index);
        }
        assert!(chain.is_empty() && chain.first().is_none());
    }

    #[test]
    fn the_item_freed_last_is_taken_first() {
        let mut items: Vec<_> = (0..3).map(|_| Item(Link::new())).collect();
        let mut stack = Stack::new();
        for index in [2, 0, 1] {
            stack.push(&mut items, index);
        }
        assert_eq!((stack.pop(&items), stack.pop(&items), stack.len()), (Some(1), Some(0), 1));
        stack.push(&mut items, 1);
        assert_eq!([(); 3].map(|()| stack.pop(&items)), [Some(1), Some(2), None]);
        assert_eq!(stack.len(), 0);
    }
}
