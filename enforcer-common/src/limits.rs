//! The sizes that both sides must agree on. Defaults of what the operator can change are in the agent's configuration.

/// Bytes of a request head that are scanned in the kernel.
pub const HEAD_WINDOW: usize = 4096;
/// Longest header name that can be watched.
pub const WATCH_NAME: usize = 32;
/// Longest pattern inside a header's value, such as `DeviceId/`.
pub const WATCH_PATTERN: usize = 16;
/// Headers that can be watched at once.
pub const WATCHES: usize = 8;
/// Longest token that is hashed; a longer one passes and is counted.
pub const TOKEN: usize = 128;
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
