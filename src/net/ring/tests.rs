//! Rings on loopback.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use super::*;
use crate::net::buffer_ring::BUFFER_BYTES;

/// A ring with one listener on loopback.
fn ring() -> (Ring, SocketAddr, Waker) {
    let waker = Waker::new().unwrap();
    let mut ring = Ring::new(waker.clone(), 1_024).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    ring.listen(listener).unwrap();
    (ring, address, waker)
}

/// Echoes on every stream until `done`, at most 20 s.
fn echo_until(ring: &mut Ring, mut done: impl FnMut(&Completion) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut waiting: HashMap<StreamId, Vec<u8>> = HashMap::new();
    while Instant::now() < deadline {
        let mut completions = Vec::new();
        ring.wait(Duration::from_millis(100), &mut completions)
            .unwrap();
        for completion in completions {
            let finished = done(&completion);
            match completion {
                Completion::Accepted {
                    listener, stream, ..
                } => {
                    ring.receive(stream);
                    ring.accept(listener);
                }
                Completion::Received { stream, lent } => {
                    let bytes = lent.to_vec();
                    ring.give_back(lent);
                    waiting.entry(stream).or_default().extend(bytes);
                    if !ring.is_sending(stream) {
                        ring.send(stream, waiting.remove(&stream).unwrap());
                    }
                    ring.receive(stream);
                }
                Completion::Sent { stream, .. } => {
                    if let Some(more) = waiting.remove(&stream) {
                        ring.send(stream, more);
                    }
                }
                Completion::Ended { stream, .. } | Completion::SendFailed { stream, .. } => {
                    ring.close(stream);
                }
                Completion::Woken
                | Completion::AcceptFailed { .. }
                | Completion::TakenOver { .. }
                | Completion::Released { .. } => {}
            }
            if finished {
                return;
            }
        }
    }
    panic!("not done in time");
}

#[test]
fn megabytes_on_many_streams_come_back_unchanged() {
    let (mut ring, address, waker) = ring();
    let clients: Vec<_> = (0..20_u8)
        .map(|seed| {
            let waker = waker.clone();
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let sent: Vec<u8> = (0..500_000)
                    .map(|i: u32| seed ^ i.to_le_bytes()[0])
                    .collect();
                let mut writer = stream.try_clone().unwrap();
                let copy = sent.clone();
                let writing = std::thread::spawn(move || writer.write_all(&copy).unwrap());
                let mut back = vec![0; sent.len()];
                stream.read_exact(&mut back).unwrap();
                writing.join().unwrap();
                drop(stream);
                waker.wake();
                assert!(back == sent);
            })
        })
        .collect();
    let mut ended = 0;
    echo_until(&mut ring, |completion| {
        ended += usize::from(matches!(completion, Completion::Ended { .. }));
        ended == clients.len()
    });
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn a_stream_that_is_not_asked_to_receive_is_not_read() {
    let (mut ring, address, _) = ring();
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"hello").unwrap();
    let mut accepted = None;
    for _ in 0..5 {
        let mut completions = Vec::new();
        ring.wait(Duration::from_millis(20), &mut completions)
            .unwrap();
        for completion in completions {
            match completion {
                Completion::Accepted { stream, .. } => accepted = Some(stream),
                other => panic!("unasked for: {other:?}"),
            }
        }
    }
    ring.receive(accepted.unwrap());
    let mut completions = Vec::new();
    ring.wait(Duration::from_secs(5), &mut completions).unwrap();
    let Completion::Received { lent, .. } = completions.remove(0) else {
        panic!()
    };
    assert_eq!(&lent[..], b"hello");
    ring.give_back(lent);
}

#[test]
fn a_closed_stream_is_heard_of_no_more_and_its_slot_gets_a_new_generation() {
    let (mut ring, address, _) = ring();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let client = TcpStream::connect(address).unwrap();
        let mut completions = Vec::new();
        ring.wait(Duration::from_secs(5), &mut completions).unwrap();
        let Completion::Accepted { stream, .. } = completions.remove(0) else {
            panic!()
        };
        ring.receive(stream);
        ring.send(stream, vec![0; 10_000_000]);
        ring.close(stream);
        drop(client);
        for _ in 0..20 {
            ring.wait(Duration::from_millis(20), &mut completions)
                .unwrap();
        }
        assert!(completions.is_empty(), "{completions:?}");
        assert!(!ring.send(stream, vec![1]));
        streams.push(stream);
    }
    assert_eq!(streams[0].slot, streams[1].slot);
    assert_ne!(streams[0].generation, streams[1].generation);
}

#[test]
fn another_thread_ends_the_wait() {
    let (mut ring, _, waker) = ring();
    let waking = std::thread::spawn(move || waker.wake());
    let mut completions = Vec::new();
    ring.wait(Duration::from_secs(20), &mut completions)
        .unwrap();
    assert!(matches!(completions[..], [Completion::Woken]));
    waking.join().unwrap();
}

