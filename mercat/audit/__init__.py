"""The audit: conservation laws of stock and money, stated as SQL and checked over live data.

It reads every schema, by a role of its own that can write nothing: the one exception to the rule that nobody
reads another's tables.
"""

from mercat.audit.audit import Account, Finding, Law, audit, prove, trial_balance
from mercat.audit.shards import audit_shop, prove_shop

__all__ = ["Account", "Finding", "Law", "audit", "audit_shop", "prove", "prove_shop", "trial_balance"]
