//! How a transaction ends.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use routing_core::{Access, Committed, RoutingError, StatementKind};
use sea_orm::{DbErr, TransactionError, TransactionSession};

use crate::error::into_db_err;
use crate::execution::failure_of;
use crate::probing::TokioTimer;
use crate::transaction::RoutedTransaction;

impl RoutedTransaction {
    /// Commits, or releases the savepoint.
    ///
    /// # Errors
    ///
    /// - [`RoutingError::OpenSavepoint`] while a savepoint inside is open; all is rolled back.
    /// - The driver's. If the connection was lost, nobody knows whether the commit happened.
    pub async fn commit(self) -> Result<(), DbErr> {
        if self.callbacks.has_open_savepoint() {
            // The driver would release the savepoint, call that a commit, and roll back later.
            let set = self.set.name().clone();
            return Err(into_db_err(RoutingError::OpenSavepoint { set }));
        }
        let aborted = self.is_aborted().await;
        let ended_by_text = self.ended_by_text.load(Ordering::Relaxed);
        let Self {
            transaction,
            mut callbacks,
            node,
            set,
            router,
            context,
            began,
            access,
            role,
            ..
        } = self;
        if let Err(refusal) = router.check_commit(&set, &node, access) {
            // Its connection is rolled back when it is dropped.
            drop(transaction);
            callbacks.rolled_back();
            return Err(into_db_err(refusal));
        }
        callbacks.committing();
        if access == Access::Write {
            // Nobody may be there when the answer comes.
            router.wrote(&set, &began);
        }
        let committing = transaction.commit();
        let committed = router
            .attend::<TokioTimer, _>(&set, &node, committing)
            .await;
        // Also if it failed: nobody knows what has become of it.
        match access {
            Access::Write => {
                router.wrote(&set, &context);
                router.wrote(&set, &began);
            }
            Access::Read => router.saw(&set, &node, &context),
        }
        let Some(committed) = committed else {
            // Nobody knows, and nobody is called.
            return Err(into_db_err(RoutingError::OutcomeUnknown {
                set: set.name().clone(),
                node: node.name().clone(),
                kind: StatementKind::Transaction,
            }));
        };
        match committed {
            // Nobody knows what it was that was committed here.
            Ok(()) if ended_by_text => drop(callbacks),
            Ok(()) if aborted => callbacks.rolled_back(),
            Ok(()) => callbacks.committed(&Committed::new(set.name().clone())),
            Err(error) => {
                match failure_of(&error, &node, role).await {
                    Some(failure) => router.report_failure(&set, &node, failure),
                    None => callbacks.rolled_back(),
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Rolls back.
    ///
    /// # Errors
    ///
    /// The driver's; the transaction is rolled back nevertheless, as its connection is gone.
    pub async fn rollback(self) -> Result<(), DbErr> {
        let Self {
            transaction,
            callbacks,
            node,
            set,
            router,
            role,
            ..
        } = self;
        let rolling_back = transaction.rollback();
        let attended = router
            .attend::<TokioTimer, _>(&set, &node, rolling_back)
            .await;
        let Some(outcome) = attended else {
            // Its connection is gone, and with it the transaction.
            callbacks.rolled_back();
            return Ok(());
        };
        if let Err(error) = &outcome
            && let Some(failure) = failure_of(error, &node, role).await
        {
            router.report_failure(&set, &node, failure);
        }
        callbacks.rolled_back();
        outcome
    }
}

#[async_trait]
impl TransactionSession for RoutedTransaction {
    async fn commit(self) -> Result<(), DbErr> {
        self.commit().await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        self.rollback().await
    }
}

/// Commits if the callback succeeded, else rolls back.
pub(crate) async fn finish<T, E>(
    transaction: RoutedTransaction,
    outcome: Result<T, E>,
) -> Result<T, TransactionError<E>>
where
    E: std::fmt::Display + std::fmt::Debug,
{
    match outcome {
        Ok(value) => {
            transaction.commit().await?;
            Ok(value)
        }
        Err(error) => {
            transaction.rollback().await?;
            Err(TransactionError::Transaction(error))
        }
    }
}
