use super::*;

const ID: ShellId = ShellId(1);

fn user() -> User {
    User {
        name: "somebody".to_owned(),
        home: Some("/".into()),
        shell: None,
    }
}

fn start(script: &str) -> (Shell, mpsc::Receiver<ShellEvent>) {
    let (sender, events) = mpsc::channel(16);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    let shell = Shell::start_command(ID, command, 80, 24, &user(), &sender).unwrap();
    (shell, events)
}

/// Output until the shell ends or `wanted` shows.
async fn output_until(events: &mut mpsc::Receiver<ShellEvent>, wanted: &str) -> String {
    let mut output = Vec::new();
    let read = async {
        while let Some(event) = events.recv().await {
            match event {
                ShellEvent::Output(_, bytes) => output.extend(bytes),
                ShellEvent::Took(..) => {}
                ShellEvent::Ended(_) => break,
            }
            if String::from_utf8_lossy(&output).contains(wanted) {
                break;
            }
        }
    };
    timeout(Duration::from_secs(20), read)
        .await
        .unwrap_or_else(|_| panic!("no {wanted:?}"));
    String::from_utf8_lossy(&output).into_owned()
}

fn is_running(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_shell_answers_what_is_typed_and_knows_its_size() {
    let (sender, mut events) = mpsc::channel(16);
    let shell = Shell::start(ID, 91, 33, &user(), &sender).unwrap();
    shell.set_limit(1 << 20);
    shell.input(b"stty size; echo $((6 * 7)) tty=$(tty | cut -c1-8)\n");
    let output = output_until(&mut events, "tty=/dev/pts").await;
    assert!(output.contains("33 91"), "{output}");
    assert!(output.contains("42 tty"), "{output}");
    shell.resize(100, 40);
    shell.input(b"stty size\n");
    output_until(&mut events, "40 100").await;
    shell.input(b"exit\n");
    output_until(&mut events, "\0never").await;
}

#[tokio::test]
async fn every_byte_comes_before_the_end_however_slowly_it_is_taken() {
    let (shell, mut events) = start("seq 1 20000");
    let (mut output, mut limit) = (Vec::new(), 0);
    loop {
        limit += 10_000;
        shell.set_limit(limit);
        let event = timeout(Duration::from_secs(20), events.recv()).await;
        match event.unwrap().unwrap() {
            ShellEvent::Output(_, bytes) => output.extend(bytes),
            ShellEvent::Took(..) => {}
            ShellEvent::Ended(_) => break,
        }
        assert!(output.len() as u64 <= limit);
    }
    let output = String::from_utf8(output).unwrap();
    let mut lines = output.split("\r\n");
    for number in 1..=20_000 {
        assert_eq!(lines.next(), Some(number.to_string().as_str()));
    }
    assert_eq!(lines.collect::<Vec<_>>(), [""]);
}

#[tokio::test]
async fn nothing_is_read_without_room() {
    let (shell, mut events) = start("echo hello; sleep 100");
    assert!(
        timeout(Duration::from_millis(300), events.recv())
            .await
            .is_err()
    );
    shell.set_limit(3);
    assert_eq!(
        events.recv().await,
        Some(ShellEvent::Output(ID, b"hel".to_vec()))
    );
    shell.close().await.unwrap();
}

#[tokio::test]
async fn a_job_left_behind_does_not_keep_a_shell_from_ending() {
    let (shell, mut events) = start("sleep 100 & echo pid=$!.");
    shell.set_limit(1 << 20);
    let output = output_until(&mut events, "\0never").await;
    let pid = output.split(['=', '.']).nth(1).unwrap().parse().unwrap();
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

#[tokio::test]
async fn closing_ends_everything_in_the_terminal_even_what_ignores_it() {
    let script = "trap '' HUP TERM; (trap '' HUP; sleep 100) & echo pid=$!.; sleep 100; sleep 100";
    let (shell, mut events) = start(script);
    shell.set_limit(1 << 20);
    let output = output_until(&mut events, ".").await;
    let pid: i32 = output.split(['=', '.']).nth(1).unwrap().parse().unwrap();
    assert!(is_running(pid));
    timeout(Duration::from_secs(5), shell.close())
        .await
        .expect("a bounded wait")
        .unwrap();
    // Killed, and its parent is gone: whoever reaps orphans here does so in a moment.
    for _ in 0..100 {
        if !is_running(pid) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("process {pid} still runs");
}

#[test]
fn the_preferred_shell_that_exists_is_chosen() {
    let user = User {
        shell: Some("/usr/sbin/nologin".into()),
        ..user()
    };
    let exists = |path: &Path| {
        ["/bin/sh", "/usr/bin/fish", "/opt/mine", "/usr/sbin/nologin"]
            .iter()
            .any(|known| Path::new(known) == path)
    };
    let chosen = |wanted: Option<&str>| choose(wanted.map(PathBuf::from), &user, exists);
    assert_eq!(chosen(Some("/opt/mine")), Some("/opt/mine".into()));
    assert_eq!(chosen(Some("/bin/false")), Some("/bin/sh".into()));
    assert_eq!(chosen(None), Some("/bin/sh".into()));
    assert_eq!(choose(None, &user, |_| false), None);
}

#[test]
fn a_session_is_read_whatever_the_program_is_called() {
    assert_eq!(session_of("12 (a) b) (c) S 1 12 7 0 -1"), Some(7));
    assert_eq!(session_of("nonsense"), None);
}
