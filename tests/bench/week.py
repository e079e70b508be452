"""A simulated week of the engine, its metrics, its log and its ledger. Tells how the memory of the
process grows after the first hour."""
