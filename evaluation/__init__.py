"""Figures that can be quoted: metrics, benchmarks, latency, reports."""
