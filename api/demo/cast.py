"""The people of the demonstration: who they are, and their keys from the seed.

All names are invented. The keys are derived from the seed so that a run can be
repeated byte for byte; that is for a demonstration, and for nothing else.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from api.demo.pool import Claim
from registry.ids import PartyId, uscc_check_character
from registry.signing import PrivateKey

OPERATOR = "operator"
REGISTRAR = "registrar"
BANK = "bank"
CUSTODIAN = "custodian"
CORE = "core"
FACTOR = "factor"
MANAGER = "manager"
PLAN = "manager#JC144"
AUDITOR = "auditor"

_FIXED = {
    OPERATOR: ("京澜凭证信息服务有限公司", ()),
    REGISTRAR: ("京澜凭证登记审核中心", ()),
    BANK: ("华澜银行北京分行", ("bank",)),
    CUSTODIAN: ("津海银行天津分行", ("bank",)),
    CORE: ("京澜世纪贸易有限公司", ("participant",)),
    FACTOR: ("邦润商业保理有限公司", ("financier",)),
    MANAGER: ("华信证券资产管理有限公司", ("trustee",)),
    PLAN: ("京诚系列14号4期专项计划", ("vehicle",)),
    AUDITOR: ("天衡会计师事务所", ("auditor",)),
}
_DEBTORS = ("昆山", "成都", "武汉", "西安")
_CITIES = ("苏州", "无锡", "常州", "宁波", "嘉兴", "东莞", "佛山", "合肥", "芜湖", "潍坊")
_WORDS = ("精工", "恒泰", "瑞科", "华创", "中联", "鼎新", "佳禾", "宏远", "立信", "明达", "博远")
_TRADES = ("电子", "包装", "物流", "模具", "塑胶", "纸业", "五金")

STORY_PARTIES = ("S1", "S2", "S3")
"""The three suppliers of the small tree; the pool's are S001 and so on."""

LOWER_TIERS = 96
"""Firms of tier 2 and 3, T001 and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One party: its short name here, what it is called, and what it was admitted as."""

    short: str
    name: str
    party: PartyId
    roles: tuple[str, ...]
    key: PrivateKey = field(repr=False)


def make_cast(claims: tuple[Claim, ...], *, seed: int) -> Mapping[str, Actor]:
    """Makes everybody who takes part, in the order in which they are admitted."""
    suppliers = sorted({claim.supplier_no for claim in claims})
    debtors = sorted({claim.debtor_no for claim in claims})
    lower = [f"T{number:03d}" for number in range(1, LOWER_TIERS + 1)]
    cast: dict[str, Actor] = {}
    for number, (short, name, roles) in enumerate(_people(debtors, suppliers, lower), 1):
        trustee, _, code = short.partition("#")
        party = PartyId(f"{cast[trustee].party}#{code}") if code else _uscc(number)
        key = cast[trustee].key if code else derive_key(seed, short)
        cast[short] = Actor(short=short, name=name, party=party, roles=roles, key=key)
    return cast


def _people(
    debtors: list[str], suppliers: list[str], lower: list[str]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yields short name, name and roles of everybody."""
    for short, (name, roles) in _FIXED.items():
        yield short, name, roles
    for debtor, city in zip(debtors, _DEBTORS, strict=True):
        yield debtor, f"京澜（{city}）供应链管理有限公司", ("participant",)
    for number, short in enumerate((*STORY_PARTIES, *suppliers, *lower)):
        city = _CITIES[number % len(_CITIES)]
        word = _WORDS[number // 3 % len(_WORDS)]
        trade = _TRADES[number // 5 % len(_TRADES)]
        yield short, f"{city}{word}{trade}{number:03d}有限公司", ("participant",)


def derive_key(seed: int, short: str) -> PrivateKey:
    """Derives an actor's key from the seed of the run."""
    return PrivateKey.from_seed(hashlib.sha256(f"tallystick-demo/{seed}/{short}".encode()).digest())


def _uscc(number: int) -> PartyId:
    """Returns the number-th synthetic credit code."""
    first = f"91110105MA{number:07d}"
    return PartyId(first + uscc_check_character(first))
