//! A small shop, and an entity that says which server answers.

#![expect(
    missing_docs,
    reason = "the derives make public items without documentation"
)]
#![expect(
    clippy::exhaustive_structs,
    clippy::exhaustive_enums,
    reason = "entities are what they are"
)]

pub mod cake {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "cake")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub name: String,
        #[sea_orm(has_many)]
        pub fruits: HasMany<super::fruit::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}

    /// A cake that is still to be inserted.
    pub fn named(name: impl Into<String>) -> ActiveModel {
        ActiveModel {
            name: sea_orm::Set(name.into()),
            ..Default::default()
        }
    }
}

pub mod fruit {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "fruit")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        pub cake_id: i32,
        #[sea_orm(belongs_to, from = "cake_id", to = "id")]
        pub cake: BelongsTo<super::cake::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod server {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "server")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
