//! A connection that only reads, and whose type says so.

use diesel::connection::LoadConnection;
use diesel::dsl::Limit;
use diesel::query_builder::AsQuery;
use diesel::query_dsl::methods::LimitDsl;
use diesel::query_dsl::{LoadQuery, RunQueryDsl};
use diesel::result::QueryResult;

use crate::database::Routable;
use crate::sync::RoutedConnection;
use crate::unlocked_select::UnlockedSelect;

/// A connection that runs nothing but [`SELECT`s that take no locks](UnlockedSelect): that a
/// function which is given one never writes is a matter of types.
///
/// The query is given to the connection, `reader.load(query)`, and not the other way round: it
/// implements none of the ORM's connection traits, as they run everything, and it has no other way
/// to the database. With diesel-async, take a reference at once: `let reader = &mut
/// pool.get_read_only().await?;`, as that crate has a method `load` for whatever is held by value.
/// A `SELECT` by `sql_query` is refused too, as its type says nothing.
///
/// Like any read, it goes to a replica in a session that has not written, and to the primary outside
/// of a session.
///
/// What the types cannot see, such as a function that writes, is refused when it
/// is run: the whole connection is in [`Scope::read_only`](crate::Scope::read_only).
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// use diesel::prelude::*;
/// use diesel::sqlite::SqliteConnection;
/// use routing_diesel::{ReadOnly, RoutedConnection, RoutedPool, RoutingConfig};
///
/// diesel::table! {
///     users (id) { id -> Integer, name -> Text, }
/// }
///
/// fn report(
///     reader: &mut ReadOnly<RoutedConnection<SqliteConnection>>,
/// ) -> QueryResult<(i64, Vec<String>)> {
///     let names = reader.load(users::table.select(users::name).order(users::name))?;
///     Ok((reader.get_result(users::table.count())?, names))
/// }
///
/// # let config = RoutingConfig::builder().primary("sqlite::memory:").build()?;
/// # let pool = RoutedPool::<SqliteConnection>::new(&config)?;
/// # diesel::sql_query("CREATE TABLE users (id integer, name text)").execute(&mut pool.get()?)?;
/// let mut reader = pool.get_read_only()?;
/// assert_eq!(report(&mut reader)?, (0, vec![]));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ReadOnly<Conn>(pub(crate) Conn);

impl<C: Routable + LoadConnection> ReadOnly<RoutedConnection<C>> {
    /// All rows of a query.
    ///
    /// # Errors
    ///
    /// Diesel's, or `WriteInReadOnlyScope` if the query's text shows that it is more than a read.
    pub fn load<'query, U, Q, Form>(&mut self, query: Q) -> QueryResult<Vec<U>>
    where
        Q: AsQuery<Query: UnlockedSelect<Form>> + LoadQuery<'query, RoutedConnection<C>, U>,
    {
        query.load(&mut self.0)
    }

    /// The same as [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn get_results<'query, U, Q, Form>(&mut self, query: Q) -> QueryResult<Vec<U>>
    where
        Q: AsQuery<Query: UnlockedSelect<Form>> + LoadQuery<'query, RoutedConnection<C>, U>,
    {
        self.load(query)
    }

    /// The first row that a query gives.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load), and `NotFound` if there is no row.
    pub fn get_result<'query, U, Q, Form>(&mut self, query: Q) -> QueryResult<U>
    where
        Q: AsQuery<Query: UnlockedSelect<Form>> + LoadQuery<'query, RoutedConnection<C>, U>,
    {
        query.get_result(&mut self.0)
    }

    /// The first row of a query, which is limited to it.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load), and `NotFound` if there is no row.
    pub fn first<'query, U, Q, Form>(&mut self, query: Q) -> QueryResult<U>
    where
        Q: AsQuery<Query: UnlockedSelect<Form>> + RunQueryDsl<RoutedConnection<C>> + LimitDsl,
        Limit<Q>: LoadQuery<'query, RoutedConnection<C>, U>,
    {
        query.first(&mut self.0)
    }
}

