"""Two mappings for the tests of batch files: CSV in yuan, and fixed width in fen."""

import json
from typing import Any

from clearing.rails.mapping import Mapping, read_mapping

CSV: dict[str, Any] = {
    "name": "example-csv-1",
    "layout": "csv",
    "payment": {
        "header": [
            {"field": "message_id"},
            {"field": "payer_number"},
            {"field": "date"},
            {"field": "count"},
            {"field": "total"},
        ],
        "titled": True,
        "line": [
            {"field": "sequence", "title": "序号"},
            {"field": "instruction", "title": "企业流水号", "width": 35},
            {"field": "payee_number", "title": "收款账号", "width": 34},
            {"field": "payee_name", "title": "收款户名", "width": 60},
            {"field": "payee_code", "title": "联行号", "width": 12},
            {"field": "payee_branch", "title": "开户行", "width": 60},
            {"field": "amount", "title": "金额"},
            {"field": "currency", "title": "币种"},
            {"field": "remittance", "title": "附言", "width": 30},
        ],
    },
    "reply": {
        "header": [{"field": "message_id"}, {"field": "count"}, {"field": "total"}],
        "line": [
            {"field": "sequence"},
            {"field": "instruction"},
            {"field": "payee_number"},
            {"field": "amount"},
            {"field": "result"},
            {"field": "reason"},
            {"field": "reference"},
            {"field": "booked"},
        ],
    },
    "results": {"0000": "posted", "0001": "accepted", "9": "pending", "E101": "rejected"},
}
FIXED: dict[str, Any] = {
    "name": "example-fixed-1",
    "layout": "fixed",
    "amount": "fen",
    "payment": {
        "header": [
            {"field": "constant", "value": "H", "width": 1},
            {"field": "message_id", "width": 28},
            {"field": "count", "width": 6, "align": "right", "pad": "0"},
            {"field": "total", "width": 15, "align": "right", "pad": "0"},
        ],
        "line": [
            {"field": "constant", "value": "D", "width": 1},
            {"field": "sequence", "width": 6, "align": "right", "pad": "0"},
            {"field": "payee_number", "width": 34},
            {"field": "payee_name", "width": 40},
            {"field": "amount", "width": 15, "align": "right", "pad": "0"},
            {"field": "remittance", "width": 20},
        ],
        "trailer": [{"field": "constant", "value": "T", "width": 1}],
    },
    "reply": {
        "line": [
            {"field": "constant", "value": "D", "width": 1},
            {"field": "sequence", "width": 6, "align": "right", "pad": "0"},
            {"field": "payee_number", "width": 34},
            {"field": "amount", "width": 15, "align": "right", "pad": "0"},
            {"field": "result", "width": 2},
            {"field": "reason", "width": 20},
        ],
        "trailer": [
            {"field": "constant", "value": "T", "width": 1},
            {"field": "count", "width": 6, "align": "right", "pad": "0"},
            {"field": "total", "width": 15, "align": "right", "pad": "0"},
        ],
    },
    "results": {"00": "posted", "01": "rejected"},
}


def mapping(base: dict[str, Any], **changes: Any) -> Mapping:
    """Reads a mapping, with some members changed."""
    return read_mapping(json.dumps({**base, **changes}).encode())
