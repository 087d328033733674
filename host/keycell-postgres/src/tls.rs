//! TLS to the database.

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{error::PostgresError, url::PostgresUrl};

/// A connector that checks the certificate and the name of the server.
pub fn connector(url: &PostgresUrl) -> Result<MakeRustlsConnect, PostgresError> {
    let mut roots = RootCertStore::empty();
    match &url.root_certificates {
        // The system's authorities take a while to read.
        None if url.config.get_ssl_mode() == SslMode::Disable => {}
        Some(path) => {
            let certificates = CertificateDer::pem_file_iter(path).map_err(|_| PostgresError::Certificates)?;
            for certificate in certificates {
                let certificate = certificate.map_err(|_| PostgresError::Certificates)?;
                roots.add(certificate).map_err(|_| PostgresError::Certificates)?;
            }
            if roots.is_empty() {
                return Err(PostgresError::Certificates);
            }
        }
        // Some files of a system may be unreadable. Without any authority, every server is refused.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|_| PostgresError::Certificates)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
