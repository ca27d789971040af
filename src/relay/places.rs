//! Things by the place they have: what a map by id does, without hashing on the path of a frame.

/// An id that begins with a small number of its own: no two that are in use share it.
pub trait Placed: Copy + Eq {
    /// Below the number of connections a ring thread can have.
    fn place(self) -> usize;
}

/// Values by id. Takes as much room as the highest place that was ever used.
#[derive(Debug)]
pub struct Places<I, T> {
    entries: Vec<Option<(I, T)>>,
}

impl<I, T> Default for Places<I, T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<I: Placed, T> Places<I, T> {
    /// The value of an id; `None` also where another id has its place now.
    pub fn get(&self, id: I) -> Option<&T> {
        match self.entries.get(id.place()) {
            Some(Some((its, value))) if *its == id => Some(value),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        match self.entries.get_mut(id.place()) {
            Some(Some((its, value))) if *its == id => Some(value),
            _ => None,
        }
    }

    /// Whether an id has a value.
    pub fn contains(&self, id: I) -> bool {
        self.get(id).is_some()
    }

    /// Puts a value into its place.
    ///
    /// # Panics
    ///
    /// If another id has that place still.
    pub fn insert(&mut self, id: I, value: T) {
        let place = id.place();
        if self.entries.len() <= place {
            self.entries.resize_with(place + 1, || None);
        }
        let entry = &mut self.entries[place];
        assert!(
            entry.as_ref().is_none_or(|(its, _)| *its == id),
            "place {place} is in use"
        );
        *entry = Some((id, value));
    }

    /// Takes a value out.
    pub fn remove(&mut self, id: I) -> Option<T> {
        let entry = self.entries.get_mut(id.place())?;
        entry.take_if(|(its, _)| *its == id).map(|(_, value)| value)
    }

    /// Everything, in the order of places.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.entries
            .iter_mut()
            .flatten()
            .map(|(id, value)| (*id, value))
    }

    /// Everything, taken out.
    pub fn take_all(&mut self) -> impl Iterator<Item = (I, T)> + use<I, T> {
        std::mem::take(&mut self.entries).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Placed for (u8, u8) {
        fn place(self) -> usize {
            self.0.into()
        }
    }

    #[test]
    fn a_predecessor_in_the_same_place_is_not_taken_for_its_successor() {
        let mut places = Places::default();
        places.insert((3, 0), "first");
        assert_eq!(places.remove((3, 1)), None);
        assert_eq!(places.remove((3, 0)), Some("first"));
        places.insert((3, 1), "second");
        assert_eq!(places.get((3, 0)), None);
        assert_eq!(places.get((3, 1)), Some(&"second"));
        assert_eq!(places.get((9, 0)), None);
        assert_eq!(
            places.iter_mut().collect::<Vec<_>>(),
            [((3, 1), &mut "second")]
        );
    }
}
