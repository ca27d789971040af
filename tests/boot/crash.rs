//! An install that breaks off: at every write, in every way, judged by a reader that shares nothing
//! with the appliance's programs (`crash/`), and for some by a machine.

use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use jumpgate::boot::System;
use serde_json::Value;

use crate::nightly;
use crate::support::{
    Admin, BOOT, Course, Disk, Image, Machine, Progress, Recorded, Seed, Setup, Variant,
};

/// States of one install.
const STATES: usize = 5_000;
/// Of a disk that ignores flushes.
const STATES_OF_CONTROL: usize = 1_000;
/// Of them, really started.
const STATES_BOOTED: usize = 50;

/// Kills of the emulator.
const KILLS: usize = 200;
/// Of them, as many as one night has time for.
const KILLS_A_NIGHT: usize = 60;
/// In one story while the update comes in, and while the new version is on trial: it has three
/// tries, and has to prove itself in the last.
const KILLS_IN_A_STORY: [usize; 2] = [8, 2];
/// The same of the ordinary run, which has one story.
const KILLS_IN_SHORT: [usize; 2] = [2, 1];

/// One recording serves all tests of a run.
fn install() -> &'static Recorded {
    static INSTALL: OnceLock<Recorded> = OnceLock::new();
    INSTALL.get_or_init(|| Recorded::new(Course::Install))
}

/// Judges states of what was recorded, and the judge.
fn holds(recorded: &Recorded) {
    let seed = Seed::from_env_or_any();
    let judged = recorded.judge(seed, STATES, &[]);
    println!("{judged}");
    assert_eq!(judged.count("states"), STATES as u64);
    assert_eq!(judged.count("not_complete"), 0, "{judged}");
    assert_eq!(judged.count("half_visible"), 0, "{judged}");
    // It was an install: it began with one version and ended with the other.
    assert!(judged.count("old") > 0, "{judged}");
    assert!(judged.count("new") > 0, "{judged}");
    // And the judge would have seen it: no install survives a disk that forgets what it had promised.
    let forgetful = recorded.judge(seed, STATES_OF_CONTROL, &["--ignore-flushes"]);
    println!("negative control: {forgetful}");
    assert!(forgetful.count("not_complete") > 0, "{forgetful}");
    assert!(forgetful.count("half_visible") > 0, "{forgetful}");
}

#[test]
fn whatever_a_power_cut_leaves_of_an_install_holds_a_whole_slot_and_no_half_visible_trial() {
    holds(install());
}

#[test]
fn whatever_a_power_cut_leaves_of_a_first_update_and_its_trial_holds_a_whole_slot() {
    crate::only_nightly!();
    holds(&Recorded::new(Course::FirstUntilProved));
}

/// A version that runs: the slot's, of an image whose newer version is in the other slot.
fn runs(machine: &Machine<'_>) -> System {
    let version = Image::under_test().release("version");
    let old = machine.has_said(&format!("Slot a: version {version}"));
    let new = machine.has_said(&format!("Slot b: version {version}.newer"));
    assert!(old != new, "either one");
    assert!(!machine.has_said("Slot r:"));
    if new { System::B } else { System::A }
}

/// From the whole length of the install, and every fifth from its end, where it becomes startable.
fn booted(seed: Seed, number: usize) -> usize {
    let each = STATES / STATES_BOOTED;
    let within = |span: usize| usize::try_from(seed.draw(number, span as u64)).unwrap();
    match number % 5 {
        4 => STATES - 1 - within(2 * each),
        _ => number * each + within(each),
    }
}

#[test]
fn what_a_power_cut_leaves_of_an_install_starts_and_serves() {
    crate::only_nightly!();
    let install = install();
    let progress = Progress::of(install.note("booted"), STATES_BOOTED);
    while let Some((seed, number)) = progress.next() {
        let state = booted(seed, number);
        eprintln!("state {state}");
        let (disk, expected) = install.state(seed, STATES, state);
        let mut machine = Machine::start(&disk, &Setup::default());
        machine.serves();
        let system = runs(&machine);
        assert_eq!(system, expected, "judge and boot loader disagree");
        // It knows where its update stands, and takes orders.
        let admin = Admin::known();
        admin.sign_in(&machine);
        let status = admin.may_update(&machine);
        let phase = status["phase"]["phase"].as_str().unwrap();
        match system {
            System::A => assert_eq!(phase, "idle", "{status:#}"),
            System::B => drop(admin.proves(&machine)),
        }
        machine.unplug();
        progress.done(&format!("state {state}: slot {system}, {phase}"));
    }
}

#[test]
fn an_update_succeeds_where_a_power_cut_left_a_kernel_without_its_clusters() {
    let image = Image::under_test();
    let newer = Variant::new(&image, 1, |_| {});
    let disk = Disk::flashed(&image);
    let kernel = vec![7; 3 << 20];
    disk.write_without_clusters("jumpgate/b/kernel", &kernel);
    let mut machine = Machine::start(&disk, &Setup::default());
    let admin = Admin::set_up(&mut machine);
    machine.shows("Serving. ");
    installs_and_restarts(&admin, &machine, &newer.update());
    machine.says("Slot b: version");
    machine.serves();
}

