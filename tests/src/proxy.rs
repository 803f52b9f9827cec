//! A way to a server that can be broken: delayed, cut, closed by half, or silent.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::clock::MovedClock;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a test has to know all of them")]
pub enum Way {
    /// It arrives.
    Open,
    /// It arrives, so much later.
    Slow(Duration),
    /// It does not arrive, nor is it refused; connections are taken, and nothing is said.
    Silent,
    /// Connections are closed as they are made.
    Refused,
}

#[derive(Debug, Clone, Copy)]
struct State {
    way: Way,
    /// Connections of before the last cut end.
    cuts: u64,
    /// Connections of before the last such cut are closed in one direction.
    half_cuts: u64,
}

/// A proxy in front of one server.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    accepted: Arc<AtomicU64>,
    /// The clock that each piece of an answer advances, and by how much.
    clock: Moved,
    /// One more reference for each connection that is open.
    open: Arc<()>,
}

impl Proxy {
    /// Starts one, for a server on this machine.
    ///
    /// # Panics
    ///
    /// If there is no port for it.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (state, states) = watch::channel(State {
            way: Way::Open,
            cuts: 0,
            half_cuts: 0,
        });
        let accepted = Arc::new(AtomicU64::new(0));
        let clock = Arc::new(Mutex::default());
        let open = Arc::new(());
        let (count, shared) = (Arc::clone(&accepted), Arc::downgrade(&open));
        let moved = Arc::clone(&clock);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let open = shared.upgrade();
                let connection = connect(client, target, states.clone(), Arc::clone(&moved));
                tokio::spawn(async move {
                    connection.await;
                    drop(open);
                });
            }
        });
        Self {
            port,
            state,
            accepted,
            clock,
            open,
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Changes what becomes of what is sent.
    pub fn set(&self, way: Way) {
        self.state.send_modify(|state| state.way = way);
    }

    /// Has each piece of an answer with rows take so long by a clock that is stopped: slow, whatever the
    /// machine is. A pool's ping takes none: on a busy machine its answer comes during the next read,
    /// perhaps of another node.
    pub fn takes(&self, by: Duration, clock: &Arc<MovedClock>) {
        *self.clock.lock().expect("no panic inside") = Some((Arc::clone(clock), by));
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Ends what the server says on all connections, and not what it is told.
    pub fn half_close(&self) {
        self.state.send_modify(|state| state.half_cuts += 1);
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        Arc::strong_count(&self.open) - 1
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

type Moved = Arc<Mutex<Option<(Arc<MovedClock>, Duration)>>>;

async fn connect(client: TcpStream, target: u16, mut states: watch::Receiver<State>, clock: Moved) {
    let begun = *states.borrow();
    if begun.way == Way::Refused {
        return;
    }
    let opened = states
        .wait_for(|state| state.way != Way::Silent || state.cuts > begun.cuts)
        .await;
    if opened.map_or(true, |state| state.cuts > begun.cuts) {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
        return;
    };
    let _small = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let cut = {
        let mut states = states.clone();
        async move {
            let _cut = states.wait_for(|state| state.cuts > begun.cuts).await;
        }
    };
    tokio::select! {
        () = cut => {}
        () = async {
            tokio::join!(
                pass(from_client, to_server, states.clone(), u64::MAX, None),
                pass(from_server, to_client, states.clone(), begun.half_cuts, Some(clock)),
            );
        } => {}
    }
}

/// PostgreSQL's answer to an empty query has 11 bytes, MySQL's to a ping as many.
const LONGEST_PONG: usize = 32;

/// Hands on what comes, until `half_cuts` are more than these.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut states: watch::Receiver<State>,
    half_cuts: u64,
    clock: Option<Moved>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let mut closing = states.clone();
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = closing.wait_for(|state| state.half_cuts > half_cuts) => Ok(0),
        };
        let Ok(count @ 1..) = read else { break };
        if count > LONGEST_PONG
            && let Some(clock) = &clock
            && let Some((clock, by)) = &*clock.lock().expect("no panic inside")
        {
            clock.advance(*by);
        }
        let way = states.borrow().way;
        if let Way::Slow(by) = way {
            tokio::time::sleep(by).await;
        }
        if states
            .wait_for(|state| state.way != Way::Silent)
            .await
            .is_err()
            || to.write_all(&buffer[..count]).await.is_err()
        {
            break;
        }
    }
    let _end = to.shutdown().await;
}
