//! What is SeaORM's own, beside the conformance suite: models, streams, schema, executors.

/// Makes each function a test on each database.
macro_rules! conformance {
    ($($name:ident,)*) => {
        on_a_database!(mysql, MySql, $($name,)*);
        with_returning!($($name,)*);
    };
}

/// Makes each function a test on each database that has `RETURNING`, so that SeaORM need not read
/// what it has written.
macro_rules! with_returning {
    ($($name:ident,)*) => {
        on_a_database!(postgres, Postgres, $($name,)*);
        on_a_database!(sqlite, Sqlite, $($name,)*);
    };
}

macro_rules! on_a_database {
    ($module:ident, $backend:ident, $($name:ident,)*) => {
        mod $module {
            $(#[test]
            fn $name() {
                routing_tests::runtime::run(super::$name(routing_tests::stage::Backend::$backend));
            })*
        }
    };
}

mod callbacks;
mod cancellation;
mod configuration;
mod differential;
mod errors;
mod failures;
mod faults;
mod models;
mod mysql;
mod read_only;
mod schema;
mod silence;
mod staleness;
mod standby_log;
mod transactions;
