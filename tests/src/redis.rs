//! A Redis server that keeps nothing on disk.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use crate::process::{Account, command, free_ports, home, keep};

/// One server.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    server: Child,
    /// Its end of the pipe is what keeps the server alive.
    _keeper: Child,
}

const STOP: &str = r#"
    cat > /dev/null
    kill -9 "$(cat "$1"/redis.pid)" 2> /dev/null
    rm -rf "$1"
"#;

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If there is no Redis, or if it does not come up.
    #[must_use]
    pub fn start() -> Self {
        let account = Account::of("redis");
        let home = home("routing-redis-", account);
        let [port, ..] = free_ports();
        let keeper = keep(&home, account, STOP, Path::new(""));
        let server = command(account, "redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(&home)
            .arg("--pidfile")
            .arg(home.join("redis.pid"))
            .args(["--daemonize", "no"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("Redis cannot be run ({error}); ./tests/run.sh installs it")
            });
        let started = Self {
            port,
            server,
            _keeper: keeper,
        };
        started.until_up();
        started
    }

    /// The server offers no event to wait for.
    fn until_up(&self) {
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("Redis does not come up");
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Stops it for good.
    pub fn kill(&mut self) {
        self.server.kill().expect("it was running");
        self.server.wait().expect("it is gone");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
