//! Names that are resolved to public addresses alone.

use super::public_address::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;

/// The resolver of a client. The connection goes to one of the addresses that it found, so there is no second look-up that could differ.
#[derive(Clone, Copy, Debug)]
pub struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("it is a private address; only the operator of the hub can allow those".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}
