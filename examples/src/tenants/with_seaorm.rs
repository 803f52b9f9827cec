//! With SeaORM.

use routing_seaorm::{RoutedConnection, RoutedTransaction};
use sea_orm::{
    AccessMode, ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryOrder, Set,
    Statement, TransactionTrait,
};

#[expect(unreachable_pub, reason = "the derives make public items")]
mod memo {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "memo")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub tenant: String,
        pub text: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The tenant's memos, from a replica if one has what the session requires.
///
/// # Errors
///
/// SeaORM's.
pub async fn memos(db: &RoutedConnection, tenant: &str) -> Result<Vec<String>, DbErr> {
    let transaction = db
        .begin_with_config(None, Some(AccessMode::ReadOnly))
        .await?;
    act_for(&transaction, tenant).await?;
    let memos = memo::Entity::find()
        .order_by_asc(memo::Column::Id)
        .all(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(memos.into_iter().map(|memo| memo.text).collect())
}

/// Writes a memo.
///
/// # Errors
///
/// SeaORM's.
pub async fn write_memo(db: &RoutedConnection, tenant: &str, text: &str) -> Result<(), DbErr> {
    let transaction = db.begin().await?;
    act_for(&transaction, tenant).await?;
    let memo = memo::ActiveModel {
        tenant: Set(tenant.to_owned()),
        text: Set(text.to_owned()),
        ..Default::default()
    };
    memo.insert(&transaction).await?;
    transaction.commit().await
}

/// Until the transaction ends.
async fn act_for(transaction: &RoutedTransaction, tenant: &str) -> Result<(), DbErr> {
    let sql = "SELECT set_config('app.tenant', $1, true)";
    let set = Statement::from_sql_and_values(DbBackend::Postgres, sql, [tenant.into()]);
    transaction.execute_raw(set).await.map(drop)
}