#[test]
fn an_update_succeeds_after_the_emulator_was_killed_at_any_moment_of_it() {
    let image = Image::under_test();
    let newer = Variant::new(&image, 1, |_| {});
    let update = newer.update();
    if !nightly() {
        let moments = Moments::of(Seed::from_env_or_any(), 0, KILLS_IN_SHORT);
        story(&update, &moments);
        return;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("killed");
    let in_a_story = KILLS_IN_A_STORY.iter().sum();
    let progress = Progress::of(kept, KILLS.div_ceil(in_a_story));
    for _ in 0..KILLS_A_NIGHT.div_ceil(in_a_story) {
        let Some((seed, number)) = progress.next() else {
            break;
        };
        let moments = Moments::of(seed, number, KILLS_IN_A_STORY);
        let systems = story(&update, &moments);
        progress.done(&format!("{moments:?}: {systems}"));
    }
}

/// When the emulator is killed.
#[derive(Debug)]
struct Moments {
    /// Thousandths of an install.
    coming: Vec<u64>,
    /// A stage of the start, and milliseconds after it.
    starting: Vec<[u64; 2]>,
}

impl Moments {
    fn of(seed: Seed, story: usize, [coming, starting]: [usize; 2]) -> Self {
        let first = story * (coming + 2 * starting);
        let draw = |at: usize, below| seed.draw(first + at, below);
        let moments = Self {
            coming: (0..coming).map(|at| draw(at, 1_000)).collect(),
            starting: (0..starting)
                .map(|at| coming + 2 * at)
                .map(|at| [draw(at, 4), draw(at + 1, 8_000)])
                .collect(),
        };
        eprintln!("killed at {moments:?}");
        moments
    }
}

/// Killed while an update comes in, and while it is started; each time it serves again, and in the
/// end the update is there. Returns what ran after each.
fn story(update: &Path, moments: &Moments) -> String {
    let mut seen = Vec::new();
    let disk = Disk::flashed(&Image::under_test());
    let mut machine = Machine::start(&disk, &Setup::default());
    let admin = Admin::set_up(&mut machine);
    machine.shows("Serving. ");
    for &moment in &moments.coming {
        // On trial if it was marked before the kill.
        if runs(&machine) == System::B {
            break;
        }
        admin.may_update(&machine);
        let mut upload = admin.begin_install(&machine, update);
        admin.sees(&machine, BOOT, |status| thousandths(status) >= moment);
        machine = killed(machine, &disk, &admin);
        drop(upload.wait());
        seen.push(runs(&machine));
    }
    for &[stage, millis] in &moments.starting {
        if runs(&machine) == System::A {
            installs_and_restarts(&admin, &machine, update);
            match stage {
                0 => {}
                1 => machine.says_next("BdsDxe: starting"),
                2 => machine.says_next("Slot b: version"),
                _ => {
                    machine.says_next("Slot b: version");
                    machine.serves();
                }
            }
        }
        // This wait is what is tested, not a wait for anything.
        thread::sleep(Duration::from_millis(millis));
        machine = killed(machine, &disk, &admin);
        seen.push(runs(&machine));
    }
    if runs(&machine) == System::A {
        installs_and_restarts(&admin, &machine, update);
        machine.says_next("Slot b: version");
        machine.serves();
    }
    admin.proves(&machine);
    machine.unplug();
    let environment = disk.environment();
    assert!(environment.is_good(System::A) && environment.is_good(System::B));
    assert_eq!(environment.trial(), None);
    seen.iter().map(|system| system.letter()).collect()
}

fn installs_and_restarts(admin: &Admin, machine: &Machine<'_>, update: &Path) {
    admin.may_update(machine);
    let heard = admin.install(machine, update);
    assert_eq!(heard["done"], true, "{heard}");
    admin.restart(machine);
}

/// How far an install is: writing, then reading back, each a half.
fn thousandths(status: &Value) -> u64 {
    let phase = &status["phase"];
    let part = || 490 * phase["bytes"].as_u64().unwrap() / phase["of"].as_u64().unwrap().max(1);
    match phase["phase"].as_str() {
        Some("writing") => 10 + part(),
        Some("reading_back") => 500 + part(),
        Some("ready") => 1_000,
        _ => 0,
    }
}

/// The machine after a kill and another start. It serves, and one who signed in before can again.
fn killed<'disk>(machine: Machine<'_>, disk: &'disk Disk, admin: &Admin) -> Machine<'disk> {
    machine.kill();
    let mut machine = Machine::start(disk, &Setup::default());
    machine.serves();
    admin.sign_in(&machine);
    machine
}
