//! Logs and latency histograms.
