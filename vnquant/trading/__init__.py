"""Trading: orders and their fills, the paper broker, the portfolio and its books, risk limits, exits, the ledger.

Cores decide on plain values and do no I/O; thin async shells ask for quotes and write to the database. Money is
whole VND everywhere.
"""
