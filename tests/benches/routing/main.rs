//! What routing costs: one decision in nanoseconds and allocations, and each ORM bare against routed
//! as a ratio within one run.
//!
//! `cargo bench` prints all tables, `cargo bench -- decision`, `-- statement`, `-- seaorm`,
//! `-- diesel` or `-- freshness` one of them. Each pair is measured in short turns, one after the other, so that whatever else the
//! machine does hits both; the ratio is the median over the turns.

mod decision;
mod diesel;
mod freshness;
mod seaorm;
mod statement;
mod turns;

fn main() {
    // `cargo test --benches` calls benchmarks too, to see that they run.
    let quick = std::env::args().any(|argument| argument == "--test");
    let bench = std::env::args().any(|argument| argument == "--bench");
    let effort = if bench && !quick { 1.0 } else { 0.01 };
    let named: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|n| n == name);
    if wanted("decision") {
        decision::table(effort);
    }
    if wanted("statement") {
        statement::table(effort);
    }
    if wanted("diesel") {
        routing_tests::runtime::run(diesel::table(effort));
    }
    if wanted("freshness") {
        routing_tests::runtime::run(freshness::table(effort));
    }
    if wanted("seaorm") {
        routing_tests::runtime::run(seaorm::table(effort));
    }
}
