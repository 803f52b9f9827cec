//! What routing costs: one decision in nanoseconds and allocations, and SeaORM bare against routed
//! as a ratio within one run.
//!
//! `cargo bench` prints both tables. Each pair is measured in short turns, one after the other, so
//! that whatever else the machine does hits both; the ratio is the median over the turns.

mod decision;
mod seaorm;
mod turns;

fn main() {
    // `cargo test --benches` calls benchmarks too, to see that they run.
    let quick = std::env::args().any(|argument| argument == "--test");
    let bench = std::env::args().any(|argument| argument == "--bench");
    let effort = if bench && !quick { 1.0 } else { 0.01 };
    decision::table(effort);
    println!();
    routing_tests::runtime::run(seaorm::table(effort));
}
