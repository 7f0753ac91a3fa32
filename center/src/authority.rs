//! Certificates: the center's own, and the short-lived ones of hosts.
//!
//! In: names, and requests made on hosts. Out: PEM. Never here: a host's private key, which never leaves it; who may enrol.
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::folder::Folder;
use crate::{clock, secret};

/// How long a host's certificate lasts. Hosts renew after two thirds of it.
pub const HOST_LIFE: Duration = Duration::from_hours(7 * 24);
const YEARS: Duration = Duration::from_hours(10 * 365 * 24);
/// Clocks of hosts may be behind.
const EARLIER: Duration = Duration::from_hours(1);

/// Issues certificates.
pub struct Authority {
    certificate: String,
    key: String,
}

impl Authority {
    /// Makes one, and the server's certificate for these names and addresses.
    pub fn create(folder: &Folder, names: &[String]) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let mut params = params("Enforcer center authority", YEARS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        folder.write("ca.pem", &params.self_signed(&key)?.pem())?;
        folder.write("ca.key", &key.serialize_pem())?;
        Self::open(folder)?.server(folder, names)
    }

    /// The one in a folder.
    pub fn open(folder: &Folder) -> anyhow::Result<Self> {
        Ok(Self { certificate: folder.read("ca.pem")?, key: folder.read("ca.key")? })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The SHA-256 of its certificate: what an enrolment token pins.
    pub fn fingerprint(&self) -> anyhow::Result<String> {
        let der = CertificateDer::from_pem_slice(self.certificate.as_bytes()).context("ca.pem is damaged")?;
        Ok(fingerprint(&der))
    }

    /// A certificate for the host of this name, and its fingerprint.
    pub fn host(&self, name: &str, request: &str) -> anyhow::Result<(String, String)> {
        let request = CertificateSigningRequestParams::from_pem(request).context("this is no certificate request")?;
        let mut params = params(name, HOST_LIFE)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&request.public_key, &self.issuer()?)?;
        Ok((certificate.pem(), fingerprint(certificate.der())))
    }

    fn server(&self, folder: &Folder, names: &[String]) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let mut params = params("Enforcer center", YEARS)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(Ia5String::try_from(name.as_str())?),
            });
        }
        folder.write("server.pem", &params.signed_by(&key, &self.issuer()?)?.pem())?;
        folder.write("server.key", &key.serialize_pem())
    }

    fn issuer(&self) -> anyhow::Result<Issuer<'static, KeyPair>> {
        Ok(Issuer::from_ca_cert_pem(&self.certificate, KeyPair::from_pem(&self.key)?)?)
    }
}

/// The SHA-256 of a certificate, in hexadecimal digits.
pub fn fingerprint(certificate: &[u8]) -> String {
    secret::hex(ring::digest::digest(&ring::digest::SHA256, certificate).as_ref())
}

fn params(name: &str, life: Duration) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(&secret::random::<16>()?));
    let now = std::time::UNIX_EPOCH + Duration::from_millis(clock::now().0);
    params.not_before = (now - EARLIER).into();
    params.not_after = (now + life).into();
    Ok(params)
}
