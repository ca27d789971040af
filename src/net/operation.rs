//! What an operation is called while the kernel has it.

/// The kind of an operation, and whose it is: packed into io_uring's `user_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Accept {
        listener: u16,
        caller: u16,
    },
    Receive {
        slot: u32,
        generation: u32,
    },
    Send {
        slot: u32,
        generation: u32,
    },
    Wake,
    Finish {
        slot: u32,
        generation: u32,
    },
    TakeOver {
        slot: u32,
        generation: u32,
    },
    Release {
        slot: u32,
        generation: u32,
    },
    /// A cancellation or close: nobody waits for it.
    Farewell,
}

/// Generations wrap at this; a slot would have to be reused so often while one operation is under
/// way, and operations end before a slot is free.
pub(super) const GENERATION_MASK: u32 = 0x0fff_ffff;

impl Operation {
    pub fn pack(self) -> u64 {
        let (kind, generation, index): (u64, u32, u32) = match self {
            Self::Accept { listener, caller } => (0, caller.into(), listener.into()),
            Self::Receive { slot, generation } => (1, generation, slot),
            Self::Send { slot, generation } => (2, generation, slot),
            Self::Wake => (3, 0, 0),
            Self::Finish { slot, generation } => (4, generation, slot),
            Self::Farewell => (5, 0, 0),
            Self::Release { slot, generation } => (7, generation, slot),
            Self::TakeOver { slot, generation } => (6, generation, slot),
        };
        kind << 60 | u64::from(generation & GENERATION_MASK) << 32 | u64::from(index)
    }

    /// # Panics
    ///
    /// If the kernel returns something we never gave it.
    pub fn unpack(data: u64) -> Self {
        let index = u32::try_from(data & 0xffff_ffff).expect("masked");
        let generation = u32::try_from(data >> 32 & u64::from(GENERATION_MASK)).expect("masked");
        match data >> 60 {
            0 => Self::Accept {
                listener: u16::try_from(index).expect("packed from 16 bits"),
                caller: u16::try_from(generation).expect("packed from 16 bits"),
            },
            1 => Self::Receive {
                slot: index,
                generation,
            },
            2 => Self::Send {
                slot: index,
                generation,
            },
            3 => Self::Wake,
            4 => Self::Finish {
                slot: index,
                generation,
            },
            5 => Self::Farewell,
            7 => Self::Release {
                slot: index,
                generation,
            },
            6 => Self::TakeOver {
                slot: index,
                generation,
            },
            kind => panic!("completion of an operation of unknown kind {kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        for operation in [
            Operation::Accept {
                listener: 3,
                caller: u16::MAX,
            },
            Operation::Receive {
                slot: u32::MAX,
                generation: GENERATION_MASK,
            },
            Operation::Send {
                slot: 0,
                generation: 1,
            },
            Operation::Wake,
            Operation::Finish {
                slot: 7,
                generation: 2,
            },
            Operation::Farewell,
            Operation::Release {
                slot: 9,
                generation: 4,
            },
            Operation::TakeOver {
                slot: 8,
                generation: 3,
            },
        ] {
            assert_eq!(Operation::unpack(operation.pack()), operation);
        }
    }
}
