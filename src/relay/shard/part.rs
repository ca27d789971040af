//! The end of a ring thread, when the relay stops in order.

use super::Shard;
use crate::relay::exchange::Outgoing;
use crate::relay::transcripts;

impl Shard {
    /// Tells the hub where everybody stood. What was forwarded is recorded first.
    pub(super) fn part(mut self) {
        let (hub, transcripts) = (self.setting.hub.clone(), self.setting.transcripts.clone());
        let parted = self.exchange.part();
        let pending = std::mem::take(&mut self.pending);
        // From here on nobody waits for this thread.
        drop(self);
        for last in pending {
            match last {
                Outgoing::ToHub(event) => drop(hub.send(event)),
                Outgoing::Tapped { tap, offset, bytes } => {
                    let mail = transcripts::Mail::Output { tap, offset, bytes };
                    drop(transcripts.blocking_send(mail));
                }
                // Not forwarded, so it is asked for again.
                Outgoing::Across(_) => {}
            }
        }
        for event in parted {
            drop(hub.send(event));
        }
    }
}
