//! The notes over SeaORM.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use routing_seaorm::{RoutedConnection, RoutingConfig};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryOrder, QuerySelect, Set,
};

use super::{Notes, Share};

#[expect(unreachable_pub, reason = "the derives make public items")]
mod note {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "note")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub text: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Notes over SeaORM: the queries know nothing of replicas.
#[derive(Debug, Clone)]
pub struct SeaOrmNotes(RoutedConnection);

impl SeaOrmNotes {
    /// Opens them, and makes the table if it is not there.
    ///
    /// # Errors
    ///
    /// If the primary is not there.
    pub async fn open(config: RoutingConfig, share: Arc<Share>) -> Result<Self, Box<dyn Error>> {
        let db = RoutedConnection::builder(&config).observer(share).build()?;
        if db.get_database_backend() == DbBackend::Postgres {
            let schema =
                "CREATE TABLE IF NOT EXISTS note (id serial PRIMARY KEY, text text NOT NULL)";
            db.primary().execute_unprepared(schema).await?;
        }
        Ok(Self(db))
    }

    /// Waits until a replica has what the session has to read.
    pub async fn catch_up(&self, within: Duration) -> bool {
        self.0.catch_up(within).await
    }
}

impl Notes for SeaOrmNotes {
    type Error = DbErr;

    async fn newest(&self) -> Result<Vec<String>, DbErr> {
        let notes = note::Entity::find()
            .order_by_desc(note::Column::Id)
            .limit(20)
            .all(&self.0)
            .await?;
        Ok(notes.into_iter().map(|note| note.text).collect())
    }

    async fn keep(&self, text: String) -> Result<(), DbErr> {
        let note = note::ActiveModel {
            text: Set(text),
            ..Default::default()
        };
        note.insert(&self.0).await.map(drop)
    }
}
