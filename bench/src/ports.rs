//! Ports of 127.0.0.1 that nobody listens on.

use std::net::{SocketAddr, TcpListener};

use anyhow::Result;

/// So many different free ports.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    // All are held until all are known, so that they differ.
    let listeners =
        (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<std::io::Result<Vec<_>>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// The address of a port.
pub fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports_differ() {
        let [a, b, c] = super::free().unwrap();
        assert!(a != b && b != c && a != c);
    }
}
