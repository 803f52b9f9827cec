//! A refusal inside another error.

use std::error::Error;

use crate::error::RoutingError;

/// Finds a [`RoutingError`] in a chain of sources; `in_orm` finds it in the ORM's own error types.
pub fn find_routing_error<'e>(
    error: &'e (dyn Error + 'static),
    in_orm: impl Fn(&'e (dyn Error + 'static)) -> Option<&'e RoutingError>,
) -> Option<&'e RoutingError> {
    let mut link = Some(error);
    while let Some(error) = link {
        let found = error.downcast_ref().or_else(|| in_orm(error));
        if found.is_some() {
            return found;
        }
        link = error.source();
    }
    None
}
