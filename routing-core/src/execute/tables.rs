//! The set of a statement, by its tables.

use std::sync::Arc;

use crate::cluster::replica_set::ReplicaSet;
use crate::error::RoutingError;
use crate::execute::announce::announce_refusal;
use crate::execute::router::Router;
use crate::sql::kind::StatementKind;
use crate::sql::{TableName, tables};

/// A set, and a table that it has.
type Belongs<'r, 's, P> = (&'r Arc<ReplicaSet<P>>, TableName<'s>);

impl<P> Router<P> {
    /// The set of a statement that a handle on `set` is given: on the default set the one that has
    /// the statement's tables, else `set` itself, as the caller chose it.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::CrossSet`] if two sets have the statement's tables.
    /// - [`RoutingError::UnknownSet`] if the delegate names a set that there is not.
    #[inline]
    pub fn set_of_statement<'r>(
        &'r self,
        set: &'r Arc<ReplicaSet<P>>,
        sql: &str,
    ) -> Result<&'r Arc<ReplicaSet<P>>, RoutingError> {
        if !self.divided && self.delegate.is_none() {
            return Ok(set);
        }
        let theirs = self.set_of_tables(set, sql)?;
        Ok(match theirs {
            Some((theirs, _)) if Arc::ptr_eq(set, self.default_set()) => theirs,
            _ => set,
        })
    }

    /// Checks that a statement may run where it cannot be sent to another set: in a transaction, or
    /// on a connection that was taken from one.
    ///
    /// # Errors
    ///
    /// [`RoutingError::CrossSet`] if two sets have its tables, or if `set` is the default one and
    /// another has them.
    #[inline]
    pub fn check_tables(&self, set: &Arc<ReplicaSet<P>>, sql: &str) -> Result<(), RoutingError> {
        if !self.divided && self.delegate.is_none() {
            return Ok(());
        }
        match self.set_of_tables(set, sql)? {
            Some((theirs, table))
                if Arc::ptr_eq(set, self.default_set()) && !Arc::ptr_eq(set, theirs) =>
            {
                Err(self.cross_set(set, theirs, &table))
            }
            _ => Ok(()),
        }
    }

    /// The kind of a statement that stays on `set`, if it may run there at all.
    ///
    /// # Errors
    ///
    /// As for [`check_tables`](Self::check_tables).
    pub fn examine(
        &self,
        set: &Arc<ReplicaSet<P>>,
        sql: &str,
    ) -> Result<StatementKind, RoutingError> {
        self.check_tables(set, sql)?;
        Ok(set.kind_of(sql))
    }

    /// The one set that has the tables of a statement, and the first of them.
    fn set_of_tables<'r, 's>(
        &'r self,
        set: &ReplicaSet<P>,
        sql: &'s str,
    ) -> Result<Option<Belongs<'r, 's, P>>, RoutingError> {
        let Some(dialect) = set.classifier().dialect() else {
            return Ok(None);
        };
        let mut found: Option<Belongs<'_, '_, P>> = None;
        let mut wrong = None;
        // What is not all is enough: what was seen has to be together.
        let _ = tables(sql, dialect, |table| {
            match (self.set_of_table(&table), found) {
                (Err(error), _) => wrong = wrong.take().or(Some(error)),
                (Ok(Some(theirs)), None) => found = Some((theirs, table)),
                (Ok(Some(theirs)), Some((set, _))) if !Arc::ptr_eq(set, theirs) => {
                    let error = || self.cross_set(set, theirs, &table);
                    wrong = wrong.take().or_else(|| Some(error()));
                }
                _ => {}
            }
        });
        wrong.map_or(Ok(found), Err)
    }

    fn set_of_table(
        &self,
        table: &TableName<'_>,
    ) -> Result<Option<&Arc<ReplicaSet<P>>>, RoutingError> {
        if let Some(name) = self.delegate.as_ref().and_then(|d| d.set_of_table(table)) {
            return self.set(name).map(Some);
        }
        let lists = |set: &&Arc<ReplicaSet<P>>| set.tables().iter().any(|name| table.is(name));
        let listed = self.sets.iter().find(lists);
        // Where there are lists, they are complete: what is on none is the default set's.
        Ok(listed.or_else(|| self.divided.then(|| self.default_set())))
    }

    #[cold]
    fn cross_set(
        &self,
        set: &ReplicaSet<P>,
        other: &ReplicaSet<P>,
        table: &TableName<'_>,
    ) -> RoutingError {
        let error = RoutingError::CrossSet {
            set: set.name().clone(),
            other: other.name().clone(),
            table: table.name().into_owned(),
        };
        announce_refusal(&self.ports, &error);
        error
    }
}
