//! The SELECT with which SeaORM ends an insert or an update, where the database returns no rows from one.
//!
//! It belongs to the write, as it shows what was written: a replica may not have that yet. SeaORM awaits
//! nothing between the write's answer and that SELECT: both are in one poll, and so on one thread. A caller
//! who wants no row leaves a note behind, which sends one read of one row of the same table to the primary.

use std::cell::Cell;

use routing_core::{SetName, StatementKind};
use sea_orm::DbBackend;

thread_local! {
    /// What was written last on this thread.
    static WRITTEN: Cell<Option<Note>> = const { Cell::new(None) };
}

/// A write that may be read back.
pub(crate) struct Note {
    set: SetName,
    /// How the SELECT goes on behind its columns.
    select: String,
}

impl Note {
    /// The note of a statement, if it is a write that returns no rows.
    #[inline]
    pub(crate) fn of(
        sql: &str,
        kind: StatementKind,
        backend: DbBackend,
        set: &SetName,
    ) -> Option<Self> {
        let start = match kind {
            _ if backend.support_returning() => return None,
            StatementKind::Insert => "INSERT INTO ",
            StatementKind::Update => "UPDATE ",
            _ => return None,
        };
        let table = sql.strip_prefix(start)?.split(' ').next()?;
        Some(Self {
            set: set.clone(),
            select: format!(" FROM {table} WHERE {table}."),
        })
    }

    /// The write has succeeded just now.
    #[inline]
    pub(crate) fn leave(note: Option<Self>) {
        if note.is_some() {
            WRITTEN.set(note);
        }
    }

    /// The kind of the statement that comes next: if it is the one that belongs to the write, no replica serves it.
    #[inline]
    pub(crate) fn take(
        sql: &str,
        kind: StatementKind,
        backend: DbBackend,
        set: &SetName,
    ) -> StatementKind {
        if backend.support_returning() {
            return kind;
        }
        match WRITTEN.take() {
            Some(note) if kind == StatementKind::Select && note.is_read_by(sql, set) => {
                StatementKind::PrimaryRead
            }
            _ => kind,
        }
    }

    fn is_read_by(&self, sql: &str, set: &SetName) -> bool {
        self.set == *set && sql.contains(&self.select) && sql.ends_with(" LIMIT ?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_left_where_no_rows_come_back() {
        let set = SetName::from("default");
        let insert = "INSERT INTO `cake` (`name`) VALUES (?)";
        let note = |backend| Note::of(insert, StatementKind::Insert, backend, &set);
        assert!(note(DbBackend::Postgres).is_none());
        let note = note(DbBackend::MySql).expect("a note");
        let read = "SELECT `cake`.`id` FROM `cake` WHERE `cake`.`id` = ? LIMIT ?";
        assert!(note.is_read_by(read, &set));
        assert!(!note.is_read_by(read, &"other".into()));
        assert!(!note.is_read_by("SELECT `cake`.`id` FROM `cake` LIMIT ?", &set));
        assert!(!note.is_read_by(
            "SELECT `fruit`.`id` FROM `fruit` WHERE `fruit`.`id` = ? LIMIT ?",
            &set
        ));
        let update = "UPDATE `shop`.`cake` SET `name` = ? WHERE `id` = ?";
        let note = Note::of(update, StatementKind::Update, DbBackend::MySql, &set);
        assert_eq!(
            note.expect("a note").select,
            " FROM `shop`.`cake` WHERE `shop`.`cake`."
        );
    }
}
