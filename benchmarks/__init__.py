"""What `make bench` runs: timings are here and never in tests; each compares two things in one run."""
