//! The socket on which root asks about the machine.
//!
//! The folder keeps everybody else out, and so does the kernel's word on who connected. One task a
//! connection reads a request; the main loop answers, so that nothing happens twice at once.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use std::os::unix::fs::PermissionsExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::journal::note;
use crate::control::machine::{Reply, Request};
use crate::control::wire::{self, WireError};
use crate::domain::limits::{MACHINE_CONNECTIONS_MAX, MACHINE_REQUEST_WITHIN};

/// A request, and where its answer goes.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Reply>,
}

/// Listens at `path`, for root.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes requests as long as it runs.
pub(super) async fn serve(listener: UnixListener, ask: mpsc::Sender<Asked>) {
    let places = Arc::new(Semaphore::new(MACHINE_CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                note(&format!("machine socket: {error}"));
                tokio::time::sleep(MACHINE_REQUEST_WITHIN).await;
                continue;
            }
        };
        let ask = ask.clone();
        tokio::spawn(async move {
            if let Err(error) = answer(stream, &ask).await {
                note(&format!("machine socket: {error}"));
            }
            drop(place);
        });
    }
}

async fn answer(mut stream: UnixStream, ask: &mpsc::Sender<Asked>) -> Result<(), WireError> {
    let own = nix::unistd::geteuid().as_raw();
    let who = stream.peer_cred()?.uid();
    if who != own {
        let text = format!("user {who} may not ask");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text).into());
    }
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let request = timeout(MACHINE_REQUEST_WITHIN, read(&mut stream)).await;
    let Some(request) = request.map_err(late)?? else {
        return Ok(());
    };
    let (answer, answered) = oneshot::channel();
    let closed = |()| io::Error::from(io::ErrorKind::BrokenPipe);
    let asked = ask.send(Asked { request, answer }).await;
    asked.map_err(|_| closed(()))?;
    let reply = answered.await.map_err(|_| closed(()))?;
    let bytes = wire::encode(&reply)?;
    let written = timeout(MACHINE_REQUEST_WITHIN, stream.write_all(&bytes)).await;
    Ok(written.map_err(late)??)
}

/// `None` if whoever connected went away without a word.
async fn read(stream: &mut UnixStream) -> Result<Option<Request>, WireError> {
    let mut header = [0; 4];
    if stream.read(&mut header[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut header[1..]).await?;
    let mut body = vec![0; wire::body_bytes(header)?];
    stream.read_exact(&mut body).await?;
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::MachineClient;
    use crate::control::machine::notice;

    /// A socket behind which every request is refused by its name.
    async fn asked(with: impl FnOnce(&Path) -> Option<Reply> + Send + 'static) -> Option<Reply> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machine.sock");
        let listener = listen(&path).unwrap();
        let (ask, mut questions) = mpsc::channel::<Asked>(1);
        let server = tokio::spawn(serve(listener, ask));
        let echo = tokio::spawn(async move {
            while let Some(asked) = questions.recv().await {
                let why = notice(&format!("{:?}", asked.request));
                drop(asked.answer.send(Reply::Refused { why }));
            }
        });
        let reply = tokio::task::spawn_blocking(move || with(&path))
            .await
            .unwrap();
        server.abort();
        echo.abort();
        reply
    }

    #[tokio::test]
    async fn a_question_is_answered() {
        let reply = asked(|path| MachineClient::new(path).ask(&Request::Reboot).ok()).await;
        assert!(matches!(reply, Some(Reply::Refused { why }) if why == "Reboot"));
    }

    #[tokio::test]
    async fn nonsense_closes_its_connection_and_no_other() {
        let reply = asked(|path| {
            use std::io::Write as _;
            use std::os::unix::net::UnixStream;
            for nonsense in [&b"\xff\xff\xff\xff"[..], b"\0\0\0\x02{}", b""] {
                let mut stream = UnixStream::connect(path).unwrap();
                stream.write_all(nonsense).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                let answer = wire::read::<Reply>(&mut stream);
                assert!(!matches!(answer, Ok(Some(_))));
            }
            MachineClient::new(path).ask(&Request::Facts).ok()
        })
        .await;
        assert!(reply.is_some());
    }

    #[tokio::test]
    async fn the_socket_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machine.sock");
        for _ in 0..2 {
            drop(listen(&path).unwrap());
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
