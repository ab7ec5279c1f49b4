//! What may stand between a node and its server: a line that is cut, a pool.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::server::Server;

/// Forwards each connection to the server. `is_cut` is asked of all that a client sends: what it
/// says yes to still reaches the server, and its answer nobody.
pub(super) fn proxy(is_cut: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let is_cut = Arc::new(is_cut);
    thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, is_cut) = (client.unwrap(), Arc::clone(&is_cut));
            let server = TcpStream::connect(("127.0.0.1", Server::shared().port())).unwrap();
            let (mut answers, mut to_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut answers, &mut to_client);
                let _ = to_client.shutdown(Shutdown::Both);
            });
            thread::spawn(move || forward(&mut client, server, &*is_cut));
        }
    });
    port
}

fn forward(client: &mut TcpStream, mut server: TcpStream, is_cut: &dyn Fn(&[u8]) -> bool) {
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let cut = is_cut(&buffer[..length]);
        if cut {
            client.shutdown(Shutdown::Both).unwrap();
        }
        if server.write_all(&buffer[..length]).is_err() || cut {
            break;
        }
    }
    // The server has to have read it before its end is closed.
    thread::sleep(Duration::from_millis(100));
    let _ = server.shutdown(Shutdown::Both);
}

/// What a pool in transaction mode does to a lock, no more: each client is given whichever backend is
/// free, here always another one than before, whenever it asks outside of a transaction.
pub(super) fn pool_between_transactions() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            thread::spawn(move || serve_pooled(client));
        }
    });
    port
}

/// Logs the client in on two backends, and sends what it asks to one after the other.
fn serve_pooled(mut client: TcpStream) {
    let mut startup = [0; 65_536];
    let length = client.read(&mut startup).unwrap();
    let mut backends: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut backend = TcpStream::connect(("127.0.0.1", Server::shared().port())).unwrap();
            backend.write_all(&startup[..length]).unwrap();
            backend
        })
        .collect();
    let greeting = until_ready(&mut backends[1]);
    until_ready(&mut backends[0]);
    client.write_all(&greeting).unwrap();
    let mut asked = [0; 65_536];
    let mut in_transaction = false;
    let mut turn = 0;
    while let Ok(length @ 1..) = client.read(&mut asked) {
        if !in_transaction {
            turn = 1 - turn;
        }
        let syncs = count_syncs(&asked[..length]);
        backends[turn].write_all(&asked[..length]).unwrap();
        for _ in 0..syncs {
            let answer = until_ready(&mut backends[turn]);
            in_transaction = answer.last() != Some(&b'I');
            if client.write_all(&answer).is_err() {
                return;
            }
        }
    }
}

/// Messages of the client that are answered with ReadyForQuery.
fn count_syncs(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let [kind, a, b, c, d, ..] = *bytes {
        count += usize::from(kind == b'S' || kind == b'Q');
        let length = u32::from_be_bytes([a, b, c, d]) as usize + 1;
        bytes = bytes.get(length..).unwrap_or_default();
    }
    count
}

/// Every message up to ReadyForQuery, whose last byte is the state of the transaction.
fn until_ready(backend: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut head = [0; 5];
        backend.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
        let mut body = vec![0; length];
        backend.read_exact(&mut body).unwrap();
        all.extend_from_slice(&head);
        all.extend_from_slice(&body);
        if head[0] == b'Z' {
            return all;
        }
    }
}
