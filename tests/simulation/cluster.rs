//! Database servers that are made up: a log, replication that lags, and everything that can go wrong.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use routing_core::sql::Dialect;
use routing_core::{Answer, Ask, Connected, Failure, Probe, ProbeTicket};

use super::executor::{now, sleep, spawn};
use super::planted::Bug;

pub(crate) const NODES: usize = 3;

/// One write: whose, and which of his.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) client: usize,
    pub(crate) number: u64,
}

#[derive(Debug, Clone)]
struct Server {
    is_running: bool,
    /// Neither it nor anybody's connection to it moves before this time.
    frozen_until: u64,
    /// What the application sends does not arrive, nor is it refused.
    is_cut_off: bool,
    is_primary: bool,
    timeline: u32,
    /// A primary's log; what a standby has received.
    log: Vec<Entry>,
    /// How much of it can be read.
    replayed: usize,
    replay_paused_until: u64,
    /// How often it was started: connections are of one start.
    start: u64,
    /// Which start the application's pool is connected to.
    pool_start: u64,
    /// How much slower than others it answers.
    slowness: u64,
}

pub(crate) struct Cluster {
    servers: Vec<Server>,
    random: SmallRng,
    bug: Option<Bug>,
    /// Lost by the database: not received by who was promoted, or sent to who was not any more.
    pub(crate) lost: HashSet<Entry>,
    pub(crate) connections: [u64; NODES],
    pub(crate) promotions: u32,
    /// The highest timeline that a monitor has been told of.
    told_timeline: u32,
    is_healed: bool,
}

thread_local! {
    static CLUSTER: RefCell<Option<Arc<Mutex<Cluster>>>> = const { RefCell::new(None) };
}

/// The cluster of the schedule that runs on this thread.
pub(crate) fn with<T>(look: impl FnOnce(&mut Cluster) -> T) -> T {
    CLUSTER.with_borrow(|cluster| {
        let cluster = cluster.as_ref().expect("a schedule runs");
        let mut guard: MutexGuard<'_, Cluster> = cluster.lock().expect("one thread");
        look(&mut guard)
    })
}

