//! An install that breaks off: at every write, in every way, judged by a reader that shares nothing
//! with the appliance's programs (`crash/`), and for some by a machine.

use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use jumpgate::boot::System;

use crate::nightly;
use crate::support::{
    Admin, Course, Disk, Image, Machine, Progress, Recorded, Seed, Setup, Variant,
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
/// In one story; the ordinary run has one.
const KILLS_IN_A_STORY: usize = 3;
/// From the upload's first byte to a version that is ready, with some room.
const UPLOAD: Duration = Duration::from_secs(30);
/// From the order to restart to a version that proved itself, with some room.
const RESTART: Duration = Duration::from_secs(90);

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
fn an_update_succeeds_after_the_emulator_was_killed_at_any_moment_of_it() {
    let image = Image::under_test();
    let newer = Variant::new(&image, 1, |_| {});
    let update = newer.update();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("killed");
    let progress = Progress::of(kept, KILLS.div_ceil(KILLS_IN_A_STORY));
    let stories = if nightly() {
        KILLS_A_NIGHT / KILLS_IN_A_STORY
    } else {
        1
    };
    for _ in 0..stories {
        let Some((seed, number)) = progress.next() else {
            break;
        };
        let moment = |kill: usize, span: Duration| {
            let most = u64::try_from(span.as_millis()).unwrap();
            Duration::from_millis(seed.draw(number * KILLS_IN_A_STORY + kill, most))
        };
        let moments = [moment(0, UPLOAD), moment(1, UPLOAD), moment(2, RESTART)];
        eprintln!("killed after {moments:?}");
        let systems = story(&update, moments);
        progress.done(&format!("{moments:?}: {systems}"));
    }
}

/// Killed twice while an update comes in, and once while it is started; each time it serves again,
/// and in the end the update is there. Returns how that went.
fn story(update: &Path, moments: [Duration; KILLS_IN_A_STORY]) -> String {
    let [first, second, restart] = moments;
    let mut seen = Vec::new();
    let disk = Disk::flashed(&Image::under_test());
    let mut machine = Machine::start(&disk, &Setup::default());
    let admin = Admin::set_up(&mut machine);
    machine.shows("Serving. ");
    for moment in [first, second] {
        admin.may_update(&machine);
        let mut upload = admin.begin_install(&machine, update);
        // This wait, and the one below, is what is tested, not a wait for anything.
        thread::sleep(moment);
        machine = killed(machine, &disk, &admin);
        drop(upload.wait());
        let system = runs(&machine);
        seen.push(system);
        // It was marked to be tried before the kill.
        if system == System::B {
            break;
        }
    }
    if runs(&machine) == System::A {
        admin.may_update(&machine);
        let heard = admin.install(&machine, update);
        assert_eq!(heard["done"], true, "{heard}");
        admin.restart(&machine);
    }
    thread::sleep(restart);
    machine = killed(machine, &disk, &admin);
    seen.push(runs(&machine));
    if runs(&machine) == System::A {
        admin.may_update(&machine);
        let heard = admin.install(&machine, update);
        assert_eq!(heard["done"], true, "{heard}");
        admin.restart(&machine);
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

/// The machine after a kill and another start. It serves, and one who signed in before can again.
fn killed<'disk>(machine: Machine<'_>, disk: &'disk Disk, admin: &Admin) -> Machine<'disk> {
    machine.kill();
    let mut machine = Machine::start(disk, &Setup::default());
    machine.serves();
    admin.sign_in(&machine);
    machine
}