#[test]
fn a_ring_does_nothing_but_what_it_was_made_for() {
    let (mut ring, _, _) = ring();
    let mut file = [0_u8; 8];
    let root = std::fs::File::open("/").unwrap();
    let refused = [
        opcode::Nop::new().build(),
        opcode::OpenAt::new(Fd(root.as_raw_fd()), c".".as_ptr()).build(),
        opcode::Write::new(Fd(root.as_raw_fd()), file.as_ptr(), 8).build(),
        opcode::Socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).build(),
        opcode::Read::new(Fd(root.as_raw_fd()), file.as_mut_ptr(), 8)
            .build()
            .flags(squeue::Flags::IO_LINK),
    ];
    for submission in refused {
        ring.wait(Duration::ZERO, &mut Vec::new()).unwrap();
        let submission = submission.user_data(u64::MAX);
        // SAFETY: what it points to lives until the end of this test.
        unsafe { ring.uring.submission().push(&submission) }.unwrap();
        ring.uring.submit_and_wait(1).unwrap();
        let results: Vec<i32> = ring
            .uring
            .completion()
            .filter(|entry| entry.user_data() == u64::MAX)
            .map(|entry| entry.result())
            .collect();
        assert_eq!(results, [-libc::EACCES], "{submission:?}");
    }
    let refused = ring.uring.submitter().register_files(&[root.as_raw_fd()]);
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EACCES));
}

#[test]
fn who_queues_for_a_buffer_behind_silent_streams_is_heard_at_once() {
    let (mut ring, address, _) = ring();
    let queueing = 5 * usize::from(crate::net::buffer_ring::BUFFERS);
    let crowd = (0..queueing).map(|_| TcpStream::connect(address).unwrap());
    let mut crowd: Vec<TcpStream> = crowd.collect();
    let mut streams = Vec::new();
    let mut completions = Vec::new();
    let long = Duration::from_secs(20);
    while streams.len() < queueing {
        ring.wait(long, &mut completions).unwrap();
        for completion in completions.drain(..) {
            if let Completion::Accepted {
                listener, stream, ..
            } = completion
            {
                streams.push(stream);
                ring.accept(listener);
            }
        }
    }
    for client in &mut crowd {
        client.write_all(&[7]).unwrap();
    }
    for stream in streams {
        ring.receive(stream);
    }
    let began = Instant::now();
    let mut heard = 0;
    while heard < queueing + 1 {
        ring.wait(long, &mut completions).unwrap();
        for completion in completions.drain(..) {
            if let Completion::Received { stream, lent } = completion {
                heard += 1;
                ring.give_back(lent);
                // Everybody said one byte and is silent now, but for the last.
                ring.receive(stream);
                if heard == queueing {
                    crowd[queueing - 1].write_all(&[7]).unwrap();
                }
            }
        }
    }
    assert!(began.elapsed() < long, "it waited for the silent ones");
}

#[test]
fn streams_with_much_to_say_let_the_others_have_their_turn() {
    let (mut ring, address, _) = ring();
    // More of them than there are buffers.
    let talkative = usize::from(crate::net::buffer_ring::BUFFERS) + 20;
    let mut clients = Vec::new();
    let mut streams = Vec::new();
    while streams.len() < talkative {
        let mut client = TcpStream::connect(address).unwrap();
        // Something waits in every socket; ten buffers' worth follow as it takes them.
        client.write_all(&[7; 1_000]).unwrap();
        let mut writer = client.try_clone().unwrap();
        let writing = std::thread::spawn(move || {
            let _ = writer.write_all(&vec![7; 10 * BUFFER_BYTES as usize]);
        });
        clients.push((client, writing));
        let mut completions = Vec::new();
        ring.wait(Duration::from_secs(5), &mut completions).unwrap();
        for completion in completions {
            if let Completion::Accepted {
                listener, stream, ..
            } = completion
            {
                streams.push(stream);
                ring.accept(listener);
            }
        }
    }
    for stream in &streams {
        ring.receive(*stream);
    }
    let mut turns: HashMap<StreamId, u32> = HashMap::new();
    while turns.values().copied().max() < Some(4) {
        let mut completions = Vec::new();
        ring.wait(Duration::from_secs(5), &mut completions).unwrap();
        for completion in completions {
            if let Completion::Received { stream, lent } = completion {
                *turns.entry(stream).or_default() += 1;
                ring.give_back(lent);
                ring.receive(stream);
            }
        }
    }
    assert_eq!(turns.len(), talkative, "some were never read");
    for (client, writing) in clients {
        client.shutdown(std::net::Shutdown::Both).unwrap();
        writing.join().unwrap();
    }
}

