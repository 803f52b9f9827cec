//! Faults and failovers of a cluster's servers.

use std::fs;
use std::net::TcpStream;

use sea_orm::sqlx;

use super::programs::{account, path, run};
use super::{Cluster, Server};
use crate::process::{children, send, until_over};

impl Cluster {
    /// Kills all processes of a server at once, none of which can say anything any more.
    pub fn kill(&self, server: &Server) {
        let postmaster = server.postmaster();
        // A stopped postmaster starts no further process.
        send(account(), "-STOP", &[postmaster]);
        let mut processes = children(postmaster);
        processes.push(postmaster);
        send(account(), "-KILL", &processes);
        until_over(&processes);
        // Its remains may still have the number, which would keep the next one from starting.
        fs::remove_file(server.data.join("postmaster.pid")).expect("the server's process id");
    }

    /// Shuts a server down; it tells its clients.
    pub fn shut_down(&self, server: &Server) {
        run(
            "pg_ctl",
            &["stop", "-D", path(&server.data), "-m", "fast", "-s"],
        );
    }

    /// Has a server take no more connections, and end when those that there are have ended.
    pub fn begin_to_shut_down(&self, server: &Server) {
        send(account(), "-TERM", &[server.postmaster()]);
    }

    /// Stops all processes of a server where they are, without ending any.
    pub fn freeze(&self, server: &Server) {
        server.signal("-STOP");
    }

    /// Lets them go on.
    pub fn thaw(&self, server: &Server) {
        server.signal("-CONT");
    }

    /// Makes a standby the primary, and has the other one follow it.
    pub async fn promote(&self, server: &Server) {
        run("pg_ctl", &["promote", "-D", path(&server.data), "-w", "-s"]);
        // A server that is down is left out.
        let is_there = |other: &&Server| TcpStream::connect(("127.0.0.1", other.port())).is_ok();
        for other in self.servers.iter().filter(is_there) {
            let is_standby = sqlx::query_scalar::<_, bool>("SELECT pg_is_in_recovery()")
                .fetch_one(other.admin())
                .await;
            if let Ok(true) = is_standby {
                let source = format!("host=127.0.0.1 port={} user=postgres", server.port());
                other
                    .execute(&format!("ALTER SYSTEM SET primary_conninfo = '{source}'"))
                    .await;
                other.execute("SELECT pg_reload_conf()").await;
            }
        }
    }

    /// How much log a standby has received.
    pub async fn received(&self, server: &Server) -> i64 {
        let sql = "SELECT (pg_last_wal_receive_lsn() - '0/0')::bigint";
        sqlx::query_scalar(sql)
            .fetch_one(server.admin())
            .await
            .expect("a position")
    }

    /// Starts a server that was killed or shut down.
    pub async fn restart(&self, server: &Server) {
        server.start_again();
        server.until("SELECT true").await;
    }
}
