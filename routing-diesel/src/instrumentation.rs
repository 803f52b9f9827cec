//! One instrumentation for all connections of a routed connection.
//!
//! Diesel's own belong to one connection each and cannot be copied. What an application sets on a
//! routed connection has to hear what happens on each of the connections behind it.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, get_default_instrumentation};

type Inside = Arc<Mutex<Option<Box<dyn Instrumentation>>>>;

/// A handle to the one instrumentation.
pub(crate) struct Shared {
    inside: Inside,
    /// Whether the application has set it, so that the connections need to be told.
    is_set: bool,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            inside: Arc::new(Mutex::new(get_default_instrumentation())),
            is_set: false,
        }
    }

    pub(crate) fn replace(&mut self, instrumentation: impl Instrumentation) {
        self.inside = Arc::new(Mutex::new(Some(Box::new(instrumentation))));
        self.is_set = true;
    }

    /// A handle for a connection, if it needs one.
    pub(crate) fn for_connection(&self) -> Option<Self> {
        self.is_set.then(|| Self {
            inside: Arc::clone(&self.inside),
            is_set: true,
        })
    }
}

impl Instrumentation for Shared {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.on_connection_event(event);
    }
}
