//! The store on a real Redis.

use std::sync::Arc;
use std::time::Duration;

use routing_core::{PinStore, RedisStore};
use routing_tests::redis::Redis;
use routing_tests::runtime::run;

const LONG: Duration = Duration::from_secs(60);

fn store(redis: &Redis, namespace: &str) -> RedisStore {
    let store = RedisStore::new(&redis.url(), namespace).expect("a URL");
    store.answer_timeout(LONG)
}

async fn load(store: &RedisStore, key: &str) -> Option<String> {
    store
        .load(&[key.to_owned()])
        .await
        .expect("an answer")
        .remove(0)
}

#[test]
fn texts_are_kept_apart_for_a_time() {
    run(async {
        let redis = Redis::start();
        let (one, two) = (store(&redis, "one"), store(&redis, "two"));
        one.update("k", &|_| "a".to_owned(), LONG)
            .await
            .expect("kept");
        assert_eq!(load(&one, "k").await.as_deref(), Some("a"));
        assert_eq!(load(&two, "k").await, None, "another namespace");
        let keys = ["no".to_owned(), "k".to_owned()];
        let both = one.load(&keys).await.expect("an answer");
        assert_eq!(both, [None, Some("a".to_owned())]);
        assert!(one.load(&[]).await.expect("an answer").is_empty());
        // Only what is still there is deleted.
        one.delete("k", "b").await.expect("an answer");
        assert_eq!(load(&one, "k").await.as_deref(), Some("a"));
        one.delete("k", "a").await.expect("an answer");
        assert_eq!(load(&one, "k").await, None);
        one.update("short", &|_| "a".to_owned(), Duration::from_millis(1))
            .await
            .expect("kept");
        while load(&one, "short").await.is_some() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn of_many_who_change_a_key_at_once_none_is_lost() {
    run(async {
        let redis = Redis::start();
        let store = Arc::new(store(&redis, "max"));
        let tasks = (0..8_u64).map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..25 {
                    let mine = task + n * 8;
                    let greatest = move |kept: Option<&str>| {
                        let kept = kept.and_then(|kept| kept.parse::<u64>().ok()).unwrap_or(0);
                        kept.max(mine).to_string()
                    };
                    // Who always loses gives up, which is an error and not a loss.
                    while store.update("k", &greatest, LONG).await.is_err() {}
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
        assert_eq!(load(&store, "k").await.as_deref(), Some("199"));
    });
}

#[test]
fn a_store_that_is_gone_is_an_error_in_time() {
    run(async {
        let mut redis = Redis::start();
        let store = store(&redis, "gone");
        store
            .update("k", &|_| "a".to_owned(), LONG)
            .await
            .expect("kept");
        redis.kill();
        for _ in 0..3 {
            let answer = tokio::time::timeout(LONG, store.load(&["k".to_owned()])).await;
            assert!(answer.expect("in time").is_err());
        }
        assert!(RedisStore::new("no URL", "x").is_err());
    });
}
