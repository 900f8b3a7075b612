//! Real ways out, one file each: a provider's HTTP interface, and what stands around any gateway.
//!
//! The idea: providers differ in data, so there is one HTTP gateway with requests as templates ([`render`]), answers
//! read by pointers and tables ([`answer`]), and the calls in between ([`http`]). How fast and how many at once, and
//! whether a gateway is well, is the same for all ([`paced`]).

mod answer;
mod http;
#[cfg(test)]
mod tests;
mod paced;
mod render;

pub use http::HttpGateway;
pub use paced::{GatewayHealth, Paced};
