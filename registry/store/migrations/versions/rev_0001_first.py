"""0001: the first schema.

How a table is made is written out here once more, so that nothing that changes later
can change what this revision makes.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TYPES: dict[str, Any] = {
    "int": sa.BigInteger(),
    "money": sa.BigInteger(),
    "bool": sa.Boolean(),
    "data": sa.LargeBinary(),
    "text": sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
}


def upgrade() -> None:
    """Makes all tables."""
    make_log()
    make_rows()
    if op.get_bind().dialect.name == "postgresql":
        check_books()


def check_books() -> None:
    """Has the database refuse to commit books of which debits and credits differ.

    That is a condition of many rows, and holds at the end of a transaction alone: a constraint
    trigger that is deferred. It looks once for each transaction, at the first row of it that
    changed; they are checked together when it commits. SQLite defers nothing but foreign keys,
    so there the program's own checks stand alone.
    """
    op.execute("""
        CREATE FUNCTION balance_is_even() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            here text := pg_current_xact_id()::text || '/' || NEW.ledger_id::text;
        BEGIN
            IF current_setting('tallystick.even', true) IS NOT DISTINCT FROM here THEN
                RETURN NULL;
            END IF;
            IF (SELECT sum(debited) <> sum(credited) FROM balance
                WHERE ledger_id = NEW.ledger_id AND until = 9223372036854775807) THEN
                RAISE EXCEPTION 'debits and credits of ledger % differ', NEW.ledger_id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'balance_even';
            END IF;
            PERFORM set_config('tallystick.even', here, true);
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER balance_even AFTER INSERT OR UPDATE ON balance
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION balance_is_even()
    """)


def column(words: str) -> sa.Column[Any]:
    """Reads a column: its name and type, with a question mark if it may be null."""
    name, _, kind = words.partition(" ")
    sql_type, nullable = TYPES[kind.removesuffix("?")], kind.endswith("?")
    return sa.Column(name, sql_type, nullable=nullable, autoincrement=False)


def table(name: str, *columns: str, key: str = "", more: tuple[sa.schema.SchemaItem, ...]) -> None:
    """Makes a table whose key begins with the ledger."""
    primary = sa.PrimaryKeyConstraint("ledger_id", *key.split())
    op.create_table(name, column("ledger_id int"), *map(column, columns), primary, *more)


def rows(name: str, listed: str, *, key: str, indexes: str = "") -> None:
    """Makes a table of row versions."""
    columns = listed.split(", ")
    money = [c.partition(" ")[0] for c in columns if c.partition(" ")[2].startswith("money")]
    table(
        name,
        *columns,
        "since int",
        "until int",
        key=f"until {key}",
        more=(
            sa.CheckConstraint("since < until", name=f"{name}_life"),
            *(sa.CheckConstraint(sa.column(m) >= 0, name=f"{name}_{m}") for m in money),
        ),
    )
    live = sa.text(f"until = {2**63 - 1}")
    for field in indexes.split():
        op.create_index(
            f"{name}_by_{field}",
            name,
            ["ledger_id", "until", field],
            sqlite_where=live,
            postgresql_where=live,
        )


def make_log() -> None:
    """Makes the log's tables."""
    table(
        "entry",
        "idx int",
        "time int",
        "kind text",
        "leaf_hash data",
        "data data",
        "sid text?",
        "by_party text?",
        "id text?",
        key="idx",
        more=(
            sa.CheckConstraint("idx >= 0", name="entry_idx"),
            sa.CheckConstraint("length(leaf_hash) = 32", name="entry_leaf_hash"),
            sa.UniqueConstraint("ledger_id", "sid", name="entry_by_sid"),
            sa.UniqueConstraint("ledger_id", "id", "by_party", name="entry_by_id"),
        ),
    )
    states = sa.text("kind = 'state'")
    op.create_index(
        "entry_of_state",
        "entry",
        ["ledger_id", "idx"],
        sqlite_where=states,
        postgresql_where=states,
    )
    table("tile", "level int", "idx int", "data data", key="level idx", more=())
    table(
        "opening",
        "digest text",
        "salt data",
        "terms data",
        "by_party text",
        key="digest",
        more=(),
    )
    table("note", "note text", more=())
    table("lease", "epoch int", more=())


# --- Tables of rows, in the order in which batches read them


