"""What watches a shop: promises as numbers, rules that alarm, dashboards.

`python -m mercat.lab.watch` writes them to `deploy/`.

Source of the burn rates: Google, The Site Reliability Workbook, chapter 5, "Alerting on SLOs".
"""

from mercat.lab.watch.alarms import ALARMS, Alarm
from mercat.lab.watch.dashboards import dashboards
from mercat.lab.watch.files import files
from mercat.lab.watch.promises import PROMISES, ServiceLevel

__all__ = ["ALARMS", "PROMISES", "Alarm", "ServiceLevel", "dashboards", "files"]
