//! Evasion: every way of sending a blocked device's request so that a reader of packets could miss it, and everything that
//! only looks like one.
//!
//! In: tables of [`Form`]s, one file per kind. Out: that no evil form reaches the application, and that every honest twin
//! is served. Never here: luck. A form is played 200 times for each address family and each twin (`ENFORCER_REPEATS`
//! changes that), a client that loses a segment sends it again, and a form that would fail without enforcer fails
//! [`ground`].
//!
//! What counts as reaching the application: a line in nginx's log with another status than 400. When a head spans segments,
//! nginx has a part of it before the whole can be judged; the reset that refuses the request makes it log a 400 for a
//! request that nobody has handled. A 499 would say that the application had seen it, so that is not admitted.

mod bodies;
mod chunks;
mod connections;
mod form;
mod framing;
mod ground;
mod handshakes;
mod heads;
mod lines;
mod near_misses;
mod order;
mod overlaps;
mod packets;
mod processors;
mod sockets;
mod splits;
mod stage;
