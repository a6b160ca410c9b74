"""The names of elements that are read stand in every version of the schemas that is read.

They are compared with the classes that another package has made of the published schemas.
"""

import dataclasses
import sys
import typing
from importlib import import_module

import pytest

from clearing.rails.iso20022 import PARTS, READ

COMMON = ("Refs/EndToEndId", "Refs/InstrId", "Refs/AcctSvcrRef", "RmtInf/Ustrd", "RtrInf/Rsn/Cd")
NAMES: dict[str, tuple[str, ...]] = {
    "pain.002": (
        "GrpHdr/MsgId",
        "OrgnlGrpInfAndSts/OrgnlMsgId",
        "OrgnlGrpInfAndSts/OrgnlMsgNmId",
        "OrgnlGrpInfAndSts/GrpSts",
        "OrgnlGrpInfAndSts/StsRsnInf/Rsn/Prtry",
        "OrgnlPmtInfAndSts/OrgnlPmtInfId",
        "OrgnlPmtInfAndSts/PmtInfSts",
        *(
            f"OrgnlPmtInfAndSts/TxInfAndSts/{name}"
            for name in (
                "TxSts",
                "OrgnlEndToEndId",
                "OrgnlInstrId",
                "AccptncDtTm",
                "AcctSvcrRef",
                "StsRsnInf/Rsn/Cd",
                "OrgnlTxRef/Amt/InstdAmt",
                "OrgnlTxRef/CdtrAcct/Id/Othr/Id",
                "OrgnlTxRef/RmtInf/Ustrd",
            )
        ),
    ),
    "pacs.004": (
        "GrpHdr/MsgId",
        "TxInf/RtrId",
        "TxInf/OrgnlEndToEndId",
        "TxInf/OrgnlInstrId",
        "TxInf/RtrdIntrBkSttlmAmt",
        "TxInf/IntrBkSttlmDt",
        "TxInf/RtrRsnInf/Rsn/Cd",
        "TxInf/ChrgsInf/Amt",
        "TxInf/OrgnlTxRef/CdtrAcct/Id/IBAN",
        "TxInf/OrgnlTxRef/RmtInf/Ustrd",
    ),
    **{
        kind: (
            "GrpHdr/MsgId",
            f"{part}/Acct/Id/Othr/Id",
            f"{part}/Acct/Ccy",
            f"{part}/Ntry/Amt",
            f"{part}/Ntry/CdtDbtInd",
            f"{part}/Ntry/RvslInd",
            f"{part}/Ntry/Sts",
            f"{part}/Ntry/BookgDt/DtTm",
            f"{part}/Ntry/AcctSvcrRef",
            f"{part}/Ntry/NtryDtls/Btch/PmtInfId",
            f"{part}/Ntry/NtryDtls/TxDtls/AmtDtls/TxAmt/Amt",
            *(f"{part}/Ntry/NtryDtls/TxDtls/{name}" for name in COMMON),
        )
        for kind, part in PARTS.items()
    },
}


def exists(cls: type, path: str) -> bool:
    """Tells whether the classes of a schema have an element at a path."""
    for name in path.split("/"):
        if not dataclasses.is_dataclass(cls):
            return False
        hints = typing.get_type_hints(cls, vars(sys.modules[cls.__module__]))
        found = [field for field in dataclasses.fields(cls) if field.metadata.get("name") == name]
        if not found:
            return False
        hint = hints[found[0].name]
        while arguments := [each for each in typing.get_args(hint) if each is not type(None)]:
            hint = arguments[0]
        cls = hint
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", READ)
def test_every_version_that_is_read_has_the_elements_that_are_read(kind: str) -> None:
    member, versions = READ[kind]
    missing: list[str] = []
    for version in versions:
        family, name = kind.split(".")
        module = import_module(f"pyiso20022.{family}.{family}_{name}_001_{version:02}")
        missing += [
            f"{version}: {path}"
            for path in NAMES[kind]
            if not exists(module.Document, f"{member}/{path}")
        ]
    assert missing == []
