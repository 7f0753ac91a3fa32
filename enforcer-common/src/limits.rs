//! The sizes that both sides must agree on. Defaults of what the operator can change are in the agent's configuration.

/// Longest request head that is followed, bytes.
pub const HEAD_WINDOW: usize = 8192;
/// Lines of a request head that are looked at.
pub const HEAD_LINES: usize = 256;
/// Longest header name that can be watched.
pub const WATCH_NAME: usize = 32;
/// Longest pattern inside a header's value, such as `DeviceId/`.
pub const WATCH_PATTERN: usize = 32;
/// Headers that can be watched at once, the built-in ones among them.
pub const WATCHES: usize = 24;
/// Places (services by host or path, endpoints) on one host.
pub const PLACES: usize = 256;
/// Path segments of a place that are compared.
pub const PLACE_SEGMENTS: usize = 12;
/// Longest token that is hashed; a longer one passes and is counted.
pub const TOKEN: usize = 2048;
/// Services on one host.
pub const SERVICES: usize = 64;
/// Ports of all services on all their interfaces.
pub const SERVICE_PORTS: usize = 1024;
/// A whole refusal as it goes over the wire: status line, headers and the operator's notice.
pub const NOTICE: usize = 768;
/// The operator's part of a refusal.
pub const NOTICE_BODY: usize = 512;
/// A decision's id inside a refusal: 16 hexadecimal digits.
pub const NOTICE_ID: usize = 16;
