//! What is needed to run servers beside the tests: an account, ports, and somebody who cleans up.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::chown;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

use crate::wait::until_blocking;

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

/// Ports that no other test is given for as long as this lives, of whatever process.
///
/// They lie below those from which the system takes the ports of outgoing connections.
#[derive(Debug)]
pub(crate) struct Ports<const N: usize> {
    pub(crate) numbers: [u16; N],
    /// A name that only one process can have at a time, for each: the servers take no port that they
    /// are not told.
    _reserved: [UnixListener; N],
}

impl<const N: usize> Ports<N> {
    /// Reserves some.
    pub(crate) fn reserve() -> Self {
        const FIRST: u32 = 16_000;
        const COUNT: u32 = 16_000;
        static NEXT: AtomicU32 = AtomicU32::new(0);

        // Programs that run side by side begin at different places.
        let begin = std::process::id().wrapping_mul(211);
        let mut candidates = (0..COUNT).map(|_| {
            let next = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
            u16::try_from(FIRST + next % COUNT).expect("a port")
        });
        let mut numbers = [0; N];
        let reserved = std::array::from_fn(|place| {
            let mut free = candidates.by_ref().filter_map(|port| {
                let name = SocketAddr::from_abstract_name(format!("routing-port-{port}"));
                let reserved = UnixListener::bind_addr(&name.ok()?).ok()?;
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
                Some((port, reserved))
            });
            let (port, reserved) = free.next().expect("a free port");
            numbers[place] = port;
            reserved
        });
        Self {
            numbers,
            _reserved: reserved,
        }
    }
}

/// The directory of this name that is made once in a run, and copied by each test that needs one.
///
/// A run of several processes says where by `ROUTING_TEMPLATES`; a process of its own has its own.
pub(crate) fn template(name: &str, account: Option<Account>, make: impl FnOnce(&Path)) -> PathBuf {
    static OWN: LazyLock<PathBuf> = LazyLock::new(|| {
        let own = home("routing-templates-", None);
        let remove = r#"cat > /dev/null; rm -rf "$1""#;
        // It removes the directory at the end of this process.
        Box::leak(Box::new(keep(&own, None, remove)));
        own
    });
    let given = std::env::var_os("ROUTING_TEMPLATES").map(PathBuf::from);
    let templates = given.unwrap_or_else(|| OWN.clone());
    let lock = fs::File::create(templates.join(format!("{name}.lock")));
    let lock = lock.expect("a directory for templates");
    lock.lock().expect("the turn of this process");
    let template = templates.join(name);
    if !template.exists() {
        let unfinished = templates.join(format!("{name}.unfinished"));
        let _none = fs::remove_dir_all(&unfinished);
        make(&directory(unfinished.clone(), account).join(DATA));
        fs::rename(&unfinished, &template).expect("the template is finished");
    }
    template.join(DATA)
}

/// Where the data are in a template, which has a server's log beside them.
const DATA: &str = "data";

/// Copies a directory, whose owners stay as they are.
pub(crate) fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(
        copied.expect("cp").success(),
        "{from:?} is copied to {to:?}"
    );
}

/// A directory that the account owns.
pub(crate) fn home(prefix: &str, account: Option<Account>) -> PathBuf {
    let home = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir()
        .expect("a temporary directory")
        .keep();
    directory(home, account)
}

/// The same of this path.
pub(crate) fn directory(path: PathBuf, account: Option<Account>) -> PathBuf {
    fs::create_dir_all(&path).expect("a directory");
    if let Some(account) = account {
        chown(&path, Some(account.uid), Some(account.gid)).expect("it is given away");
    }
    path
}

/// Writes a file that the account owns.
pub(crate) fn write(path: &Path, content: &str, account: Option<Account>) {
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if let Some(account) = account {
        chown(path, Some(account.uid), Some(account.gid)).expect("it is given away");
    }
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
    until_blocking("processes have ended", || !processes().iter().any(runs));
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

/// The end of a log, for who asks why a test has failed.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 25;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    format!("{}, its end:\n{}", log.display(), last.join("\n"))
}

/// Starts the process that runs a script when this one is gone; `$1` is the directory.
pub(crate) fn keep(home: &Path, account: Option<Account>, script: &str) -> Child {
    let mut keeper = command(account, "sh");
    keeper
        .args(["-c", script, "keeper"])
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What interrupts the tests must not interrupt the cleaning.
        .process_group(0)
        .spawn()
        .expect("a keeper")
}
