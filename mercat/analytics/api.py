"""The verbs of analytics."""

from mercat.analytics.service import Analytics
from mercat.kit.verbs import Verb

API = [
    Verb(Analytics.report, reads=True),
    Verb(Analytics.rebuild),
    Verb(Analytics.learn),
    Verb(Analytics.tell_looks),
    Verb(Analytics.start_experiment),
    Verb(Analytics.stop_experiment),
    Verb(Analytics.running_experiments, reads=True),
    Verb(Analytics.experiments, reads=True),
    Verb(Analytics.save_view),
    Verb(Analytics.views, reads=True),
    Verb(Analytics.drop_view),
]
