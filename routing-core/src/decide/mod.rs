//! The rule, and what it needs: which node a statement goes to.

pub(crate) mod admission;
pub(crate) mod attempts;
pub(crate) mod catch_up;
pub(crate) mod obstacle;
pub(crate) mod requirement;
pub(crate) mod resolve;
pub(crate) mod rule;
pub(crate) mod select;
