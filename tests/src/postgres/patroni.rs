//! Patroni, which decides who is the primary of a cluster, and keeps that in etcd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::programs::{account, path, program};
use super::{Cluster, NAMES};
use crate::process::{self, Ports, command, keep, send, until_over};
use crate::servers::Installed;
use crate::wait::{self, LIMIT, until};

/// Patroni's agents over the servers of a cluster, one for each, and the etcd that they share.
#[derive(Debug)]
pub struct Patroni {
    home: PathBuf,
    /// Where each agent is asked.
    agents: Ports<3>,
    /// Where etcd is asked, by agents and by other etcds.
    etcd: Ports<2>,
    client: reqwest::Client,
    /// Its end of the pipe is what keeps the processes alive.
    keeper: Child,
}

/// How long a leader that says nothing is left alone: Patroni takes no less.
const LEASE: Duration = Duration::from_secs(20);

/// How long an election is waited for: the lease, what Patroni waits for beside it, and a busy machine.
const ELECTION: Duration = Duration::from_secs(240);

/// How long an agent's answer is waited for, before it is asked again.
const PATIENCE: Duration = Duration::from_secs(3);

const STOP: &str = r#"
    cat > /dev/null
    for file in "$1"/*.pid; do
        kill -9 "$(cat "$file")"
    done 2> /dev/null
    rm -rf "$1"
"#;

impl Patroni {
    /// Gives Patroni a running cluster, and waits until all members follow the leader.
    pub async fn over(cluster: &Cluster) -> Self {
        let home = process::home("routing-patroni-", account());
        let patroni = Self {
            agents: Ports::reserve(),
            etcd: Ports::reserve(),
            client: reqwest::Client::new(),
            keeper: keep(&home, account(), STOP),
            home,
        };
        patroni.start_etcd();
        for place in 0..NAMES.len() {
            let settings = patroni.settings(cluster, place);
            // What is JSON is YAML.
            process::write(
                &patroni.file(place, "yml"),
                &settings.to_string(),
                account(),
            );
        }
        // The first to come is the leader.
        patroni.start_agent(0);
        patroni.elected(|leader| leader == 0).await;
        for place in 1..NAMES.len() {
            patroni.start_agent(place);
        }
        patroni.until_complete().await;
        patroni
    }

    fn settings(&self, cluster: &Cluster, place: usize) -> Value {
        let server = &cluster.servers[place];
        let own = |port: u16| format!("127.0.0.1:{port}");
        let rest = own(self.agents.numbers[place]);
        let user = json!({ "username": "postgres" });
        json!({
            "scope": "shop",
            "name": NAMES[place],
            "restapi": { "listen": rest, "connect_address": rest },
            "etcd3": { "host": own(self.etcd.numbers[0]) },
            "bootstrap": { "dcs": {
                "ttl": LEASE.as_secs(),
                "loop_wait": 1,
                "retry_timeout": 5,
                // What is acknowledged is with who may be elected.
                "synchronous_mode": true,
                "postgresql": {
                    "use_pg_rewind": true,
                    "remove_data_directory_on_rewind_failure": true,
                    "remove_data_directory_on_diverged_timelines": true,
                    "parameters": { "max_connections": 200, "wal_log_hints": "on" },
                },
            } },
            "postgresql": {
                "listen": own(server.port()),
                "connect_address": own(server.port()),
                "data_dir": path(&server.data),
                "bin_dir": path(program("postgres").parent().expect("a directory")),
                "pgpass": path(&self.file(place, "pgpass")),
                "authentication": { "superuser": user, "replication": user, "rewind": user },
            },
        })
    }

    fn file(&self, place: usize, extension: &str) -> PathBuf {
        self.home.join(NAMES[place]).with_extension(extension)
    }

    /// Starts the agent of a member.
    pub fn start_agent(&self, place: usize) {
        let patroni = Installed::newest("patroni").expect("./tests/servers.sh lists it");
        self.start(
            NAMES[place],
            &patroni.path("usr/bin/patroni"),
            &[path(&self.file(place, "yml"))],
        );
    }

    /// Starts etcd, with what it has kept.
    pub fn start_etcd(&self) {
        let etcd = Installed::newest("etcd").expect("./tests/servers.sh lists it");
        let [clients, peers] = self.etcd.numbers;
        let [clients, peers] = [clients, peers].map(|port| format!("http://127.0.0.1:{port}"));
        let data = self.home.join("etcd");
        let members = format!("default={peers}");
        let options = [
            "--data-dir",
            path(&data),
            "--unsafe-no-fsync",
            "--listen-client-urls",
            &clients,
            "--advertise-client-urls",
            &clients,
            "--listen-peer-urls",
            &peers,
            "--initial-advertise-peer-urls",
            &peers,
            "--initial-cluster",
            &members,
        ];
        self.start("etcd", &etcd.path("usr/bin/etcd"), &options);
    }

    fn start(&self, name: &str, program: &Path, options: &[&str]) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.home.join(name).with_extension("log"));
        let log = log.expect("a log");
        let started = command(account(), program)
            .args(options)
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        let started = started.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let file = self.home.join(name).with_extension("pid");
        fs::write(file, started.id().to_string()).expect("written");
        // It is killed, and not waited for.
        drop(started);
    }

    /// Kills the agent of a member, whose server goes on.
    pub fn kill_agent(&self, place: usize) {
        self.kill(NAMES[place]);
    }

    /// Kills etcd.
    pub fn kill_etcd(&self) {
        self.kill("etcd");
    }

    fn kill(&self, name: &str) {
        let process = self.process(name);
        send(account(), "-KILL", &[process]);
        until_over(&[process]);
    }

    /// Stops the agent of a member where it is.
    pub fn freeze_agent(&self, place: usize) {
        send(account(), "-STOP", &[self.process(NAMES[place])]);
    }

    /// Lets it go on.
    pub fn thaw_agent(&self, place: usize) {
        send(account(), "-CONT", &[self.process(NAMES[place])]);
    }

    fn process(&self, name: &str) -> u32 {
        let file = fs::read_to_string(self.home.join(name).with_extension("pid"));
        file.expect("it was started").parse().expect("a process id")
    }

    /// Has the leader hand over to the member that has all that is acknowledged.
    pub async fn switch_over(&self, leader: usize) {
        let url = format!(
            "http://127.0.0.1:{}/switchover",
            self.agents.numbers[leader]
        );
        let order = json!({ "leader": NAMES[leader] });
        until(format_args!("{order}"), async || {
            let told = self
                .client
                .post(&url)
                .body(order.to_string())
                .timeout(LIMIT);
            told.send()
                .await
                .is_ok_and(|told| told.status().is_success())
        })
        .await;
    }

    /// Waits until Patroni says that a member of which this is true is the leader, and returns it.
    pub async fn elected(&self, is_so: impl Fn(usize) -> bool) -> usize {
        let mut leader = None;
        wait::until_for(ELECTION, "a leader is elected", async || {
            leader = self.leader().await.filter(|leader| is_so(*leader));
            leader.is_some()
        })
        .await;
        leader.expect("it is there")
    }

    /// The member that holds the leader's key, and takes writes, as its own agent says.
    pub async fn leader(&self) -> Option<usize> {
        let asked = self.agents.numbers.map(|port| self.get(port, "primary"));
        let answers = join_all(asked).await;
        answers.iter().position(Option::is_some)
    }

    /// Waits until two members follow the leader, and one of them has all that is acknowledged.
    pub async fn until_complete(&self) {
        wait::until_for(ELECTION, "all follow the leader", async || {
            for port in self.agents.numbers {
                let Some(cluster) = self.get(port, "cluster").await else {
                    return false;
                };
                let members = cluster["members"].as_array().map_or(&[][..], Vec::as_slice);
                let is = |state: &'static str| move |member: &&Value| member["state"] == state;
                let count = |state| members.iter().filter(is(state)).count();
                let is_complete = (count("running"), count("streaming")) == (1, 2);
                if !is_complete
                    || !members
                        .iter()
                        .any(|member| member["role"] == "sync_standby")
                {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// The answer of an agent, if it is no refusal; `None` also of one that stands still.
    async fn get(&self, port: u16, what: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:{port}/{what}");
        let answer = self.client.get(url).timeout(PATIENCE).send().await.ok()?;
        let answer = answer.error_for_status().ok()?.text().await.ok()?;
        serde_json::from_str(&answer).ok()
    }

    /// Prints what the agents have logged last, for a test that has failed.
    pub fn report(&self) {
        for place in 0..NAMES.len() {
            println!("{}", process::tail(&self.file(place, "log")));
        }
    }
}

impl Drop for Patroni {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report();
        }
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
