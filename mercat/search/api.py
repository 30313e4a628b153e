from mercat.kit.rpc import Route
from mercat.search.service import Search

API = [
    Route("POST", "/find", Search.find),
    Route("GET", "/suggest", Search.suggest),
    Route("GET", "/explain", Search.explain),
    Route("GET", "/rules", Search.rules),
    Route("POST", "/rules", Search.add_rule),
    Route("PUT", "/rules/{rule_id}", Search.change_rule),
    Route("DELETE", "/rules/{rule_id}", Search.remove_rule),
    Route("POST", "/rule-changes-asked", Search.rule_changes),
    Route("GET", "/rule-change-counts", Search.rule_change_counts),
    Route("POST", "/rule-changes/{change_id}/put-back", Search.put_back_rule),
    Route("GET", "/category-counts", Search.category_counts),
]
