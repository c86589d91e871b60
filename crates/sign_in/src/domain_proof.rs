//! The proof that a domain belongs to an organisation: a TXT record that only its administrators can set.

use crate::failure::Failure;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{Resolver, TokioResolver};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The record stands at this name below the domain.
pub const RECORD_NAME: &str = "_rollcall";
const TIME: Duration = Duration::from_secs(10);
/// Records at the name that are read.
const RECORDS_MAX: usize = 50;

/// Bounds of the texts that are shown to an administrator.
const SHOWN_RECORDS: usize = 5;
const SHOWN_CHARACTERS: usize = 120;

/// The result of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Found,
    /// None is the expected one. Their texts, some and cut off, for the eyes of an administrator.
    Missing(Vec<String>),
}

/// A resolver of names. Cheap to clone.
#[derive(Clone)]
pub struct DomainNames(Result<Arc<TokioResolver>, Failure>);

impl DomainNames {
    /// A resolver that asks this server, or those of the system. A system that names none serves everything else.
    pub fn new(server: Option<SocketAddr>) -> Self {
        Self(resolver(server).map(Arc::new).map_err(|error| {
            Failure::Address(format!(
                "the hub has no name server to ask: {error}; its operator sets sign_in.dns_server"
            ))
        }))
    }

    /// Looks for the record of a domain.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] where no name server answers; [`Failure::Address`] where there is none to ask.
    pub async fn proof(&self, domain: &str, expected: &str) -> Result<Proof, Failure> {
        let resolver = self.0.as_ref().map_err(Failure::clone)?;
        // A name that ends with a dot is searched in no other domain.
        let name = format!("{RECORD_NAME}.{domain}.");
        let unreachable = |why: String| Failure::Unreachable { host: format!("the name server for {domain}"), why };
        let found = match timeout(TIME, resolver.txt_lookup(name)).await {
            Err(_) => return Err(unreachable(format!("no answer within {} s", TIME.as_secs()))),
            Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => {
                return Ok(Proof::Missing(Vec::new()));
            }
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Ok(Ok(found)) => found,
        };
        let texts = found.answers().iter().take(RECORDS_MAX).filter_map(|record| match &record.data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        });
        let texts: Vec<Vec<u8>> = texts.collect();
        if texts.iter().any(|text| text == expected.as_bytes()) {
            return Ok(Proof::Found);
        }
        let shown = |text: &Vec<u8>| String::from_utf8_lossy(text).chars().take(SHOWN_CHARACTERS).collect();
        Ok(Proof::Missing(texts.iter().take(SHOWN_RECORDS).map(shown).collect()))
    }
}

fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        None => Resolver::builder_tokio()?,
        Some(server) => {
            let mut one = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut one.connections {
                connection.port = server.port();
            }
            let servers = ResolverConfig::from_name_servers(vec![one]);
            Resolver::builder_with_config(servers, TokioRuntimeProvider::default())
        }
    };
    // An administrator who has just set the record asks again at once.
    builder.options_mut().cache_size = 0;
    builder.build()
}
