//! Sets of names that are found without comparing each.

/// The longest name that is looked for; PostgreSQL cuts longer ones off at 63 bytes.
pub(super) const LONGEST: usize = 63;

/// Names in lower case, by their hash. `SLOTS` is a power of two, at least twice their number.
#[derive(Debug)]
pub(super) struct Names<const SLOTS: usize> {
    names: &'static [&'static str],
    /// One more than a name's place among `names`; 0 is free. Who finds his taken has the next.
    slots: [u16; SLOTS],
}

impl<const SLOTS: usize> Names<SLOTS> {
    pub(super) const fn new(names: &'static [&'static str]) -> Self {
        assert!(SLOTS.is_power_of_two() && names.len() * 2 <= SLOTS);
        let mut slots = [0; SLOTS];
        let mut place = 0;
        while place < names.len() {
            let mut slot = hash(names[place].as_bytes()) as usize % SLOTS;
            while slots[slot] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            place += 1;
            slots[slot] = place as u16;
        }
        Self { names, slots }
    }

    /// Whether it is one of them; `hash` is its [`hash`].
    pub(super) fn contains(&self, name: &[u8], hash: u32) -> bool {
        let mut slot = hash as usize % SLOTS;
        loop {
            let Some(place) = self.slots[slot].checked_sub(1) else {
                return false;
            };
            if self.names[usize::from(place)].as_bytes() == name {
                return true;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    #[cfg(test)]
    pub(super) const fn all(&self) -> &'static [&'static str] {
        self.names
    }
}

/// FNV-1a (Fowler, Noll, Vo).
pub(super) const fn hash(name: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut i = 0;
    while i < name.len() {
        hash = (hash ^ name[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    hash
}

/// A name in lower case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lower {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Lower {
    /// `None` if it is too long to be known.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        let copy = bytes.get_mut(..name.len())?;
        copy.copy_from_slice(name);
        copy.make_ascii_lowercase();
        Some(Self {
            bytes,
            length: name.len(),
        })
    }

    /// The name as it is.
    pub(super) fn exactly(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self {
            bytes,
            length: name.len(),
        })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_and_others_are_not() {
        static SOME: Names<8> = Names::new(&["count", "sum", "lower", "upper"]);
        let contains = |name: &[u8]| SOME.contains(name, hash(name));
        for name in SOME.all() {
            assert!(contains(name.as_bytes()), "{name}");
        }
        for name in ["", "Count", "coun", "counts", "nextval"] {
            assert!(!contains(name.as_bytes()), "{name}");
        }
        assert_eq!(Lower::of(b"CoUnT").expect("short").as_bytes(), b"count");
        assert!(Lower::of(&[b'a'; 64]).is_none());
    }
}