#[test]
fn a_stream_that_is_closed_while_it_waits_for_a_buffer_gives_its_slot_back() {
    let (ring, stream) = waits_for_a_buffer(Ring::close);
    assert_eq!(ring.free, [stream.slot]);
}

#[test]
fn a_stream_that_is_halted_while_it_waits_for_a_buffer_keeps_its_slot() {
    let (mut ring, stream) = waits_for_a_buffer(Ring::halt);
    assert!(!ring.is_receiving(stream));
    assert!(ring.release(stream));
}

/// A stream to which `then` happens behind one that waits for a buffer.
fn waits_for_a_buffer(then: impl Fn(&mut Ring, StreamId)) -> (Ring, StreamId) {
    let (mut ring, address, _) = ring();
    let _client = TcpStream::connect(address).unwrap();
    let mut completions = Vec::new();
    ring.wait(Duration::from_secs(5), &mut completions).unwrap();
    let Completion::Accepted { stream, .. } = completions.remove(0) else {
        panic!()
    };
    ring.starved.push_back(StreamId {
        slot: u32::MAX,
        generation: 0,
    });
    ring.receive(stream);
    then(&mut ring, stream);
    ring.wait(Duration::from_millis(1), &mut completions)
        .unwrap();
    (ring, stream)
}

/// What `ring` reports until `pick` picks something, at most 20 s.
fn until<T>(ring: &mut Ring, mut pick: impl FnMut(&mut Ring, Completion) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let mut completions = Vec::new();
        ring.wait(Duration::from_millis(100), &mut completions)
            .unwrap();
        for completion in completions {
            if let Some(picked) = pick(ring, completion) {
                return picked;
            }
        }
    }
    panic!("not reported in time");
}

#[test]
fn a_stream_goes_on_in_another_ring_and_nothing_that_was_sent_meanwhile_is_lost() {
    let (mut old, address, _) = ring();
    let mut client = TcpStream::connect(address).unwrap();
    let stream = until(&mut old, |_, completion| match completion {
        Completion::Accepted { stream, .. } => Some(stream),
        _ => None,
    });
    old.receive(stream);
    client.write_all(b"before").unwrap();
    let heard = until(&mut old, |old, completion| match completion {
        Completion::Received { stream, lent } => {
            let heard = lent.to_vec();
            old.give_back(lent);
            old.receive(stream);
            Some(heard)
        }
        _ => None,
    });
    assert_eq!(heard, b"before");
    assert!(!old.release(stream), "the kernel receives still");
    old.deafen();
    old.halt(stream);
    while old.is_receiving(stream) {
        old.wait(Duration::from_millis(100), &mut Vec::new())
            .unwrap();
    }
    old.receive(stream);
    assert!(!old.is_receiving(stream), "it is halted");
    client.write_all(b"meanwhile").unwrap();
    assert!(old.release(stream));
    let socket = until(&mut old, |_, completion| match completion {
        Completion::Released { socket, .. } => Some(socket.unwrap()),
        _ => None,
    });
    assert_eq!(old.sockets(), 0);
    drop(old);

    let mut new = Ring::new(Waker::new().unwrap(), 1_024).unwrap();
    let stream = new.take_over(socket);
    until(&mut new, |_, completion| match completion {
        Completion::TakenOver { stream: it } => (it == stream).then_some(()),
        _ => None,
    });
    // None of the process's descriptors any more.
    let is_direct = |one: &mut Stream| matches!(one.socket, Socket::Direct(_));
    assert!(new.stream(stream).is_some_and(is_direct));
    new.receive(stream);
    let mut heard = Vec::new();
    echo_until(&mut new, |completion| {
        if let Completion::Received { lent, .. } = completion {
            heard.extend_from_slice(lent);
        }
        matches!(completion, Completion::Sent { .. }) && heard == b"meanwhile"
    });
    let mut back = [0; 9];
    client.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"meanwhile");
}

#[test]
fn a_ring_that_is_full_takes_no_stream_over_and_says_so() {
    let mut ring = Ring::new(Waker::new().unwrap(), 1).unwrap();
    let sockets = [(); 2].map(|()| std::os::unix::net::UnixStream::pair().unwrap());
    let [(first, _), (second, _)] = sockets;
    let first = ring.take_over(first.into());
    let second = ring.take_over(second.into());
    let (mut taken, mut refused) = (None, None);
    until(&mut ring, |_, completion| {
        match completion {
            Completion::TakenOver { stream } => taken = Some(stream),
            Completion::Ended { stream, error } => refused = error.map(|_| stream),
            _ => {}
        }
        (taken.is_some() && refused.is_some()).then_some(())
    });
    assert_eq!((taken, refused), (Some(first), Some(second)));
}
