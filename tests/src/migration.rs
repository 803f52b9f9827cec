//! The shop's schema, as migrations.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signatures as the trait writes them"
)]

use sea_orm_migration::prelude::*;

/// Makes the two tables of the shop.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "it has no state")]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateCake), Box::new(CreateFruit)]
    }
}

struct CreateCake;

impl MigrationName for CreateCake {
    fn name(&self) -> &str {
        "m0001_create_cake"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateCake {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("cake")
            .col(
                ColumnDef::new("id")
                    .integer()
                    .not_null()
                    .auto_increment()
                    .primary_key(),
            )
            .col(ColumnDef::new("name").string().not_null().unique_key())
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("cake").to_owned())
            .await
    }
}

struct CreateFruit;

impl MigrationName for CreateFruit {
    fn name(&self) -> &str {
        "m0002_create_fruit"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateFruit {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("fruit")
            .col(
                ColumnDef::new("id")
                    .integer()
                    .not_null()
                    .auto_increment()
                    .primary_key(),
            )
            .col(ColumnDef::new("name").string().not_null())
            .col(ColumnDef::new("cake_id").integer().not_null())
            .foreign_key(
                ForeignKey::create()
                    .name("fruit_cake")
                    .from("fruit", "cake_id")
                    .to("cake", "id"),
            )
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("fruit").to_owned())
            .await
    }
}
