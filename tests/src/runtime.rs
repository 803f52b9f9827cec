//! One runtime for all tests of a process: connections outlive the test that opened them.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    // The routers log too much to print it always: `ROUTING_LOG` asks for it.
    if std::env::var_os("ROUTING_LOG").is_some() {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
        let _another_is_set = log.with_test_writer().try_init();
    }
    Runtime::new().expect("a runtime")
});

/// Runs a test.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(test)
}
