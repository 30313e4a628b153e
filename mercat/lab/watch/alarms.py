"""What wakes somebody: a promise whose budget burns, and things that will break it if nobody looks."""

from typing import NamedTuple


class Alarm(NamedTuple):
    """A rule that alarms; its text is explained in docs/operating.md under its name."""

    name: str
    expression: str
    lasts: str
    severity: str
    says: str


BURNS = (("1h", "5m", 14.4, "page"), ("6h", "30m", 6.0, "page"), ("3d", "6h", 1.0, "ticket"))
"""Long and short window, how many times too fast the budget burns, and whom that wakes."""

ALARMS = (
    Alarm("MercatDown", 'up{job="mercat"} == 0', "1m", "page", "Nobody answers at /metrics."),
    Alarm(
        "MercatTurnsAway",
        'sum by (kind) (rate(mercat_turned_away_total{code="overloaded"}[5m])) > 1',
        "5m",
        "ticket",
        "More come of this kind than the shop can serve.",
    ),
    Alarm(
        "MercatSlotLag",
        "max(mercat_slot_lag_bytes) > 1e9 or max(mercat_orders_slot_lag_bytes) > 1e9",
        "5m",
        "page",
        "The relay reads no log.",
    ),
    Alarm(
        "MercatOrdersAway",
        "max by (database) (mercat_orders_away) > 0",
        "1m",
        "page",
        "A database of orders does not answer: its buyers cannot buy.",
    ),
    Alarm(
        "MercatArchiveLag",
        "max(mercat_archive_lag_bytes) > 1e9",
        "10m",
        "page",
        "The log does not reach the backups, and fills the disk.",
    ),
    Alarm(
        "MercatArchiveStopped",
        "max(mercat_archive_stopped) > 0",
        "10m",
        "page",
        "Commits do not reach the backups: a restore would end ten minutes ago.",
    ),
    Alarm(
        "MercatBackupOld",
        "max(mercat_backup_age_seconds) > 129600 or absent(mercat_backup_age_seconds)",
        "10m",
        "ticket",
        "No backup for 36 h, or never one.",
    ),
    Alarm("MercatDiskFull", "min(mercat_disk_free_bytes) < 2e9", "5m", "page", "Less than 2 GB are free."),
    Alarm(
        "MercatFollowerStands",
        "max(mercat_follower_behind_seconds) > 2 * 86400",
        "10m",
        "page",
        "A follower is two days behind: a log in Kafka keeps facts for seven.",
    ),
    Alarm(
        "MercatParked",
        "sum by (follower) (increase(mercat_facts_parked_total[15m])) > 0",
        "0m",
        "ticket",
        "An event cannot be followed and was put aside.",
    ),
    Alarm(
        "MercatTaxRefused",
        "increase(mercat_tax_records_refused_total[15m]) > 0",
        "0m",
        "ticket",
        "The tax provider does not record a sale or a refund.",
    ),
    Alarm(
        "MercatRecovers",
        "sum(rate(mercat_checkouts_recovered_total[10m])) > 0.1",
        "10m",
        "ticket",
        "Purchases are taken over again and again: workers die, or the provider hangs.",
    ),
    Alarm(
        "MercatBreakerOpen",
        "sum by (service) (increase(mercat_breaker_opened_total[10m])) > 3",
        "5m",
        "ticket",
        "A part of the shop is away again and again.",
    ),
)
