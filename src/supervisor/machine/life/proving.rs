//! Whether the running version stays: what it has shown, and what becomes of it if that is not enough.
//!
//! Part of the main loop; the decisions are in [`super::super::health`].

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{End, Life};
use crate::boot::Slot;
use crate::boot::facts::LAST_WORDS_FILE;
use crate::control::machine::{Health, Notice, SlotFacts, State, notice};
use crate::control::{self, Client};
use crate::domain::limits::{
    DATA_FREE_BYTES_MIN, HEALTH_GATE, HEALTHY_WITHIN, PROVED_TOLD_EVERY, PROVED_TOLD_MAX,
    TRIAL_WITHIN,
};
use crate::esp::{self, Access};
use crate::supervisor::machine::health::{Gate, Part, Relapses, Sign};
use crate::supervisor::machine::journal::note;
use crate::supervisor::machine::power::Power;
use crate::supervisor::machine::proof::{self, Asking};
use crate::supervisor::machine::{RELAPSES, facts, now, places};

/// Last words of a version that was stopped while its root was read whole.
const READING_ROOT: &str = "The machine stopped while this version's system files were read whole: they \
                            are not what was signed, or the disk does not give them back";

impl Life<'_> {
    /// Starting a program again does not help any more.
    pub(super) fn give_up(&mut self, why: Notice) {
        let next = self.relapses.and_then(Relapses::allow);
        // Neither lost data nor a full disk is any better with another version, unless this one is to
        // blame: then the one before says so.
        let is_full = facts::storage(self.places).free_bytes < DATA_FREE_BYTES_MIN;
        let helps = self.proof.is_on_trial() || (self.facts.rescue.is_none() && !is_full);
        let counts = !facts::forgets_state(self.places);
        match next.filter(|_| helps && counts) {
            Some(next) => match places::replace(&self.places.state(RELAPSES), &next.encode()) {
                Ok(()) => {
                    note(&format!("{why}: restarting the machine"));
                    self.leave_last_words(&why);
                    self.rest.end = Some(End::Power(Power::Restart));
                }
                // What cannot be counted does not end.
                Err(error) => note(&format!("{why}: no restart, it cannot be counted: {error}")),
            },
            None if matches!(self.facts.health, Health::Failing { .. }) => {}
            None => note(&format!("{why}: a restart would not help")),
        }
        self.facts.health = Health::Failing { why };
    }

    /// For the version that runs next, if it is another one.
    fn leave_last_words(&self, why: &str) {
        let path = self.places.path(LAST_WORDS_FILE);
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        if let Err(error) = folder.and_then(|()| places::replace(&path, why)) {
            note(&format!("{}: {error}", path.display()));
        }
    }

    pub(super) fn probed(&mut self, served: bool) {
        self.probe.done();
        self.rest.served = served;
        let sign = if served && self.is_whole() && self.proof.missing.is_nothing() {
            Sign::Served
        } else {
            Sign::Silent
        };
        self.see(sign);
    }

    /// Has looked at what a version on trial has to show.
    pub(super) fn look_at_proof(&mut self) {
        self.proof.look_at_network(self.places, &self.facts.network);
        let asking = Asking {
            client: Client::new(&self.paths.control_socket()),
            program: self.probe.program.clone(),
            port: self.config.https_port,
        };
        let elsewhere = &self.levers.elsewhere;
        self.proof.ask_relay(self.places, asking, elsewhere);
        if self.proof.begin_root() {
            // Before: a changed block restarts the machine, and nobody could say so then.
            self.leave_last_words(READING_ROOT);
            proof::read_root(self.places, &self.levers.elsewhere);
        }
    }

    pub(super) fn looked(&mut self, part: Part, shown: Result<(), String>) {
        if part == Part::Root
            && shown.is_ok()
            && let Err(error) = places::remove(&self.places.path(LAST_WORDS_FILE))
        {
            note(&format!("{LAST_WORDS_FILE}: {error}"));
        }
        self.proof.hear(part, shown);
    }

    /// The slot has not proved itself in time.
    pub(super) fn out_of_time(&mut self) {
        if !self.proof.is_on_trial() {
            return self.give_up(notice("no page was served for long enough since the start"));
        }
        let why = self.proof.missing.why(self.rest.served);
        let Slot::System(system) = self.facts.boot.slot else {
            return self.give_up(why);
        };
        // It had its time. Another try would cost as much again, with nobody served meanwhile.
        let renounce = |folder: &Path| esp::trial::renounce(folder, system);
        match self.places.esp().mounted(Access::Write, renounce) {
            Ok(true) => {
                note(&format!("{why}: going back"));
                self.leave_last_words(&why);
                self.rest.end = Some(End::Power(Power::Restart));
                self.facts.health = Health::Failing { why };
            }
            Ok(false) => self.give_up(why),
            Err(error) => {
                note(&format!("no way back is marked: {error}"));
                self.give_up(why);
            }
        }
    }

    pub(super) fn see(&mut self, sign: Sign) {
        let before = self.rest.gate;
        self.rest.gate = before.after(sign, now().moment, self.gate());
        if before != Gate::Passed && self.rest.gate == Gate::Passed {
            self.facts.health = self.proved();
        }
    }

    /// How long a version has to come up. One that never did is not waited for as long.
    pub(super) fn within(&self) -> Duration {
        if self.proof.is_on_trial() {
            return TRIAL_WITHIN;
        }
        let running = |slot: &&SlotFacts| Slot::System(slot.system) == self.facts.boot.slot;
        let known = self.facts.boot.slots.iter().find(running);
        match known.map(|slot| &slot.state) {
            Some(State::OnTrial { .. } | State::Untried { .. }) => TRIAL_WITHIN,
            _ => HEALTHY_WITHIN,
        }
    }

    /// How long the slot has to serve to prove itself.
    pub(super) fn gate(&self) -> Duration {
        self.relapses.map_or(HEALTH_GATE, Relapses::gate)
    }

    /// The slot has proved itself: the boot loader shall know.
    fn proved(&mut self) -> Health {
        let Slot::System(system) = self.facts.boot.slot else {
            return Health::Good;
        };
        // Not by its state: this start may have taken its last try.
        let was_good = || {
            let read = |folder: &Path| Ok(esp::was_good(folder, system));
            self.places
                .esp()
                .mounted(Access::Read, read)
                .unwrap_or(false)
        };
        if self.facts.rescue.is_some() && !was_good() {
            // Perhaps it is this version that cannot read the data.
            note("serving, but without its data: the slot has to prove itself another time");
            return Health::Serving;
        }
        let told = self.places.esp().mounted(Access::Write, |folder| {
            esp::confirm(folder, system)?;
            Ok(esp::slots(folder))
        });
        match told {
            Ok(slots) => {
                note("the slot is good");
                self.facts.boot.slots = slots;
                tell_relay_that_it_proved_itself(Client::new(&self.paths.control_socket()));
                if let Err(error) = places::remove(&self.places.state(RELAPSES)) {
                    note(&format!("the count of restarts stays: {error}"));
                }
                self.relapses = Relapses::of(self.facts.boot.slot, None);
                proof::forget_network(self.places);
                Health::Good
            }
            Err(error) => {
                note(&format!("the slot is good, but {error}"));
                let why = notice(&error.to_string());
                Health::Unconfirmed { why }
            }
        }
    }
}

/// The running version's store counts from now on. Asked until it is done: a relay that is being
/// started again does not hear it, and a start without this makes up for it.
fn tell_relay_that_it_proved_itself(relay: Client) {
    thread::spawn(move || {
        for _ in 0..PROVED_TOLD_MAX {
            match relay.ask(&control::Request::Proven) {
                Ok(control::Reply::Done) => return,
                Ok(other) => note(&format!("the relay does not take this store: {other:?}")),
                Err(error) => note(&format!("the relay does not answer: {error}")),
            }
            thread::sleep(PROVED_TOLD_EVERY);
        }
    });
}
