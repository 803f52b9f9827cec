//! The end of a connection that a caller has left state in.

use crate::cluster::node::Node;
use crate::session::connection_state::ConnectionState;

impl ConnectionState {
    /// The caller's connection to this node is gone, and with it the state that was in it.
    pub fn lose<P>(&self, node: &Node<P>) {
        self.lose_with(node.id());
    }
}
