//! What people do in the simulated world, and what has to be so once it is quiet.

use std::time::Duration;

use jumpgate::domain::entry::What;
use jumpgate::domain::{AccountId, SessionId, ShellId};
use jumpgate::link::message::{FromConsole, Status};
use jumpgate::relay::hub::event::Tap;

use crate::console::Terminal;
use crate::customer::{Pty, chats};
use crate::store::ACTIVE_MAX;
use crate::world::{Sim, Who};

pub const OWNER: AccountId = AccountId(1);
pub const OTHER: AccountId = AccountId(2);

/// A session with both sides there.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub customer: usize,
    pub console: usize,
    pub session: SessionId,
}

impl Call {
    pub fn endpoint(self) -> Who {
        Who::Customer(self.customer)
    }

    pub fn representative(self) -> Who {
        Who::Console(self.console)
    }
}

impl Sim {
    /// A console that is signed in and connected.
    pub fn console_up(&mut self, account: AccountId) -> usize {
        let sign_in = u8::try_from(self.consoles.len() + 1).unwrap();
        let console = self.add_console(account, sign_in);
        self.run_until_idle();
        assert!(self.consoles[console].is_up());
        console
    }

    /// The digits of a new key.
    pub fn key_of(&mut self, console: usize, seconds: u32) -> String {
        self.consoles[console].create_key(seconds);
        self.flush_console(console);
        self.run_until_idle();
        self.consoles[console]
            .keys
            .last()
            .expect("a key was made")
            .0
            .clone()
    }

    /// A customer waits in the queue of `console`.
    pub fn waiting_session(&mut self, console: usize) -> Call {
        let key = self.key_of(console, 600);
        let customer = self.add_customer(&key);
        self.run_until_idle();
        Call {
            customer,
            console,
            session: self.customers[customer].session.expect("let in"),
        }
    }

    /// Both sides joined.
    pub fn joined_session(&mut self) -> Call {
        let console = self.console_up(OWNER);
        let call = self.waiting_session(console);
        self.accept(call);
        call
    }

    pub fn accept(&mut self, call: Call) {
        self.say(
            call,
            &FromConsole::Accept {
                session: call.session,
            },
        );
        assert_eq!(self.status(call), Some(Status::InProgress));
    }

    /// The representative says something, and it is heard.
    pub fn say(&mut self, call: Call, message: &FromConsole) {
        self.tell(call.console, message);
        self.run_until_idle();
    }

    pub fn tell(&mut self, console: usize, message: &FromConsole) {
        self.consoles[console].say(message);
        self.flush_console(console);
    }

    /// Asks for a shell, and the customer allows it if that is needed.
    pub fn open_shell(&mut self, call: Call) -> ShellId {
        self.ask_for_shell(call);
        if self.customers[call.customer].is_asked {
            self.answer(call, true);
        }
        let tab = &self.consoles[call.console].tabs[&call.session];
        *tab.terminals.keys().last().expect("a shell opened")
    }

    pub fn ask_for_shell(&mut self, call: Call) {
        let (columns, rows) = (80, 24);
        let session = call.session;
        self.say(
            call,
            &FromConsole::OpenShell {
                session,
                columns,
                rows,
            },
        );
    }

    pub fn answer(&mut self, call: Call, allow: bool) {
        self.customers[call.customer].answer(allow, self.now);
        self.flush_customer(call.customer);
        self.run_until_idle();
    }

    pub fn status(&self, call: Call) -> Option<Status> {
        let tab = self.consoles[call.console].tabs.get(&call.session);
        tab.map(|tab| tab.status)
    }

    pub fn pty(&mut self, call: Call, shell: ShellId) -> &mut Pty {
        self.customers[call.customer]
            .ptys
            .get_mut(&shell)
            .expect("the shell runs")
    }

    pub fn terminal(&mut self, call: Call, shell: ShellId) -> &mut Terminal {
        let session = call.session;
        self.consoles[call.console].terminal(Tap { session, shell })
    }

    pub fn type_into(&mut self, call: Call, shell: ShellId, most: usize) {
        let session = call.session;
        self.consoles[call.console].type_into(Tap { session, shell }, most);
        self.flush_console(call.console);
    }

    /// What the customer's log says was done.
    pub fn log_of(&self, call: Call) -> Vec<&What> {
        let log = &self.customers[call.customer].log;
        log.iter().map(|entry| &entry.what).collect()
    }

    /// Every account's console that is connected, and is the one the relay knows.
    pub fn console_of(&self, account: AccountId) -> Option<usize> {
        self.consoles.iter().position(|console| {
            console.account == account && console.is_up() && console.peer.is_some()
        })
    }

