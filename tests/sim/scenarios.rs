//! Stories from one side's view, each for every seed.

mod outages;
mod records;
mod rights;

use jumpgate::domain::ShellId;

use crate::deeds::Call;
use crate::random::Seed;
use crate::world::Sim;

/// A world and a session with both sides there.
fn joined() -> (Sim, Call) {
    let mut sim = Sim::new(Seed::from_env_or_random());
    let call = sim.joined_session();
    (sim, call)
}

/// And a shell.
fn with_shell() -> (Sim, Call, ShellId) {
    let (mut sim, call) = joined();
    let shell = sim.open_shell(call);
    (sim, call, shell)
}
