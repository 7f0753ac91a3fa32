//! Does a request lie in an endpoint? In: a head's method and paths. Out: yes when one server could find it there.
use enforcer_policy::{Endpoint, Template};

use super::head::Head;
use super::path::{Path, read_paths};

/// True when the request could be served by this endpoint of its service.
pub fn lies_in_endpoint(head: &Head, endpoint: &Endpoint) -> bool {
    let method = endpoint.method().is_none_or(|method| method.as_bytes() == &head.method[..]);
    method && read_paths(&head.target).paths.iter().any(|path| lies_in(path, endpoint.template()))
}

/// True when the request could be served under this host name: by its URL, or by a `Host` header without port and last dot.
pub fn is_for_host(head: &Head, name: &str) -> bool {
    let whole = read_paths(&head.target).authority;
    let mut hosts = whole.as_ref().into_iter().chain(head.values("host"));
    hosts.any(|host| {
        let host = host.split(|byte| *byte == b':').next().unwrap_or_default();
        host.strip_suffix(b".").unwrap_or(host).eq_ignore_ascii_case(name.as_bytes())
    })
}

/// True when this reading of a path fits the template.
pub fn lies_in(path: &Path, template: &Template) -> bool {
    let (path, wanted) = (&path.segments, template.segments());
    let long = if template.is_open() { path.len() >= wanted.len() } else { path.len() == wanted.len() };
    let fits =
        |wanted: &Option<Box<str>>, segment: &[u8]| wanted.as_ref().is_none_or(|text| text.as_bytes() == segment);
    long && wanted.iter().zip(path).all(|(wanted, segment)| fits(wanted, segment))
}
