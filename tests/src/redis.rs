//! A Redis server that keeps nothing on disk.

use std::net::TcpStream;
use std::process::{Child, Stdio};

use crate::process::{Account, Ports, command, home, keep};
use crate::wait::until_blocking;

/// One server.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    server: Child,
    _ports: Ports<1>,
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
        let ports = Ports::reserve();
        let [port] = ports.numbers;
        let keeper = keep(&home, account, STOP);
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
            _ports: ports,
            _keeper: keeper,
        };
        started.until_up();
        started
    }

    /// The server offers no event to wait for.
    fn until_up(&self) {
        until_blocking("Redis comes up", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
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
