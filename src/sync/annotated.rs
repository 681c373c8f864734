//! Atomics that report the orders that they establish to a tool (see `annotate`). They behave like
//! std's; in addition, a releasing store reports before it stores, and an acquiring load after it
//! loads.
//!
//! Fences are not reported: where the library relies on a fence, an access to another word, loaded
//! after it or stored before it, reports the same order to the tool.

use std::sync::atomic::{self, Ordering};

use crate::annotate::{acquire, release};

fn releases(order: Ordering) -> bool {
    matches!(
        order,
        Ordering::Release | Ordering::AcqRel | Ordering::SeqCst
    )
}

fn acquires(order: Ordering) -> bool {
    matches!(
        order,
        Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst
    )
}

macro_rules! annotated {
    ($atomic:ident $(<$t:ident>)?, $value:ty) => {
        #[derive(Debug)]
        #[repr(transparent)]
        pub(crate) struct $atomic $(<$t>)? (atomic::$atomic $(<$t>)?);

        #[allow(dead_code, reason = "not every type uses every method")]
        impl $(<$t>)? $atomic $(<$t>)? {
            pub(crate) const fn new(value: $value) -> Self {
                Self(atomic::$atomic::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                let value = self.0.load(order);
                if acquires(order) {
                    acquire(self);
                }
                value
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                if releases(order) {
                    release(self);
                }
                self.0.store(value, order);
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.around(order, order, || self.0.swap(value, order))
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.around(success, failure, || {
                    self.0.compare_exchange(current, new, success, failure)
                })
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.around(success, failure, || {
                    self.0.compare_exchange_weak(current, new, success, failure)
                })
            }

            pub(crate) fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            fn around<R>(
                &self,
                success: Ordering,
                failure: Ordering,
                exchange: impl FnOnce() -> R,
            ) -> R {
                if releases(success) {
                    release(self);
                }
                let result = exchange();
                if acquires(success) || acquires(failure) {
                    acquire(self);
                }
                result
            }
        }
    };
}

annotated!(AtomicPtr<T>, *mut T);
annotated!(AtomicU8, u8);
annotated!(AtomicU16, u16);
annotated!(AtomicU32, u32);
annotated!(AtomicU64, u64);

impl AtomicU8 {
    pub(crate) fn fetch_max(&self, value: u8, order: Ordering) -> u8 {
        self.around(order, order, || self.0.fetch_max(value, order))
    }
}

impl AtomicU32 {
    pub(crate) fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        self.around(order, order, || self.0.fetch_add(value, order))
    }

    pub(crate) fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
        self.around(order, order, || self.0.fetch_sub(value, order))
    }
}

impl AtomicU64 {
    pub(crate) fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        self.around(order, order, || self.0.fetch_sub(value, order))
    }

    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.around(order, order, || self.0.fetch_add(value, order))
    }

    pub(crate) fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        self.around(order, order, || self.0.fetch_max(value, order))
    }
}
