//! Whatever the bytes: no panic, and no answer that depends on how they are asked for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use routing_core::Access;
use routing_core::sql::{Dialect, Functions, Statement, classify, statements, tables};

fuzz_target!(|text: &[u8]| {
    for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
        let statement = Statement::new(text, dialect);
        assert_eq!(statement.kind(), classify(text, dialect));
        let known = Statement::with_functions(text, dialect, &Functions::default());
        assert_eq!(statement, known);
        let _ = statement.to_string();
        // A space and a comment at either end change nothing, where the text has an end.
        if statement.access() == Access::Read {
            let padded = [b" /* x */ ".as_slice(), text].concat();
            assert_eq!(classify(&padded, dialect).access(), Access::Read);
        }
        let _ = tables(text, dialect, |table| drop(table.name()));
        assert!(statements(text, dialect).count() <= text.len());
    }
});
