"""The books: tables, ledger, coupons, identity, consent, outbox rows. No HTTP, no WeChat, no learning."""
