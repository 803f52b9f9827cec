//! A small shop over SeaORM: the same queries, over whatever connections they are given.

use std::sync::atomic::Ordering;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Set, Statement,
};

use crate::tally::Tally;

/// Orders.
#[expect(
    missing_docs,
    clippy::exhaustive_structs,
    clippy::exhaustive_enums,
    reason = "the derives make public items without documentation"
)]
pub mod order {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub customer: String,
        pub status: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A customer orders, looks, pays, looks again, and has the order shipped.
///
/// `reads` is the connection for reading and `writes` the one for writing, as code has it that
/// splits by hand. A routed connection is both.
///
/// # Errors
///
/// The database's.
pub async fn buy<R: ConnectionTrait, W: ConnectionTrait>(
    reads: &R,
    writes: &W,
    customer: &str,
    tally: &Tally,
) -> Result<(), DbErr> {
    let new = order::ActiveModel {
        customer: Set(customer.to_owned()),
        status: Set("new".to_owned()),
        ..Default::default()
    };
    let order = new.insert(writes).await?;

    let seen = order::Entity::find_by_id(order.id).one(reads).await?;
    tally.read(seen.is_some());

    let mine = order::Entity::find()
        .filter(order::Column::Customer.eq(customer))
        .all(reads)
        .await?;
    tally.read(mine.iter().any(|listed| listed.id == order.id));

    let mut paid = order.into_active_model();
    paid.status = Set("paid".to_owned());
    let paid = paid.update(writes).await?;

    let seen = order::Entity::find_by_id(paid.id).one(reads).await?;
    tally.read(seen.is_some_and(|seen| seen.status == "paid"));

    ship(reads, writes, paid.id, tally).await
}

/// It returns a row, so whoever split the calls by their names gave it the connection for reading.
async fn ship<R: ConnectionTrait, W: ConnectionTrait>(
    reads: &R,
    writes: &W,
    id: i32,
    tally: &Tally,
) -> Result<(), DbErr> {
    let ship = || {
        Statement::from_sql_and_values(
            reads.get_database_backend(),
            "UPDATE orders SET status = 'shipped' WHERE id = ? RETURNING status",
            [id.into()],
        )
    };
    match reads.query_one_raw(ship()).await {
        Err(refused) if refused.to_string().contains("readonly") => {
            tally.writes_on_replicas.fetch_add(1, Ordering::Relaxed);
            writes.query_one_raw(ship()).await?;
        }
        other => drop(other?),
    }
    Ok(())
}

/// A visitor looks at the newest orders.
///
/// # Errors
///
/// The database's.
pub async fn browse<R: ConnectionTrait>(reads: &R, tally: &Tally) -> Result<(), DbErr> {
    order::Entity::find()
        .order_by_desc(order::Column::Id)
        .limit(5)
        .all(reads)
        .await?;
    tally.read(true);
    Ok(())
}