def make_rows() -> None:
    """Makes the tables of rows."""
    rows(
        "ledger",
        "origin text, operator text, registrar text, log_key text, currency text, zone text, "
        "clock text, policy text, time int, face_total money, voucher_count int, party_count "
        "int, row text",
        key="row",
    )
    rows(
        "key_record",
        "kid text, party text, use text, suite text, x text, added int, revoked int?, "
        "suspect_from int?, person text?, duty text?, limit money?",
        key="kid",
        indexes="party",
    )
    rows(
        "pending",
        "statement text, party text, kind text, kid text, person text, amount money, approvals "
        "int, final bool, approve_by int, text text",
        key="statement",
        indexes="party kid",
    )
    rows(
        "approval",
        "approval text, statement text, party text, kid text, person text, final bool",
        key="approval",
        indexes="statement kid party",
    )
    rows(
        "waited",
        "statement text, party text, end text, index int",
        key="statement",
    )
    rows(
        "suspension",
        "suspension text, party text, reason text, evidence text",
        key="suspension",
    )
    rows(
        "affiliation",
        "affiliation text, first text, second text, basis text, evidence text",
        key="affiliation",
        indexes="first second",
    )
    rows(
        "registration",
        "statement text, party text, name text, kid text?, suite text?, x text?, salt text, "
        "person text?, duty text?, limit money?",
        key="statement",
    )
    rows(
        "offer",
        "offer text, lot text, voucher text, amount money, assignor text, assignee text, "
        "purpose text, recourse bool, accept_by int, kid text, salt text, consent text?, "
        "silent_at int?, withheld bool",
        key="offer",
        indexes="lot assignee kid",
    )
    rows(
        "consent_grant",
        "consent text, party text, purpose text",
        key="consent",
    )
    rows(
        "policy",
        "policy text, name text, version int, effective_on text?, rules text",
        key="policy",
        indexes="name effective_on",
    )
    rows(
        "consent",
        "consent text, party text, purpose text, assignors text, minimum money, account text, "
        "collection_route bool, kid text, mode text, working_days int?, calendar text?",
        key="party purpose",
        indexes="party kid",
    )
    rows(
        "calendar",
        "name text, version int, statement text, first text, last text, holidays text, workdays "
        "text",
        key="name",
    )
    rows(
        "pledge",
        "pledge text, lot text, voucher text, pledgor text, pledgee text, amount money, secured "
        "money, account text, own_account text, own_route bool, register_by int, kid text, "
        "status text",
        key="pledge",
        indexes="lot pledgee account",
    )
    rows(
        "freeze",
        "freeze text, lot text, voucher text, holder text, authority text, number text, order "
        "text, status text, bank text?, account text?, objection_ends int?, payee_account text?",
        key="freeze",
        indexes="lot",
    )
    rows(
        "dispute",
        "dispute text, voucher text, debtor text, creditor text, amount money, reason text, "
        "status text, owed money?",
        key="dispute",
        indexes="voucher",
    )
    rows(
        "filing",
        "filing text, subject text, voucher text, party text, number text, registered_at int, "
        "expires_on text, certificate text, calendar text, status text",
        key="filing",
        indexes="subject party",
    )
    rows(
        "search",
        "search text, lot text, voucher text, party text, searched_at int",
        key="search",
        indexes="lot party",
    )
    rows(
        "task",
        "task text, work text, subject text, party text, due_on text, is_overdue bool",
        key="task",
        indexes="subject party",
    )
    rows(
        "accessory",
        "accessory text, voucher text, provider text, right text, cap money, document text, "
        "addressee text?, trigger text?, working_days_before int?, minute int?",
        key="accessory",
        indexes="voucher",
    )
    rows(
        "accession",
        "accession text, voucher text, co_debtor text, scope text, cap money?, refuse_by int",
        key="accession",
        indexes="voucher",
    )
    rows(
        "power",
        "power text, assignor text, assignee text, attorney text, declarer text, event text, "
        "document text, triggered text?",
        key="power",
        indexes="assignor attorney",
    )
    rows(
        "revocation",
        "revocation text, notice text",
        key="revocation",
    )
    rows(
        "withheld",
        "transfer text, voucher text, assignor text, assignee text, amount money, purpose text, "
        "recipients text, told text, effective int",
        key="transfer",
    )
    rows(
        "notice",
        "notice text, transfer text, voucher text, recipient text, capacity text, number int, "
        "sender text, assignor text, assignee text, amount money, arrived int, entry int, "
        "received int?, acknowledged bool, refused text?, escalations int, escalate_at int?, "
        "revoked_at int?",
        key="notice",
        indexes="recipient",
    )
    rows(
        "early",
        "early text, lot text, voucher text, debtor text, holder text, amount money, terms "
        "text, pay_by int, status text, kid text?",
        key="early",
        indexes="lot voucher holder kid",
    )
    rows(
        "financing",
        "financing text, lot text, voucher text, amount money, applicant text, financier text, "
        "mode text, recourse bool, payment text, account text, close_by int, status text, "
        "vehicle text?, quote text?, terms text?, document text?, payee text?, collection_route "
        "bool, confirmed text?, contract text?, salt text?, search text?, order text, done "
        "text, filing text?, payer text?, reference text?, kid text?, quoted_by text?",
        key="financing",
        indexes="lot applicant financier kid quoted_by",
    )
    rows(
        "stage",
        "stage text, account text, owner text, via text, via_owner text, mandate text, "
        "begins_on text, cycle_days int?, ended text?",
        key="stage",
        indexes="account via_owner owner",
    )
    rows(
        "lot",
        "lot text, voucher text, amount money, holder text, born int, due_on text, path text, "
        "tier int, acquired text, account text, collection_route bool, recourse bool, "
        "acknowledged bool, status text, burdens text, salt text, cuts int",
        key="lot",
        indexes="voucher holder",
    )
    rows(
        "voucher_number",
        "debtor text, voucher_no text, voucher text",
        key="debtor voucher_no",
    )
    rows(
        "voucher",
        "voucher text, voucher_no text, debtor text, creditor text, co_debtors text, face "
        "money, discharged money, cancelled money, due_on text, route text, account text, "
        "mandate text, accept_by int, status text, ordinal int?, restriction text, guarantors "
        "text, lot_salt text, policy text, flags text, consent text?, silent_at int?, top_up "
        "bool, hop_risk text?",
        key="voucher",
        indexes="debtor creditor due_on",
    )
    rows(
        "mandate",
        "mandate text, owner text, account text, onto text?, revoked text?",
        key="mandate",
        indexes="owner account",
    )
    rows(
        "account",
        "account text, owner text, bank text, account_kind text, digest text, verified bool, "
        "frozen bool",
        key="account",
        indexes="owner bank",
    )
    rows(
        "party",
        "party text, name text, roles text, statement text, ordinal int, evidence text, binding "
        "text, contact_from text?, manual_review bool, policy text?, suspended text?",
        key="party",
    )
    rows(
        "approval_rule",
        "party text, kind text, minimum money, approvals int, final bool, hours int",
        key="party kind minimum",
        indexes="party",
    )
    rows(
        "inbox",
        "party text, designation text, notices int",
        key="party",
    )
    rows(
        "deadline",
        "at int, kind text, id text",
        key="at kind id",
    )
    rows(
        "state_request",
        "at int, time int",
        key="at",
    )
    rows(
        "bucket",
        "family text, bucket text, ordinal int?, salt text, founded int?",
        key="family bucket",
    )
    rows(
        "history",
        "family text, bucket text, size int, frontier text, record text",
        key="family bucket",
    )
    rows(
        "committed",
        "at int, row text",
        key="row",
    )
    rows(
        "invoice",
        "fingerprint text, total money, used money",
        key="fingerprint",
    )
    rows(
        "backing",
        "voucher text, fingerprint text, amount money",
        key="voucher fingerprint",
        indexes="voucher",
    )
    rows(
        "debtor",
        "party text, outstanding money, allocated money, limit money?, source text?",
        key="party",
    )
    rows(
        "exposure",
        "financier text, debtor text, held money, limit money?",
        key="financier debtor",
        indexes="financier",
    )
    rows(
        "issuance_stop",
        "party text, reason text, statement text",
        key="party reason",
        indexes="party",
    )
    rows(
        "voiding",
        "voiding text, voucher text",
        key="voiding",
    )
    rows(
        "fund",
        "fund text, account text, debtor text, amount money, designated text, status text",
        key="fund",
        indexes="account",
    )
    rows(
        "run",
        "plan text, due_on text?, pay_on text, digest text, certificate text, instructions int, "
        "vouchers int, total money, gross money, withheld money, posted int, ended int, status "
        "text, added int, top_up_on text?, fund text?, policy text, closes_at int?, joint int",
        key="plan",
        indexes="due_on",
    )
    rows(
        "instruction",
        "plan text, n int, route text, voucher text, payer_account text, payer text, "
        "payee_account text, payee text, bank text, amount money, authority text, lots text, "
        "after text, remittance text, status text, parts text, kept money, posted_at int?, "
        "reason text?, refused_by text?, instead int?, pays text?, returned_at int?, holder "
        "text?, stage text?, relayed text?, sent text?, joint int?",
        key="plan n",
        indexes="plan bank voucher stage",
    )
    rows(
        "debit_list",
        "plan text, account text, debtor text, instructions int, amount money, waiting int, "
        "waiting_amount money, through int, approval text?, approved_at int?",
        key="plan account",
        indexes="plan account debtor",
    )
    rows(
        "aggregation",
        "account text, owner text, statement text",
        key="account",
    )
    rows(
        "joint_payment",
        "plan text, payment int, instructions text, amount money",
        key="plan payment",
    )
    rows(
        "order",
        "lot text, plan text, n int",
        key="lot",
    )
    rows(
        "obligation",
        "sort text, plan text, n int, voucher text, owed_by text, owed_to text, account text, "
        "amount money, lots text, status text, due_on text?",
        key="sort plan n",
        indexes="voucher owed_by owed_to",
    )
    rows(
        "hop",
        "voucher text, party text, debtor text, amount money",
        key="voucher party",
        indexes="voucher party",
    )
    rows(
        "balance",
        "account text, debited money, credited money",
        key="account",
    )
