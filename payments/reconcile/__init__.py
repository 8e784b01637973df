"""Compares what we hold with what Stripe holds: missed events, objects that got stuck, and the nightly comparison."""