#[cfg(feature = "async")]
mod asynchronous {
    use diesel_async::RunQueryDsl;
    use diesel_async::methods::LoadQuery;
    use diesel_async::return_futures::{GetResult, LoadFuture};

    use super::{AsQuery, Limit, LimitDsl, ReadOnly, UnlockedSelect};
    use crate::asynchronous::{AsyncRoutable, AsyncRoutedConnection};

    impl<C: AsyncRoutable> ReadOnly<AsyncRoutedConnection<C>> {
        /// All rows of a query.
        ///
        /// # Errors
        ///
        /// Diesel's, or `WriteInReadOnlyScope` if the query's text shows that it is more than a
        /// read.
        pub fn load<'conn, 'query, U, Q, Form>(
            &'conn mut self,
            query: Q,
        ) -> LoadFuture<'conn, 'query, Q, AsyncRoutedConnection<C>, U>
        where
            U: Send,
            Q: AsQuery<Query: UnlockedSelect<Form>>
                + RunQueryDsl<AsyncRoutedConnection<C>>
                + LoadQuery<'query, AsyncRoutedConnection<C>, U>
                + 'query,
        {
            query.load(&mut self.0)
        }

        /// The same as [`load`](Self::load).
        ///
        /// # Errors
        ///
        /// As for [`load`](Self::load).
        pub fn get_results<'conn, 'query, U, Q, Form>(
            &'conn mut self,
            query: Q,
        ) -> LoadFuture<'conn, 'query, Q, AsyncRoutedConnection<C>, U>
        where
            U: Send,
            Q: AsQuery<Query: UnlockedSelect<Form>>
                + RunQueryDsl<AsyncRoutedConnection<C>>
                + LoadQuery<'query, AsyncRoutedConnection<C>, U>
                + 'query,
        {
            self.load(query)
        }

        /// The rows of a query, one by one.
        ///
        /// # Errors
        ///
        /// As for [`load`](Self::load).
        pub fn load_stream<'conn, 'query, U, Q, Form>(
            &'conn mut self,
            query: Q,
        ) -> Q::LoadFuture<'conn>
        where
            U: Send + 'conn,
            Q: AsQuery<Query: UnlockedSelect<Form>>
                + RunQueryDsl<AsyncRoutedConnection<C>>
                + LoadQuery<'query, AsyncRoutedConnection<C>, U>
                + 'query,
        {
            query.load_stream(&mut self.0)
        }

        /// The first row that a query gives.
        ///
        /// # Errors
        ///
        /// As for [`load`](Self::load), and `NotFound` if there is no row.
        pub fn get_result<'conn, 'query, U, Q, Form>(
            &'conn mut self,
            query: Q,
        ) -> GetResult<'conn, 'query, Q, AsyncRoutedConnection<C>, U>
        where
            U: Send + 'conn,
            Q: AsQuery<Query: UnlockedSelect<Form>>
                + RunQueryDsl<AsyncRoutedConnection<C>>
                + LoadQuery<'query, AsyncRoutedConnection<C>, U>
                + 'query,
        {
            query.get_result(&mut self.0)
        }

        /// The first row of a query, which is limited to it.
        ///
        /// # Errors
        ///
        /// As for [`load`](Self::load), and `NotFound` if there is no row.
        pub fn first<'conn, 'query, U, Q, Form>(
            &'conn mut self,
            query: Q,
        ) -> GetResult<'conn, 'query, Limit<Q>, AsyncRoutedConnection<C>, U>
        where
            U: Send + 'conn,
            Q: AsQuery<Query: UnlockedSelect<Form>>
                + RunQueryDsl<AsyncRoutedConnection<C>>
                + LimitDsl,
            Limit<Q>: LoadQuery<'query, AsyncRoutedConnection<C>, U> + Send + 'query,
        {
            query.first(&mut self.0)
        }
    }
}
