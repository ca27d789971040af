//! The bytes of a shell: every one says whose it is and where it stands, so that a lost, repeated
//! or foreign one is seen at once.

use jumpgate::relay::hub::event::Tap;

/// One direction of one shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// What the shell prints.
    pub fn output(tap: Tap) -> Self {
        Self(tag(tap))
    }

    /// What is typed into it. Whoever types goes on where the one before stopped.
    pub fn input(tap: Tap) -> Self {
        Self(tag(tap) ^ 0x5555_5555_5555_5555)
    }

    fn byte(self, offset: u64) -> u8 {
        let [.., low] =
            (self.0.wrapping_add(offset.wrapping_mul(0x9d)) ^ (offset >> 8)).to_be_bytes();
        low
    }

    pub fn bytes(self, offset: u64, count: usize) -> Vec<u8> {
        (offset..).take(count).map(|at| self.byte(at)).collect()
    }

    /// Fails unless `bytes` stand at `offset` of this stream.
    pub fn check(self, offset: u64, bytes: &[u8], who: &str) {
        let wrong = (offset..)
            .zip(bytes)
            .find(|(at, byte)| self.byte(*at) != **byte);
        assert_eq!(wrong, None, "{who}: another byte than byte {offset} and on");
    }
}

fn tag(tap: Tap) -> u64 {
    let session = tap.session.to_row().cast_unsigned();
    (session ^ u64::from(tap.shell.0).wrapping_mul(0x9e37_79b9)).wrapping_mul(0x94d0_49bb_1331_11eb)
}
