//! The shop over Diesel: no query knows of a runtime, only the files' copier does.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool, PoolError, PooledConnection};
use diesel::result::QueryResult;
use diesel::sqlite::SqliteConnection;
use routing_diesel::{Mode, RoutedConnection, RoutedPool, RoutingErrExt, Session};
use routing_examples::diesel_shop::{Hands, browse, buy};
use routing_examples::lagging_files::LaggingFiles;
use routing_examples::tally::{SCHEMA, Tally};

use crate::seaorm::{ReplicaReads, config};
use crate::{CONNECTIONS, CUSTOMERS, LAG, ORDERS, Run, VISITS};

type Manager = ConnectionManager<SqliteConnection>;

/// (a) One pool for writing and one per replica for reading, chosen by hand at each call.
pub(crate) async fn hand_split() -> Result<Run, Box<dyn Error>> {
    struct ByHand {
        replica: PooledConnection<Manager>,
        primary: PooledConnection<Manager>,
    }

    impl Hands for ByHand {
        type Reads = PooledConnection<Manager>;
        type Writes = PooledConnection<Manager>;

        fn reads(&mut self) -> &mut Self::Reads {
            &mut self.replica
        }

        fn writes(&mut self) -> &mut Self::Writes {
            &mut self.primary
        }
    }

    let files = LaggingFiles::create(SCHEMA, "orders", LAG).await?;
    let primary = open(&files.primary())?;
    let [one, two] = files.replicas();
    let replicas = [open(&one)?, open(&two)?];
    let tally = Arc::new(Tally::default());
    let counted = Arc::clone(&tally);
    customers(move |customer| {
        let mut db = ByHand {
            replica: replicas[customer as usize % replicas.len()].get()?,
            primary: primary.get()?,
        };
        let name = format!("customer {customer}");
        for _ in 0..ORDERS {
            buy(&mut db, &name, &tally)?;
            for _ in 0..VISITS {
                browse(&mut db, &tally)?;
            }
        }
        Ok(())
    })
    .await?;
    // The code has no other connection to read from.
    let reads_on_replicas = counted.reads.load(Ordering::Relaxed);
    Ok(Run {
        tally: counted,
        reads_on_replicas,
    })
}

struct Routed(RoutedConnection<SqliteConnection>);

impl Hands for Routed {
    type Reads = RoutedConnection<SqliteConnection>;
    type Writes = RoutedConnection<SqliteConnection>;

    fn reads(&mut self) -> &mut Self::Reads {
        &mut self.0
    }

    fn writes(&mut self) -> &mut Self::Writes {
        &mut self.0
    }
}

/// (b) One routed pool; each order and each visit is a session.
pub(crate) async fn greedy() -> Result<Run, Box<dyn Error>> {
    let files = LaggingFiles::create(SCHEMA, "orders", LAG).await?;
    let counter = Arc::new(ReplicaReads::default());
    let pool = RoutedPool::<SqliteConnection>::builder(&config(&files, Mode::Greedy)?)
        .observer(Arc::clone(&counter) as _)
        .build()?;
    let tally = Arc::new(Tally::default());
    let counted = Arc::clone(&tally);
    customers(move |customer| {
        let name = format!("customer {customer}");
        for _ in 0..ORDERS {
            buy(&mut Routed(pool.get_in(&Session::new())?), &name, &tally)?;
            for _ in 0..VISITS {
                browse(&mut Routed(pool.get_in(&Session::new())?), &tally)?;
            }
        }
        Ok(())
    })
    .await?;
    Ok(Run {
        tally: counted,
        reads_on_replicas: counter.0.load(Ordering::Relaxed),
    })
}

/// What strict mode says to a write that nobody announced.
pub(crate) async fn strict() -> Result<String, Box<dyn Error>> {
    let files = LaggingFiles::create(SCHEMA, "orders", LAG).await?;
    let pool = RoutedPool::<SqliteConnection>::new(&config(&files, Mode::Strict)?)?;
    let bought: QueryResult<()> = tokio::task::block_in_place(|| {
        let mut db = Routed(pool.get_in(&Session::new()).expect("a connection"));
        buy(&mut db, "customer", &Tally::default())
    });
    match bought {
        Ok(()) => Err("the write was taken".into()),
        Err(error) => match error.routing() {
            Some(refusal) => Ok(refusal.to_string()),
            None => Err(error.into()),
        },
    }
}

/// Runs the customers at once, each on a thread.
async fn customers(
    customer: impl Fn(u32) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
) -> Result<(), Box<dyn Error>> {
    let all = tokio::task::spawn_blocking(move || {
        std::thread::scope(|scope| {
            let customer = &customer;
            let threads: Vec<_> = (0..CUSTOMERS)
                .map(|number| scope.spawn(move || customer(number)))
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("no customer panics"))
        })
    });
    all.await?.map_err(|error| -> Box<dyn Error> { error })
}

/// A pool as an application makes one.
fn open(url: &str) -> Result<Pool<Manager>, PoolError> {
    #[derive(Debug)]
    struct WaitForLocks;

    impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for WaitForLocks {
        fn on_acquire(&self, db: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
            db.batch_execute("PRAGMA busy_timeout = 5000")
                .map_err(diesel::r2d2::Error::QueryError)
        }
    }

    Pool::builder()
        .max_size(CUSTOMERS.max(CONNECTIONS))
        .connection_customizer(Box::new(WaitForLocks))
        .build(ConnectionManager::new(url))
}
