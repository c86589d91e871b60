//! `/Bulk` (RFC 7644 §3.7): many requests in one.
