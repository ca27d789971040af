//! Figures of the release programs, each held against its limit.
//!
//! ```text
//! scripts/bench ─> bench ─┬─ start      scripts/run to the first page, and Ctrl-C
//!                         ├─ chat       representative to customer
//!                         ├─ terminal   Ctrl-C in the middle of output, the relay's memory
//!                         ├─ download   the customer client
//!                         ├─ update     the update agent's write phase and memory
//!                         ├─ relay      CPU of the relay for what passes through it, beside HAProxy's
//!                         ├─ fleet      memory and CPU for Jump Clients that are only connected
//!                         └─ image      the firmware image, with --image
//!                             each gives rows ─> a table, and JSON
//! ```
//!
//! Not tests: a busy machine makes figures worse without anything being wrong. Exit status 1 if a
//! row does not hold. Results are kept in README.md beside this file.

#![allow(clippy::unwrap_used)]
#![allow(
    clippy::duplicate_mod,
    reason = "the parts taken from the two folders of tests each bring ports and TLS"
)]

#[path = "../update/appliance.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod appliance;
mod bare;
#[path = "../boot/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use more of it")]
mod booted;
mod chat;
mod download;
mod image;
mod relay;
mod row;
#[path = "../update/server.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod server;
mod start;
#[path = "../scenario/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the stories use more of it")]
mod support;
mod terminal;
mod update;
#[path = "../update/vendor.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod vendor;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use row::Row;

/// Measures the release programs.
#[derive(Parser)]
#[command(name = "scripts/bench")]
struct Arguments {
    /// Also write the rows to this file, as a list of objects
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fewer rounds: a minute instead of some, and less sure
    #[arg(long)]
    quick: bool,
    /// Only the firmware image: how it is made, how it boots
    #[arg(long)]
    image: bool,
    /// Only this part
    #[arg(long, value_name = "PART", conflicts_with = "image")]
    only: Option<Part>,
    /// Be the update agent of the appliance in this folder
    #[arg(long, value_name = "DIR", hide = true)]
    agent: Option<PathBuf>,
    /// Move bytes to this port, and do nothing else
    #[arg(long, value_name = "PORT", hide = true)]
    plain_relay: Option<u16>,
    /// Draw what clients cost by their number to this file
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    svg: Option<PathBuf>,
    /// Where the programs are; beside this one's folder unless given
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// What is measured of the programs.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Part {
    Start,
    Chat,
    Terminal,
    Download,
    Update,
    Relay,
    Fleet,
}

impl Part {
    async fn measure(self, bench: &Bench) -> Vec<Row> {
        match self {
            Self::Start => start::measure(bench).await,
            Self::Chat => chat::measure(bench).await,
            Self::Terminal => terminal::measure(bench).await,
            Self::Download => download::measure(bench).await,
            Self::Update => update::measure(bench),
            Self::Relay => relay::measure(bench).await,
            Self::Fleet => relay::measure_idle(bench).await,
        }
    }
}

/// What every measurement is given.
struct Bench {
    programs: PathBuf,
    quick: bool,
    /// Where a drawing goes.
    svg: Option<PathBuf>,
}

impl Bench {
    /// As many rounds as there is time for.
    fn rounds(&self, rounds: usize) -> usize {
        if self.quick {
            rounds.div_ceil(4)
        } else {
            rounds
        }
    }
}

// One thread: handing over between threads of its own would count as the relay's time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(folder) = &arguments.agent {
        update::be_the_agent(folder);
        return ExitCode::SUCCESS;
    }
    if let Some(behind) = arguments.plain_relay {
        relay::be_plain(behind);
    }
    if let Some(part) = support::fleet::Part::asked() {
        part.be().await;
        return ExitCode::SUCCESS;
    }
    let own = std::env::current_exe().unwrap();
    let beside = own.parent().and_then(Path::parent).unwrap().to_owned();
    let bench = Bench {
        programs: arguments.programs.unwrap_or(beside),
        quick: arguments.quick,
        svg: arguments.svg,
    };
    warn_if_busy();
    let mut rows = Vec::new();
    if arguments.image {
        rows.extend(image::measure(&bench));
    } else {
        for part in Part::value_variants() {
            if arguments.only.is_none_or(|only| only == *part) {
                rows.extend(part.measure(&bench).await);
            }
        }
    }
    print!("{}", row::table(&rows));
    if let Some(path) = arguments.json {
        let json = serde_json::to_string_pretty(&rows).unwrap();
        if let Err(error) = std::fs::write(&path, json + "\n") {
            eprintln!("scripts/bench: cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if rows.iter().all(Row::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Neighbours are the usual reason why a figure does not hold.
fn warn_if_busy() {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = text.split(' ').next().and_then(|word| word.parse().ok());
    let load: f64 = load.unwrap_or(0.0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if load > 0.5 {
        eprintln!("Others keep this machine busy (load {load} on {cores} cores): figures suffer.");
    }
}
