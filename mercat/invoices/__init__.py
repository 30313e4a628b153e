"""Invoices: a seller's invoice of an order, and credit notes for refunds of it, numbered without gaps.

They are issued by following the log, or by whoever asks for one first: a purchase waits for none. Others
import from here only.
"""

from mercat.invoices.api import API
from mercat.invoices.messages import IssuerDetails, Paper, PaperKind, PaperUnits
from mercat.invoices.service import Invoices

__all__ = ["API", "Invoices", "IssuerDetails", "Paper", "PaperKind", "PaperUnits"]
