//! The conformance suite: what holds for every adapter, on every database.

/// Makes each function a test of each adapter on each database.
macro_rules! conformance {
    ($($name:ident,)*) => {
        conformance!(@adapter seaorm, SeaOrm, $($name,)*);
        conformance!(@adapter diesel, Diesel, $($name,)*);
        conformance!(@adapter diesel_async, DieselAsync, $($name,)*);
        mod toy {
            conformance!(@test sqlite, Sqlite, crate::toy::Toy, $($name,)*);
        }
    };
    (@adapter $adapter:ident, $type:ident, $($name:ident,)*) => {
        mod $adapter {
            conformance!(@backend postgres, Postgres, $type, $($name,)*);
            conformance!(@backend mysql, MySql, $type, $($name,)*);
            conformance!(@backend sqlite, Sqlite, $type, $($name,)*);
        }
    };
    (@backend $backend:ident, $variant:ident, $type:ident, $($name:ident,)*) => {
        conformance!(@test $backend, $variant, routing_tests::adapter::$type, $($name,)*);
    };
    (@test $backend:ident, $variant:ident, $type:ty, $($name:ident,)*) => {
        mod $backend {
            $(#[test]
            fn $name() {
                let backend = routing_tests::world::Backend::$variant;
                routing_tests::runtime::run(
                    super::super::$name::<$type>(backend),
                );
            })*
        }
    };
}

/// Makes each function, which starts servers of its own, a test of each adapter; `awaited`, of those
/// that do not wait for a server inside a library.
macro_rules! on_own_servers {
    (awaited: $($name:ident,)*) => {
        mod on_own_servers {
            on_own_servers!(@adapter seaorm, SeaOrm, $($name,)*);
            on_own_servers!(@adapter diesel_async, DieselAsync, $($name,)*);
        }
    };
    ($($name:ident,)*) => {
        mod on_own_servers {
            on_own_servers!(@adapter seaorm, SeaOrm, $($name,)*);
            on_own_servers!(@adapter diesel, Diesel, $($name,)*);
            on_own_servers!(@adapter diesel_async, DieselAsync, $($name,)*);
        }
    };
    (@adapter $adapter:ident, $type:ident, $($name:ident,)*) => {
        mod $adapter {
            $(#[test]
            fn $name() {
                routing_tests::runtime::run(
                    super::super::$name::<routing_tests::adapter::$type>(),
                );
            })*
        }
    };
}

mod callbacks;
mod connections;
mod faults;
mod health;
mod members;
mod own;
mod positions;
mod programs;
mod scenario;
mod scopes;
mod sessions;
mod silence;
mod state;
mod statements;
mod told;
mod toy;
mod transactions;
mod waiting;
