//! What is needed to run servers beside the tests: an account, ports, and somebody who cleans up.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;

/// Who runs the servers, as they refuse to run as root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// `None` if this process is not root; else the account of that name, or nobody's.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let is_root = status.lines().any(|line| {
            line.strip_prefix("Uid:")
                .is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"))
        });
        if !is_root {
            return None;
        }
        let accounts = fs::read_to_string("/etc/passwd").expect("the accounts");
        let find = |wanted: &str| {
            accounts.lines().find_map(|line| {
                let fields: Vec<_> = line.split(':').collect();
                (fields[0] == wanted).then(|| Self {
                    uid: fields[2].parse().expect("a user id"),
                    gid: fields[3].parse().expect("a group id"),
                })
            })
        };
        Some(
            find(name)
                .or_else(|| find("nobody"))
                .expect("an account for the servers"),
        )
    }
}

/// Ports that were free a moment ago, and that nobody is given who asks for any: below those from which
/// the system takes the ports of outgoing connections.
pub(crate) fn free_ports() -> [u16; 3] {
    const FIRST: u32 = 16_000;
    const COUNT: u32 = 16_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);

    // Programs that run side by side begin at different places.
    let begin = std::process::id().wrapping_mul(211);
    [(); 3].map(|()| {
        let candidates = (0..COUNT).map(|_| {
            let next = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
            u16::try_from(FIRST + next % COUNT).expect("a port")
        });
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        candidates.into_iter().find(is_free).expect("a free port")
    })
}

/// A directory that the account owns.
pub(crate) fn home(prefix: &str, account: Option<Account>) -> PathBuf {
    let home = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir()
        .expect("a temporary directory")
        .keep();
    if let Some(account) = account {
        chown(&home, Some(account.uid), Some(account.gid)).expect("the directory is given away");
    }
    home
}

/// A command of the account's.
pub(crate) fn command(account: Option<Account>, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    if let Some(Account { uid, gid }) = account {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Sends a signal to processes, one or the other of which may have ended a moment ago.
pub(crate) fn send(account: Option<Account>, signal: &str, processes: &[u32]) {
    let mut kill = command(account, "kill");
    kill.arg(signal)
        .args(processes.iter().map(u32::to_string))
        .stderr(Stdio::null());
    kill.status().expect("kill");
}

/// The processes that a process has started itself.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let mut processes = processes();
    processes.retain(|process| process.parent == parent && !process.is_over);
    processes.iter().map(|process| process.id).collect()
}

/// Waits until these have ended, be it that nobody has asked for their remains.
pub(crate) fn until_over(ids: &[u32]) {
    let runs = |process: &Process| !process.is_over && ids.contains(&process.id);
    while processes().iter().any(runs) {
        thread::sleep(Duration::from_millis(5));
    }
}

struct Process {
    id: u32,
    parent: u32,
    is_over: bool,
}

fn processes() -> Vec<Process> {
    let listed = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid=,stat="])
        .output();
    let listed = listed.expect("ps; ./tests/run.sh installs it").stdout;
    let parse = |line: &str| {
        let mut fields = line.split_whitespace();
        Some(Process {
            id: fields.next()?.parse().ok()?,
            parent: fields.next()?.parse().ok()?,
            is_over: fields.next()?.starts_with('Z'),
        })
    };
    let listed = String::from_utf8_lossy(&listed);
    listed.lines().filter_map(parse).collect()
}

/// Connects until it is refused, and then for so long again and again; gives back all that was had.
pub(crate) async fn take_all<C, E>(
    lasts: Duration,
    connect: impl AsyncFn() -> Result<C, E>,
) -> Vec<C> {
    const AT_ONCE: usize = 8;
    let mut taken = Vec::new();
    loop {
        let many = join_all((0..AT_ONCE).map(|_| connect())).await;
        let is_full = many.iter().any(Result::is_err);
        taken.extend(many.into_iter().flatten());
        if is_full {
            break;
        }
    }
    let filling = async {
        loop {
            match connect().await {
                Ok(connection) => taken.push(connection),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    let _elapsed = tokio::time::timeout(lasts, filling).await;
    taken
}

/// Starts the process that runs a script when this one is gone; `$1` is the directory.
pub(crate) fn keep(home: &Path, account: Option<Account>, script: &str, argument: &Path) -> Child {
    let mut keeper = command(account, "sh");
    keeper
        .args(["-c", script, "keeper"])
        .arg(home)
        .arg(argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What interrupts the tests must not interrupt the cleaning.
        .process_group(0)
        .spawn()
        .expect("a keeper")
}
