//! Repeats transactions that were refused, after a pause.

use crate::sync::Wait;

/// What is to be done after a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    Again,
    /// As many attempts as were wanted have been refused.
    Over,
}

/// How often a transaction was refused.
pub(crate) struct Backoff {
    refused: u32,
    /// 0: any number.
    most: u32,
    /// Pauses longer each time, up to a millisecond.
    wait: Wait,
}

impl Backoff {
    /// `most` attempts; 0: any number.
    pub(crate) fn new(most: u32) -> Self {
        Self {
            refused: 0,
            most,
            wait: Wait::new(),
        }
    }

    /// Pauses after a refusal, unless it was the last attempt.
    pub(crate) fn refused(&mut self) -> Turn {
        self.refused = self.refused.saturating_add(1);
        if self.refused == self.most {
            return Turn::Over;
        }
        self.wait.wait();
        Turn::Again
    }
}
