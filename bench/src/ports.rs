//! Ports of 127.0.0.1 that nobody listens on.

use std::net::SocketAddr;

use mailwright_tests::harness::free_port;

/// So many different free ports.
pub fn free<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| free_port())
}

/// The address of a port.
pub fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
