//! Updates from a USB stick, by the console's keys.

use crate::support::{Admin, Disk, Image, Machine, Setup, Stick, Variant};

#[test]
fn an_update_on_a_stick_is_installed_by_the_consoles_keys_also_if_it_is_pulled_out_meanwhile() {
    let disk = Disk::flashed(&Image::under_test());
    let newer = Variant::new(&Image::under_test(), 1, |_| {});
    let update = newer.update();
    let notes = update.with_file_name("notes.txt");
    std::fs::write(&notes, "not an update").unwrap();
    let stick = Stick::with(&[
        ("VERSION.UPDATE", &update),
        ("other.update", &notes),
        ("notes.txt", &notes),
    ]);
    let mut machine = Machine::start(&disk, &stick.plugged_in(Setup::default()));
    let admin = Admin::set_up(&mut machine);
    machine.shows("Serving. ");

    begin(&mut machine);
    machine.shows("is being written into the slot that does not run");
    Stick::pull_out(&mut machine);
    machine.shows("Put it back and choose the update again");
    Stick::put_back(&mut machine);
    machine.press("\r");
    machine.shows("broke off");
    machine.press("\r");
    chooses(&mut machine);
    machine.shows("is complete on the disk and ready");
    machine.press("2\r");
    machine.shows("The machine restarts into");
    machine.says("Slot b: version");
    machine.serves();

    machine.shows("Serving. ");
    machine.press("9");
    let screen = machine.shows("proved itself");
    assert!(screen.contains("Slot B"), "{screen}");
    let history = &admin.status(&machine)["history"];
    let ready = history.as_array().unwrap().iter();
    let ready = ready.filter(|happened| happened["what"] == "ready");
    assert!(
        ready.clone().count() == 1 && ready.clone().all(|it| it["who"]["way"] == "stick"),
        "{history:#}"
    );
}

/// From the first screen to the question and past it.
fn begin(machine: &mut Machine<'_>) {
    machine.press("9");
    machine.shows("Nothing is on its way.");
    machine.press("\r");
    chooses(machine);
}

/// In front of the list, whose first entry is the newest version.
fn chooses(machine: &mut Machine<'_>) {
    let screen = machine.shows(".newer newer VERSION.UPDATE <");
    assert!(
        screen.contains("no update for this appliance other.update"),
        "{screen}"
    );
    for unfit in ["plain", "link", "short"] {
        let words = format!("no update for this appliance {unfit}.update");
        assert!(screen.contains(&words), "{screen}");
    }
    assert!(!screen.contains("notes.txt"), "{screen}");
    machine.press("\r");
    machine.shows("> 1 No, go back <");
    machine.press("2\r");
}
