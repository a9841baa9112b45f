"""Migrations: the steps that build the ledger's tables, applied by `vnquant.trading.migrate` on opening."""
