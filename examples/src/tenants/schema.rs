//! The table, for Diesel.

diesel::table! {
    memo (id) {
        id -> Integer,
        tenant -> Text,
        text -> Text,
    }
}
