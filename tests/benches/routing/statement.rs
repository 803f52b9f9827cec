//! One statement's kind, from its text.

use std::hint::black_box;

use routing_core::sql::{Dialect, classify};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::turns::{median, now};

const TURNS: usize = 41;
const STATEMENTS: f64 = 20_000.0;
const PARSED: f64 = 200.0;

/// Prints nanoseconds and allocations per statement, beside those of a parser in the same turns.
pub(crate) fn table(effort: f64) {
    println!(
        "{:22}{:>8}{:>14}{:>14}{:>14}{:>8}",
        "statement", "bytes", "ns (median)", "allocations", "sqlparser ns", "ratio"
    );
    for (name, sql) in statements() {
        let (mut lexed, mut parsed) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            lexed.push(nanos((STATEMENTS * effort) as usize, || {
                black_box(classify(black_box(&sql), Dialect::Postgres));
            }));
            parsed.push(nanos((PARSED * effort) as usize, || {
                let statements = Parser::parse_sql(&PostgreSqlDialect {}, black_box(&sql));
                black_box(statements.expect("a statement"));
            }));
        }
        let allocations = allocation_counter::measure(|| {
            black_box(classify(black_box(&sql), Dialect::Postgres));
        });
        let (lexed, parsed) = (median(lexed), median(parsed));
        println!(
            "{name:22}{:>8}{lexed:>14.1}{:>14}{parsed:>14.0}{:>8.0}",
            sql.len(),
            allocations.count_total,
            parsed / lexed
        );
    }
}

fn nanos(times: usize, run: impl Fn()) -> f64 {
    let times = times.max(1);
    let start = now();
    for _ in 0..times {
        run();
    }
    start.elapsed().as_secs_f64() * 1e9 / times as f64
}

/// As ORMs write them, of the lengths that `find_by_id`, a join and a report have.
fn statements() -> [(&'static str, String); 4] {
    let find = "SELECT \"cake\".\"id\", \"cake\".\"name\" FROM \"cake\" \
                WHERE \"cake\".\"id\" = $1 ORDER BY 1 LIMIT $2";
    let join = "SELECT \"cake\".\"id\" AS \"A_id\", \"cake\".\"name\" AS \"A_name\", \
                \"fruit\".\"id\" AS \"B_id\", \"fruit\".\"name\" AS \"B_name\", \
                \"fruit\".\"cake_id\" AS \"B_cake_id\" FROM \"cake\" LEFT JOIN \"fruit\" \
                ON \"cake\".\"id\" = \"fruit\".\"cake_id\" WHERE \"cake\".\"name\" LIKE $1 \
                AND \"fruit\".\"id\" IN ($2, $3) ORDER BY \"cake\".\"id\" ASC LIMIT 7";
    let columns: Vec<_> = (0..4)
        .flat_map(|t| {
            (0..7).map(move |c| format!("\"table_{t}\".\"column_{c}\" AS \"T{t}_column_{c}\""))
        })
        .collect();
    let report = format!(
        "SELECT {} FROM \"table_0\" LEFT JOIN \"table_1\" ON \"table_0\".\"id\" = \
         \"table_1\".\"id\" JOIN \"table_2\" ON \"table_2\".\"id\" = \"table_1\".\"id\" \
         WHERE \"table_0\".\"name\" LIKE $1 AND (\"table_1\".\"a\" = $2 OR \"table_1\".\"b\" > $3) \
         AND lower(\"table_0\".\"name\") IN ($4, $5, $6) GROUP BY \"table_0\".\"id\" \
         ORDER BY \"table_0\".\"id\" ASC LIMIT $7 OFFSET $8",
        columns.join(", ")
    );
    let by_hand = "select c.id, c.name, count(*) as n from cakes c join fruits f \
                   on f.cake_id = c.id where c.name like 'a%' and f.kind in (1, 2, 3) \
                   group by c.id, c.name order by n desc limit 10";
    [
        ("find by id", find.to_owned()),
        ("join", join.to_owned()),
        ("report", report),
        ("join, by hand", by_hand.to_owned()),
    ]
}
