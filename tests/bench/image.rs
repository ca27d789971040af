//! The firmware image: how long it takes to make and to boot, and how large it is.

use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::Bench;
use super::booted::{Admin, BOOT, Disk, Image, Machine, Setup, Variant, image::top, page};
use super::row::Row;

/// Composes unless `JUMPGATE_IMAGE` names an image, then boots a few times without virtualisation.
pub fn measure(bench: &Bench) -> Vec<Row> {
    let mut rows = Vec::new();
    if std::env::var_os("JUMPGATE_IMAGE").is_none() {
        rows.push(compose());
    }
    rows.extend(sizes());
    let starts: Vec<Start> = (0..bench.rounds(4)).map(|_| Start::measure()).collect();
    // The calmest one: neighbours only ever add.
    let best = starts
        .iter()
        .min_by(|one, two| one.page.total_cmp(&two.page))
        .unwrap();
    rows.extend([
        Row::below("image: power on to a page", "s", best.page, 25.0),
        Row::below(
            "image: the kernel's first line to a page",
            "s",
            best.page - best.kernel,
            10.0,
        ),
        Row::below("image: memory in use", "MiB", best.memory_mib, 128.0),
    ]);
    update();
    rows
}

/// Prints how long a whole update takes, and for how long of it no page is served: most of that is
/// the emulated machine's start, for which there is a limit above.
fn update() {
    let newer = Variant::new(&Image::under_test(), 1, |_| {});
    let file = newer.update();
    let disk = Disk::flashed(&Image::under_test());
    let mut machine = Machine::start(&disk, &Setup::default());
    let admin = Admin::set_up(&mut machine);
    machine.shows("Serving. ");
    admin.may_update(&machine);
    let began = Instant::now();
    let heard = admin.install(&machine, &file);
    assert_eq!(heard["done"], true, "{heard}");
    let ready = began.elapsed().as_secs_f64();
    admin.restart(&machine);
    let mut last = Instant::now();
    while page::get(machine.https(), "/").is_some_and(|(status, _)| status == 200) {
        last = Instant::now();
    }
    first_page(machine.https());
    let (outage, served) = (last.elapsed().as_secs_f64(), began.elapsed().as_secs_f64());
    admin.proves(&machine);
    eprintln!(
        "update: uploaded, written and read back {ready:.1} s, served by the new version {served:.1} s, \
         proved {:.1} s; no page for {outage:.1} s",
        began.elapsed().as_secs_f64()
    );
}

/// With its programs built and packages there, as `scripts/bench` leaves them.
fn compose() -> Row {
    let began = Instant::now();
    let mut build = Command::new(top().join("scripts/build-image"));
    let status = build.args(["--model", "b200"]).status().unwrap();
    assert!(status.success());
    Row::below("image: composed", "s", began.elapsed().as_secs_f64(), 60.0)
}

fn sizes() -> [Row; 2] {
    let image = Image::under_test();
    let mib = |name: &str| {
        let bytes = fs::metadata(image.file(&format!("slot/{name}")))
            .unwrap()
            .len();
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let bytes = bytes as f64;
        bytes / f64::from(1 << 20)
    };
    let all = ["root.img", "kernel", "initramfs", "slot.cfg", "BOOTX64.EFI"];
    [
        Row::below("image: root", "MiB", mib("root.img"), 48.0),
        Row::below(
            "image: all that an update carries",
            "MiB",
            all.iter().map(|name| mib(name)).sum(),
            64.0,
        ),
    ]
}

/// Waits for the start page. A connection that is begun before the machine has its address hangs for
/// seconds in QEMU's network; so another one is begun twice a second, and the first page counts.
fn first_page(port: u16) {
    let (tell, served) = mpsc::channel();
    let deadline = Instant::now() + BOOT;
    while Instant::now() < deadline {
        let tell = tell.clone();
        thread::spawn(move || {
            if let Some((200, _)) = page::get(port, "/") {
                let _ = tell.send(());
            }
        });
        if served.recv_timeout(Duration::from_millis(500)).is_ok() {
            return;
        }
    }
    panic!("no page within {BOOT:?}");
}

/// Seconds from power on.
struct Start {
    kernel: f64,
    page: f64,
    memory_mib: f64,
}

impl Start {
    fn measure() -> Self {
        let disk = Disk::flashed(&Image::under_test());
        let began = Instant::now();
        let mut machine = Machine::start(&disk, &Setup::default());
        machine.says("Slot a: version");
        let loader = began.elapsed().as_secs_f64();
        // Of the kernel's lines this is shown at any level, with the time since its first one.
        machine.says("watchdog did not stop!");
        let handed_over = began.elapsed().as_secs_f64();
        let since = machine.number_before("] watchdog: ");
        let kernel = handed_over - since;
        first_page(machine.https());
        let page = began.elapsed().as_secs_f64();
        machine.shows("Serving. ");
        machine.press("4");
        machine.until("the memory in use", BOOT, |machine| {
            machine.has_said("in use;").then_some(())
        });
        let memory_mib = machine.number_before("in use;");
        eprintln!(
            "power on to boot loader {loader:.1} s, to the kernel's first line {kernel:.1} s, to the \
             hand-over {handed_over:.1} s, to a page {page:.1} s"
        );
        Self {
            kernel,
            page,
            memory_mib,
        }
    }
}
