//! A mutex whose wait is bounded.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Holds a value that one thread at a time takes out and puts back, also when it panics.
pub struct Slot<T> {
    place: Mutex<Place<T>>,
    put_back: Condvar,
}

struct Place<T> {
    value: Option<Box<T>>,
    /// Waking nobody costs a system call.
    waiting: usize,
}

/// The value, until it is dropped.
pub struct Taken<'a, T> {
    slot: &'a Slot<T>,
    value: Option<Box<T>>,
    /// How long others had it first.
    pub waited: Duration,
}

impl<T> Slot<T> {
    pub fn new(value: T) -> Self {
        let place = Place { value: Some(Box::new(value)), waiting: 0 };
        Self { place: Mutex::new(place), put_back: Condvar::new() }
    }

    /// The value; `None` when others had it all the time.
    pub fn take(&self, within: Duration) -> Option<Taken<'_, T>> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waited = Duration::ZERO;
        if place.value.is_none() {
            let start = Instant::now();
            place.waiting += 1;
            while place.value.is_none() && waited < within {
                let woken = self.put_back.wait_timeout(place, within - waited);
                (place, _) = woken.unwrap_or_else(PoisonError::into_inner);
                waited = start.elapsed();
            }
            place.waiting -= 1;
        }
        let value = place.value.take()?;
        Some(Taken { slot: self, value: Some(value), waited })
    }
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_deref().expect("it is taken away in `drop` only")
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_deref_mut().expect("it is taken away in `drop` only")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let mut place = self.slot.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.value = self.value.take();
        let somebody_waits = place.waiting > 0;
        drop(place);
        if somebody_waits {
            self.slot.put_back.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_the_deadline() {
        let slot = Slot::new(0);
        let taken = slot.take(Duration::ZERO);
        let start = Instant::now();
        assert!(slot.take(Duration::from_millis(20)).is_none());
        assert!(start.elapsed() >= Duration::from_millis(20));
        drop(taken);
        assert!(slot.take(Duration::ZERO).is_some());
    }

    #[test]
    fn threads_take_turns() {
        let slot = Slot::new(0_u64);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let mut taken = slot.take(Duration::from_secs(60)).expect("its turn");
                        *taken += 1;
                    }
                });
            }
        });
        assert_eq!(slot.take(Duration::ZERO).as_deref(), Some(&8000));
    }

    #[test]
    fn a_panic_puts_the_value_back() {
        let slot = Slot::new(1);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _taken = slot.take(Duration::ZERO);
            panic!("on purpose");
        }));
        assert!(outcome.is_err());
        assert_eq!(slot.take(Duration::ZERO).as_deref(), Some(&1));
    }
}
