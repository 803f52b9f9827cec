//! The shop's tables, for Diesel.

#![expect(
    missing_docs,
    clippy::exhaustive_structs,
    reason = "the macros make the public items"
)]

diesel::table! {
    cake (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    fruit (id) {
        id -> Integer,
        name -> Text,
        cake_id -> Integer,
    }
}

diesel::table! {
    server (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::joinable!(fruit -> cake (cake_id));
diesel::allow_tables_to_appear_in_same_query!(cake, fruit, server);
