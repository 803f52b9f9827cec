//! MySQL Group Replication elects its primary by itself, and the router follows.

use std::sync::atomic::Ordering;
use std::time::Duration;

use routing_tests::adapter::{Adapter, Diesel, DieselAsync, SeaOrm, Shop};
use routing_tests::mysql::Server;
use routing_tests::runtime::run;
use routing_tests::wait::until;
use tokio::time::Instant;

use super::failover::{at_work, finished, have_done};
use super::field::{Field, Servers};

/// Waits until the router writes to this member.
async fn writes_go_to<A: Adapter>(db: &A, primary: &Server) -> Duration {
    let begun = Instant::now();
    until("the new primary takes writes", async || {
        db.execute("INSERT INTO ledger VALUES (-1, 1)")
            .await
            .is_ok()
    })
    .await;
    let nodes = &db.status().sets[0].nodes;
    assert_eq!(nodes[0].name, primary.name(), "{}", A::NAME);
    begun.elapsed()
}

async fn a_group_takes_the_writes_along<A: Adapter>() {
    let field = Field::group().await;
    let Servers::MySql(cluster) = &field.servers else {
        unreachable!("it is no PostgreSQL");
    };
    let (db, tally, users) = at_work::<A>(&field).await;

    // An operator moves it, with all members there.
    let (first, second) = (cluster.primary(), &cluster.replicas()[0]);
    tally.may_fail.store(true, Ordering::Release);
    cluster.hand_over(second).await;
    let handed_over = writes_go_to(&db, second).await;
    tally.may_fail.store(false, Ordering::Release);
    have_done(&tally, 1_000).await;

    // It dies, and the other two elect one of them.
    cluster.until_complete(first).await;
    tally.may_fail.store(true, Ordering::Release);
    cluster.kill(second);
    let mut third = None;
    until("the others have elected one", async || {
        third = cluster.group_primary(first, &[second]).await;
        third.is_some()
    })
    .await;
    let third = third.expect("it is there");
    let elected = writes_go_to(&db, third).await;
    tally.may_fail.store(false, Ordering::Release);
    have_done(&tally, 1_000).await;

    let place = if third.name() == first.name() { 0 } else { 2 };
    let acknowledged = finished(users, &tally, &field.beside(place).await).await;
    println!(
        "{}: writes again {handed_over:?} after the hand-over, {elected:?} after the election; \
         {acknowledged} writes acknowledged, {} operations",
        A::NAME,
        tally.operations(),
    );
}

#[test]
fn a_group_takes_the_writes_along_seaorm() {
    run(a_group_takes_the_writes_along::<SeaOrm>());
}

#[test]
fn a_group_takes_the_writes_along_diesel() {
    run(a_group_takes_the_writes_along::<Diesel>());
}

#[test]
fn a_group_takes_the_writes_along_diesel_async() {
    run(a_group_takes_the_writes_along::<DieselAsync>());
}
