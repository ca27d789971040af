//! The whole system in one thread: the real hub, the real exchanges (two or more, so that shells
//! cross from one to another), real links, the real customer's side; around them stand-ins for
//! what is not pure, and a clock that moves when told.
//!
//! ```text
//! customer ══ wire ══ exchange ─┐             ┌─ exchange ══ wire ══ console
//!      (agent, Pty)    (real)   └─ hub ─ store┘    (real)     (a model of the browser's)
//!                                  Jump Clients come by the same exchanges
//! ```
//!
//! `history` does random things and [`truth::Truth`] checks every effect of the hub meanwhile;
//! `scenarios` tell stories. `SIM_SEED=…` replays a failure, which prints its seed; `SIM_RUNS=…`
//! says how many histories to run.

#![allow(clippy::unwrap_used)]

mod console;
mod customer;
mod deeds;
mod history;
mod hostile;
mod machine;
mod random;
mod relay;
mod scenarios;
mod store;
mod stream;
mod truth;
mod wire;
mod world;

use crate::random::Seed;

/// Histories of one run of the tests; a night has thousands (`SIM_RUNS`).
const RUNS: u64 = 300;
/// Things people do in one history.
const DEEDS: usize = 160;

#[test]
fn whatever_happens_every_promise_is_kept() {
    if let Some(seed) = Seed::from_env() {
        return history::run(seed, DEEDS);
    }
    let runs = std::env::var("SIM_RUNS").map_or(RUNS, |text| text.parse().expect("a number"));
    let first = Seed::from_env_or_random().0;
    for run in 0..runs {
        history::run(Seed(first.wrapping_add(run)), DEEDS);
    }
}
