//! The conformance suite: what holds for every adapter, on every database.

/// Makes each function a test of each adapter on each database.
macro_rules! conformance {
    ($($name:ident,)*) => {
        conformance!(@adapter seaorm, SeaOrm, $($name,)*);
        conformance!(@adapter diesel, Diesel, $($name,)*);
        conformance!(@adapter diesel_async, DieselAsync, $($name,)*);
    };
    (@adapter $adapter:ident, $type:ident, $($name:ident,)*) => {
        mod $adapter {
            conformance!(@backend postgres, Postgres, $type, $($name,)*);
            conformance!(@backend mariadb, MariaDb, $type, $($name,)*);
            conformance!(@backend sqlite, Sqlite, $type, $($name,)*);
        }
    };
    (@backend $backend:ident, $variant:ident, $type:ident, $($name:ident,)*) => {
        mod $backend {
            $(#[test]
            fn $name() {
                let backend = routing_tests::world::Backend::$variant;
                routing_tests::runtime::run(
                    super::super::$name::<routing_tests::adapter::$type>(backend),
                );
            })*
        }
    };
}

mod callbacks;
mod faults;
mod positions;
mod scenario;
mod scopes;
mod sessions;
mod statements;
mod transactions;
