//! The conformance suite over SeaORM, on PostgreSQL replication and on SQLite.

/// Makes each function a test on each database.
macro_rules! conformance {
    ($($name:ident,)*) => {
        mod postgres {
            $(#[test]
            fn $name() {
                routing_tests::runtime::run(super::$name(routing_tests::stage::Backend::Postgres));
            })*
        }

        mod sqlite {
            $(#[test]
            fn $name() {
                routing_tests::runtime::run(super::$name(routing_tests::stage::Backend::Sqlite));
            })*
        }
    };
}

mod callbacks;
mod cancellation;
mod configuration;
mod faults;
mod models;
mod schema;
mod scopes;
mod sessions;
mod standby_log;
mod transactions;
