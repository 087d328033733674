//! Instances that are made ahead, while a call waits for storage. None is used twice.
//!
//! After a wait for the disk, the processor's caches are cold, and an instance costs three times as
//! much. While a call waits, the processor has nothing else to do.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::Result;

use crate::sandbox::Fresh;

/// Instances for later calls of one sandbox.
pub struct Ahead<S: 'static> {
    instances: Mutex<Vec<(Fresh<S>, SemaphorePermit<'static>)>>,
    /// One permit for each instance, in the whole process.
    permits: &'static Semaphore,
}

impl<S> Ahead<S> {
    pub fn new(permits: &'static Semaphore) -> Self {
        Self { instances: Mutex::default(), permits }
    }

    /// Takes an instance for a call.
    pub fn take(&self) -> Option<Fresh<S>> {
        self.instances().pop().map(|(fresh, _permit)| fresh)
    }

    /// Runs a call to its end. The first time that it waits, an instance is made for a later call.
    pub async fn during<T>(&self, call: impl Future<Output = T>, make: impl AsyncFnOnce() -> Result<Fresh<S>>) -> T {
        let (mut call, mut make) = (pin!(call), Some(make));
        poll_fn(|context| {
            let poll = call.as_mut().poll(context);
            if poll.is_pending()
                && let Some(make) = make.take()
            {
                self.add(make);
            }
            poll
        })
        .await
    }

    /// Makes an instance, unless there are enough, or it cannot be made at once.
    fn add(&self, make: impl AsyncFnOnce() -> Result<Fresh<S>>) {
        let Ok(permit) = self.permits.try_acquire() else { return };
        if let Poll::Ready(Ok(fresh)) = pin!(make()).poll(&mut Context::from_waker(Waker::noop())) {
            self.instances().push((fresh, permit));
        }
    }

    fn instances(&self) -> MutexGuard<'_, Vec<(Fresh<S>, SemaphorePermit<'static>)>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;
    use crate::{Caller, CreateApiKey, Keycell, MemoryStorage};

    #[tokio::test]
    async fn a_call_that_waits_makes_one_instance_and_no_more_than_there_are_permits() {
        let keycell = Keycell::new(MemoryStorage::default()).unwrap();
        let ahead = Ahead::new(Box::leak(Box::new(Semaphore::new(2))));
        let wait = async |times| {
            let call = async {
                for _ in 0..times {
                    yield_now().await;
                }
            };
            ahead.during(call, || keycell.sandbox().instantiate()).await;
        };
        for (waits, made) in [(vec![0], 0), (vec![1], 1), (vec![3], 1), (vec![1, 1, 1], 2)] {
            for &times in &waits {
                wait(times).await;
            }
            let taken = std::iter::from_fn(|| ahead.take()).count();
            assert_eq!(taken, made, "{waits:?}");
        }
    }

    #[tokio::test]
    async fn an_instance_made_ahead_has_the_caller_of_the_call_that_takes_it() {
        let keycell = Keycell::new(MemoryStorage::default()).unwrap();
        let [ann, bob] = ["ann", "bob"].map(Caller::user);
        let waiting = keycell.sandbox().on_fresh_instance(&ann, async |_, _| {
            yield_now().await;
            Ok(())
        });
        waiting.await.unwrap();
        let created = keycell.create_api_key(&bob, CreateApiKey::named("a")).await.unwrap();
        assert_eq!(keycell.describe_api_key(&bob, &created.id.to_string()).await.unwrap().user_id, "bob");
    }
}
