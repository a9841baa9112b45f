"""Migrations: the steps from the first ledger to this one; `vnquant.trading.migrate` applies them."""
