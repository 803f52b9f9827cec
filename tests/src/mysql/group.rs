//! MySQL Group Replication: three members, one of which takes writes, and which elect another by themselves.

use super::flavor::Flavor;
use super::server::Server;
use super::{Cluster, NAMES};
use crate::process::Ports;
use crate::wait::until;

const ONLINE: &str = "SELECT count(*) FROM performance_schema.replication_group_members \
                      WHERE member_state = 'ONLINE'";

impl Cluster {
    /// Starts a group on MySQL, whatever else the tests run on. The first member takes the writes.
    pub async fn start_group() -> Self {
        let ports = Ports::<3>::reserve();
        let options = ports.numbers.map(|port| options(port, ports.numbers));
        let started = tokio::task::spawn_blocking(move || {
            Self::start_blocking(Flavor::MySql, &options, Some(ports))
        });
        let cluster = started.await.expect("the servers start");
        for server in &cluster.servers {
            server.until_up().await;
            // The group judges what a member may write.
            server.accept_writes().await;
            let user = "CHANGE REPLICATION SOURCE TO source_user = 'admin' \
                        FOR CHANNEL 'group_replication_recovery'";
            server.execute(user).await;
        }
        let first = cluster.primary();
        let bootstrap = "SET GLOBAL group_replication_bootstrap_group";
        first.execute(&format!("{bootstrap} = ON")).await;
        first.execute("START GROUP_REPLICATION").await;
        first.execute(&format!("{bootstrap} = OFF")).await;
        for other in cluster.replicas() {
            other.execute("START GROUP_REPLICATION").await;
        }
        cluster.until_complete(first).await;
        cluster
    }

    /// Waits until this member sees all members online.
    pub async fn until_complete(&self, asked: &Server) {
        let members = i64::try_from(NAMES.len()).expect("a few");
        until("all are in the group", async || {
            asked.number(ONLINE).await == members
        })
        .await;
    }

    /// The member that takes writes, as these members say: `None` while they elect one.
    pub async fn group_primary(&self, asked: &Server, but: &[&Server]) -> Option<&Server> {
        for server in &self.servers {
            let sql = format!(
                "{ONLINE} AND member_role = 'PRIMARY' AND member_port = {}",
                server.port()
            );
            let is_other = but.iter().all(|not| not.name() != server.name());
            if is_other && asked.number(&sql).await == 1 {
                return Some(server);
            }
        }
        None
    }

    /// Has the group make another member the one that takes writes.
    pub async fn hand_over(&self, to: &Server) {
        to.execute("DO group_replication_set_as_primary(@@server_uuid)")
            .await;
    }
}

/// The options of a member, beside those of a replica.
fn options(own: u16, all: [u16; 3]) -> Vec<String> {
    let seeds = all.map(|port| format!("127.0.0.1:{port}")).join(",");
    let options = [
        "performance-schema=ON",
        "plugin-load-add=group_replication.so",
        "group-replication-start-on-boot=OFF",
        "group-replication-group-name=6f8a3c52-0d0e-4a39-9f0c-6f1f4d5a7b10",
        "group-replication-communication-stack=XCOM",
        "group-replication-recovery-get-public-key=ON",
        // A busy machine answers late: 5 s and these must pass before the others expel a member.
        "group-replication-member-expel-timeout=20",
        // Members are known by where they are, and each table needs a key.
        "report-host=127.0.0.1",
        "sql-generate-invisible-primary-key=ON",
    ];
    let mut options: Vec<_> = options.iter().map(|option| format!("--{option}")).collect();
    options.push(format!("--group-replication-local-address=127.0.0.1:{own}"));
    options.push(format!("--group-replication-group-seeds={seeds}"));
    options
}