pub(crate) fn install(seed: u64, bug: Option<Bug>) {
    let server = |index| Server {
        is_running: true,
        frozen_until: 0,
        is_cut_off: false,
        is_primary: index == 0,
        timeline: 1,
        log: Vec::new(),
        replayed: 0,
        replay_paused_until: 0,
        start: 1,
        pool_start: 0,
        slowness: 1,
    };
    CLUSTER.set(Some(Arc::new(Mutex::new(Cluster {
        servers: (0..NODES).map(server).collect(),
        random: SmallRng::seed_from_u64(seed ^ 0xc105),
        bug,
        lost: HashSet::new(),
        connections: [0; NODES],
        promotions: 0,
        told_timeline: 1,
        is_healed: false,
    }))));
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn later(random: &mut SmallRng, most_millis: u64) -> u64 {
    now() + random.random_range(1..=most_millis) * 1_000_000
}

impl Cluster {
    /// The primary that the operators mean: the one on the highest timeline.
    fn leader(&self) -> Option<usize> {
        let primaries = (0..NODES).filter(|&index| self.servers[index].is_primary);
        primaries.max_by_key(|&index| self.servers[index].timeline)
    }

    /// Whether a write to this server is one to a primary that has been superseded.
    pub(crate) fn is_superseded(&self, index: usize) -> bool {
        let newest = self.servers.iter().map(|server| server.timeline).max();
        Some(self.servers[index].timeline) < newest
    }

    /// Whether this server has been left behind by a timeline that a monitor has been told of.
    pub(crate) fn is_known_to_be_superseded(&self, index: usize) -> bool {
        self.servers[index].timeline < self.told_timeline
    }

    /// How often this server was started: a connection is to one start.
    pub(crate) fn start_of(&self, index: usize) -> u64 {
        self.servers[index].start
    }

    fn probe_answer(&self, index: usize) -> String {
        let server = &self.servers[index];
        let (role, at) = if server.is_primary {
            ("primary", server.log.len())
        } else {
            ("replica", server.replayed)
        };
        let timeline = match self.bug {
            Some(Bug::IgnoresTimelines) => 1,
            _ => server.timeline,
        };
        format!("{role} 7 {timeline} 0/{:X} 16777216", (at + 1) * 0x100)
    }

    fn replicate(&mut self) {
        let Some(leader) = self.leader() else { return };
        let source = self.servers[leader].clone();
        let mut moves: Vec<u64> = (0..NODES).map(|_| self.random.random_range(0..4)).collect();
        if self.is_healed {
            moves.fill(1_000);
        }
        for (index, moved) in moves.into_iter().enumerate() {
            let is_healed = self.is_healed;
            let server = &mut self.servers[index];
            let is_still = !server.is_running || server.frozen_until > now();
            if index == leader || server.is_primary || is_still {
                continue;
            }
            let moved = usize::try_from(moved).expect("a few");
            let follows = source.is_running && source.frozen_until <= now();
            if follows && server.timeline != source.timeline {
                if source.log.starts_with(&server.log) {
                    server.timeline = source.timeline;
                } else {
                    // It has what the new primary never had: it is rewound, and started anew.
                    let common = server
                        .log
                        .iter()
                        .zip(&source.log)
                        .take_while(|(one, other)| one == other)
                        .count();
                    server.log.truncate(common);
                    server.replayed = server.replayed.min(common);
                    server.timeline = source.timeline;
                    server.start += 1;
                }
            }
            if follows && server.timeline == source.timeline {
                let until = (server.log.len() + moved + 1).min(source.log.len());
                server.log = source.log[..until.max(server.log.len())].to_vec();
            }
            if server.replay_paused_until <= now() || is_healed {
                server.replayed = (server.replayed + moved).min(server.log.len());
            }
        }
    }

    fn restart(&mut self, index: usize) {
        let back = self.random.random_range(0..4);
        let server = &mut self.servers[index];
        if !server.is_running {
            server.is_running = true;
            server.start += 1;
            if !server.is_primary {
                // It opens where it is consistent, which may be before where it was.
                server.replayed = server.replayed.saturating_sub(back);
            }
        }
    }

    fn promote(&mut self) {
        let standbys = (0..NODES)
            .filter(|&index| !self.servers[index].is_primary && self.servers[index].is_running);
        let Some(best) = standbys
            .max_by_key(|&index| (self.servers[index].timeline, self.servers[index].log.len()))
        else {
            return;
        };
        let newest = self.servers.iter().map(|server| server.timeline).max();
        let kept: HashSet<_> = self.servers[best].log.iter().copied().collect();
        for server in &self.servers {
            let gone = server.log.iter().filter(|entry| !kept.contains(entry));
            self.lost.extend(gone);
        }
        let server = &mut self.servers[best];
        server.is_primary = true;
        server.replayed = server.log.len();
        server.timeline = newest.unwrap_or(1) + 1;
        self.promotions += 1;
    }

    /// One thing that goes wrong, or right again.
    fn disturb(&mut self) {
        let index = self.random.random_range(0..NODES);
        let until = later(&mut self.random, 3_000);
        match self.random.random_range(0..14) {
            0 | 1 => self.servers[index].is_running = false,
            2..=4 => self.restart(index),
            5 => self.servers[index].replay_paused_until = until,
            6 => self.servers[index].frozen_until = until,
            7 => self.servers[index].is_cut_off = true,
            8 | 9 => self.servers[index].is_cut_off = false,
            10 => self.servers[index].slowness = self.random.random_range(1..200),
            11 => {
                // All connections of the application's end.
                self.servers[index].start += 1;
            }
            12 => {
                // A primary that is gone is replaced, at times also one that is not.
                let leader = self.leader();
                let is_gone = leader.is_none_or(|leader| !self.servers[leader].is_running);
                if is_gone || self.random.random_range(0..4) == 0 {
                    self.promote();
                }
            }
            _ => {
                // Who was a primary comes back as a standby.
                let leader = self.leader();
                let server = &mut self.servers[index];
                if server.is_primary && leader != Some(index) {
                    server.is_primary = false;
                    server.start += 1;
                    server.replayed = server.log.len();
                }
            }
        }
    }

    /// Everything is right again: one primary, and the others follow.
    pub(crate) fn heal(&mut self) {
        self.is_healed = true;
        for index in 0..NODES {
            self.restart(index);
            self.servers[index].is_cut_off = false;
            self.servers[index].frozen_until = 0;
            self.servers[index].slowness = 1;
        }
        let leader = self.leader();
        for index in 0..NODES {
            if leader != Some(index) && self.servers[index].is_primary {
                self.servers[index].is_primary = false;
                self.servers[index].start += 1;
            }
        }
    }

    /// The log of the primary at the end.
    pub(crate) fn final_log(&self) -> Vec<Entry> {
        self.leader()
            .map(|leader| self.servers[leader].log.clone())
            .unwrap_or_default()
    }
}

/// Replicates, and disturbs for so long.
pub(crate) fn live(disturbances: u32) {
    spawn(async move {
        loop {
            with(Cluster::replicate);
            let pause = with(|cluster| cluster.random.random_range(1..12));
            sleep(millis(pause)).await;
        }
    });
    spawn(async move {
        for _ in 0..disturbances {
            let pause = with(|cluster| cluster.random.random_range(5..400));
            sleep(millis(pause)).await;
            if with(|cluster| cluster.is_healed) {
                return;
            }
            with(Cluster::disturb);
        }
    });
}

/// What a statement asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Statement {
    /// The last numbers of two clients.
    Read(usize, usize),
    Write(Entry),
}

