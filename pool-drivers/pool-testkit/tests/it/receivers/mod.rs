//! Each receiver receives what is sent to it, tells it, and ends with its process.

mod http;