    /// Everything is whole again, everybody reads, and all that was sent has arrived.
    pub fn check_all_arrived(&mut self) {
        self.heal();
        for console in &mut self.consoles {
            for tab in console.tabs.values_mut() {
                tab.terminals
                    .values_mut()
                    .for_each(|terminal| terminal.shows = true);
            }
        }
        for customer in &mut self.customers {
            customer.ptys.values_mut().for_each(|pty| pty.reads = true);
        }
        self.advance(Duration::from_secs(4));
        for account in [OWNER, OTHER] {
            if self.console_of(account).is_none() {
                self.add_console(account, 200);
            }
        }
        self.advance(Duration::from_secs(12));
        self.forget_wires();
        assert!(
            self.relay.is_idle(),
            "something still waits inside the relay"
        );
        for (peer, wire) in &self.relay.wires {
            assert!(
                !wire.has_down() && !wire.is_sending(),
                "{peer:?} has not read everything"
            );
            assert!(!wire.has_up(), "{peer:?} was not read");
        }
        self.check_machines();
        for index in 0..self.customers.len() {
            self.check_customer(index);
        }
        for index in 0..self.consoles.len() {
            self.check_console(index);
        }
    }

    /// As many as may be connected are, and nobody else believes to be.
    fn check_machines(&self) {
        let welcome = self.machines.iter().filter(|machine| !machine.is_refused);
        let most = usize::try_from(ACTIVE_MAX).unwrap();
        let are_in = self.machines.iter().filter(|machine| machine.is_in).count();
        assert_eq!(are_in, welcome.count().min(most), "machines let in");
    }

    fn check_customer(&self, index: usize) {
        let customer = &self.customers[index];
        let Some(session) = customer.session else {
            return;
        };
        let saved = &self.relay.store.sessions[&session];
        if saved.ended || customer.over.is_some() {
            assert!(
                customer.ptys.is_empty(),
                "{}: a shell survives its session",
                customer.name
            );
            return;
        }
        assert!(
            customer.peer.is_some(),
            "{} is not connected",
            customer.name
        );
        assert_eq!(
            customer.log, saved.entries,
            "{} has another log",
            customer.name
        );
        if self.restarts == 0 {
            let logged = chats(&customer.log);
            for text in &customer.chats {
                assert!(
                    logged.contains(&text.as_str()),
                    "{}: '{text}' is lost",
                    customer.name
                );
            }
        }
        if !saved.record.accepted {
            assert!(
                customer.ptys.is_empty(),
                "{}: a shell survives hold",
                customer.name
            );
        }
        let Some(console) = self.console_of(saved.record.owner) else {
            panic!("no console of {:?} is connected", saved.record.owner);
        };
        for (shell, pty) in &customer.ptys {
            let tap = Tap {
                session,
                shell: *shell,
            };
            let tab = &self.consoles[console].tabs[&session];
            let terminal = tab.terminals.get(shell);
            let terminal = terminal.unwrap_or_else(|| panic!("{tap:?} has no terminal"));
            assert!(terminal.channel.is_some(), "{tap:?} is not joined");
            assert_eq!(pty.to_make, 0, "{tap:?} cannot say everything");
            assert_eq!(terminal.shown, pty.made, "{tap:?}: output is missing");
            assert_eq!(pty.taken, terminal.typed, "{tap:?}: input is missing");
        }
    }

    fn check_console(&self, index: usize) {
        let console = &self.consoles[index];
        if !console.is_up() {
            return;
        }
        for (session, tab) in &console.tabs {
            let saved = &self.relay.store.sessions[session];
            assert!(!saved.ended, "{}: {session} is over", console.name);
            let accepted = tab.status != Status::Waiting;
            assert_eq!(
                accepted, saved.record.accepted,
                "{}: {session}",
                console.name
            );
            if !accepted {
                continue;
            }
            assert!(
                saved.entries.ends_with(&tab.log),
                "{}: another log of {session}",
                console.name
            );
            assert!(!tab.log.is_empty());
            for (shell, _) in tab.terminals.iter().filter(|(_, t)| !t.over) {
                let runs = self.customers.iter().any(|customer| {
                    customer.session == Some(*session) && customer.ptys.contains_key(shell)
                });
                // Its customer left into a dead connection: the relay still waits.
                let waits = tab.status == Status::CustomerAbsent;
                let (id, name) = (shell.0, &console.name);
                assert!(
                    runs || waits,
                    "{name}: shell {id} of {session} is shown, but over"
                );
            }
        }
        let theirs = self.relay.truth.living();
        let theirs = theirs
            .iter()
            .filter(|session| self.relay.truth.owner(**session) == Some(console.account));
        assert_eq!(
            theirs.count(),
            console.tabs.len(),
            "{}: sessions missing",
            console.name
        );
    }
}
