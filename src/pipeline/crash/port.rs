//! Loopback ports for servers that end and come back under the same address.
//!
//! The idea: a port that the kernel hands out may be handed to somebody else while the server is away, so these lie below
//! the range from which it hands out.

use std::net::TcpListener;

/// Where the kernel's range is written.
const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// The range's beginning where that cannot be read: Linux's default.
const USUAL: u16 = 32_768;
/// Below it are well-known ports and those of services that people run.
const LOWEST: u16 = 14_000;
/// So many are tried: most are free.
const TRIES: usize = 10_000;

/// `n` different loopback ports that were free a moment ago and that nobody gets by chance.
///
/// # Errors
/// None could be had.
pub fn lasting_ports(n: usize) -> std::io::Result<Vec<u16>> {
    let range = std::fs::read_to_string(RANGE).ok();
    let low = range.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(USUAL);
    let low = if low > LOWEST + 1_000 { low } else { USUAL };
    let mut held: Vec<(TcpListener, u16)> = Vec::new();
    for _ in 0..TRIES {
        if held.len() == n {
            break;
        }
        let port = fastrand::u16(LOWEST..low);
        // One that is held already cannot be bound a second time.
        held.extend(TcpListener::bind(("127.0.0.1", port)).ok().map(|socket| (socket, port)));
    }
    if held.len() < n {
        return Err(std::io::Error::other("no free loopback port"));
    }
    Ok(held.into_iter().map(|(_, port)| port).collect())
}