/// The way to a server and back: it may be frozen, cut off, or gone by then.
async fn travel(index: usize) -> Result<(), Failure> {
    let delay = with(|cluster| {
        let slowness = cluster.servers[index].slowness;
        cluster.random.random_range(50..400) * slowness
    });
    sleep(Duration::from_micros(delay)).await;
    while with(|cluster| {
        let server = &cluster.servers[index];
        server.is_cut_off || server.is_running && server.frozen_until > now()
    }) {
        sleep(millis(20)).await;
    }
    if with(|cluster| cluster.servers[index].is_running) {
        Ok(())
    } else {
        Err(Failure::Lost)
    }
}

/// A pool may have no connection to spare, for longer than roles last.
pub(crate) async fn wait_in_pool() {
    let wait = with(|cluster| {
        let is_exhausted = cluster.random.random_bool(0.01);
        is_exhausted.then(|| cluster.random.random_range(1..4_000))
    });
    if let Some(wait) = wait {
        sleep(millis(wait)).await;
    }
}

/// Runs a statement over one of the application's connections.
pub(crate) async fn execute(
    index: usize,
    what: Statement,
    connected: Connected,
) -> Result<[u64; 2], Failure> {
    let start = with(|cluster| {
        let server = &mut cluster.servers[index];
        if !server.is_running {
            cluster.connections[index] += 1;
            server.pool_start = 0;
            return Err(Failure::Unreachable);
        }
        if server.pool_start != server.start {
            let was_connected = server.pool_start != 0;
            server.pool_start = server.start;
            cluster.connections[index] += 1;
            if was_connected {
                // A connection of the pool's from before.
                return Err(Failure::Lost);
            }
            connected.tell();
        }
        Ok(server.start)
    })?;
    travel(index).await?;
    let answer = with(|cluster| {
        if let Statement::Write(entry) = what
            && cluster.is_superseded(index)
        {
            // It takes it, and nobody will ever have it: whoever sends it there cannot know yet.
            cluster.lost.insert(entry);
        }
        let server = &mut cluster.servers[index];
        if server.start != start {
            return Err(Failure::Lost);
        }
        match what {
            Statement::Write(_) if !server.is_primary => Err(Failure::ReadOnly),
            Statement::Write(entry) => {
                server.log.push(entry);
                server.replayed = server.log.len();
                Ok([0, 0])
            }
            Statement::Read(one, two) => {
                let last = |client| {
                    let visible = server.log[..server.replayed].iter();
                    let of_client = visible.filter(|entry| entry.client == client);
                    of_client.map(|entry| entry.number).max().unwrap_or(0)
                };
                Ok([last(one), last(two)])
            }
        }
    })?;
    travel(index).await?;
    if with(|cluster| cluster.servers[index].start) == start {
        Ok(answer)
    } else {
        Err(Failure::Lost)
    }
}

/// Asks a server where it is.
#[derive(Default)]
pub(crate) struct Line {
    /// Which start of the server's it is connected to.
    start: Option<u64>,
}

impl Ask<usize> for Line {
    async fn ask(&mut self, ticket: &ProbeTicket<usize>) -> Answer {
        let index = *ticket.node().pool();
        if !with(|cluster| cluster.servers[index].is_running) {
            with(|cluster| cluster.connections[index] += 1);
            return Answer::Failed(Failure::Unreachable);
        }
        if let Err(failure) = travel(index).await {
            return Answer::Failed(failure);
        }
        let (answer, timeline, start) = with(|cluster| {
            let server = &cluster.servers[index];
            (cluster.probe_answer(index), server.timeline, server.start)
        });
        if *self.start.get_or_insert(start) != start {
            return Answer::Failed(Failure::Lost);
        }
        if let Err(failure) = travel(index).await {
            return Answer::Failed(failure);
        }
        with(|cluster| cluster.told_timeline = cluster.told_timeline.max(timeline));
        let probe = Probe::new(Dialect::Postgres, "").expect("it has positions");
        probe.read(ticket.role(), &answer).into()
    }
}
