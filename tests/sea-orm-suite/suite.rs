//! SeaORM's own integration suite, as `build.rs` has put it together.

#![allow(
    dead_code,
    unused,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "the files are SeaORM's"
)]

/// How its tests run a future; a crate of many files cannot export it from one of them.
macro_rules! block_on {
    ($future:expr) => {
        ::tokio::runtime::Runtime::new()
            .expect("a runtime")
            .block_on($future)
    };
}

pub(crate) use block_on;

include!(concat!(env!("OUT_DIR"), "/suite/modules.rs"));
