"""Refused rows by their place in the source, however the source was cut into batches."""

from __future__ import annotations

from datetime import date

from thalweg import Columns, Row
from thalweg.account import Account, Entry, Refused, placed
from thalweg.results import Ack, RowError


def acked(rows: int, *bad: int, count: int | None = None, duplicates: int = 0) -> Ack:
    """The ack of a batch in which these positions were refused."""
    errors = tuple(
        RowError(row=row, reason="ERROR_REASON_BAD_DATE", message=f"bad {row}") for row in bad
    )
    error_count = len(bad) if count is None else count
    return Ack(
        sequence=1,
        applied_sequence=1,
        durable_sequence=0,
        learned=rows - error_count - duplicates,
        duplicates=duplicates,
        errors=errors,
        error_count=error_count,
        predictions=(),
    )


def test_a_position_in_a_batch_becomes_a_place_in_the_source() -> None:
    """Of single rows with places of their own, lines of a file that has blank ones."""
    told: list[Refused] = []
    account = Account("line", told.append)
    rows = [Row(model=f"m{line}", target=line, date="2016-05-01") for line in (2, 3, 7, 9)]
    entries: list[Entry] = [(int(row.target), row) for row in rows]
    assert list(account.sending(entries)) == rows
    account.settle(acked(3, 0, 2))
    account.settle(acked(1, 0))
    assert [(one.where, one.model, one.target) for one in told] == [
        ("line 2", "m2", 2),
        ("line 7", "m7", 7),
        ("line 9", "m9", 9),
    ]
    assert told[0] == Refused(
        where="line 2", model="m2", date="2016-05-01", target=2, reason="BAD_DATE", message="bad 0"
    )
    assert account.errors == told
    assert (account.rows, account.learned, account.error_count) == (4, 1, 3)


def test_columns_may_be_split_and_batches_may_span_them() -> None:
    """Model, day and target are those of the row, with a dictionary and without."""
    account = Account()
    day = date(2016, 5, 1).toordinal() - date(1970, 1, 1).toordinal()
    items = [
        Columns(models=["a", "b", "c"], targets=[1.0, 2.0, 3.0], date_days=[day]),
        Columns(
            models=["d", "e"], targets=["x", "y"], model_index=[1, 0], date_days=[day, day + 1]
        ),
    ]
    assert list(account.sending(placed(items))) == items
    account.settle(acked(2, 1))
    account.settle(acked(3, 0, 2, duplicates=1))
    assert [(one.where, one.model, one.date, one.target) for one in account.errors] == [
        ("row 2", "b", "2016-05-01", 2.0),
        ("row 3", "c", "2016-05-01", 3.0),
        ("row 5", "d", "2016-05-02", "y"),
    ]
    assert (account.rows, account.learned, account.duplicates) == (5, 1, 1)


def test_rows_that_cannot_be_sent_are_refused_at_once() -> None:
    """They count as rows, and nothing is sent for them."""
    account = Account()
    broken = Refused(where="line 2", reason="BAD_LINE", message="2 cells, not 3")
    assert list(account.sending([broken])) == []
    assert account.errors == [broken]
    assert (account.rows, account.error_count) == (1, 1)


def test_rows_that_the_server_did_not_list_are_told_as_a_number() -> None:
    """With the range of rows they are among."""
    account = Account()
    rows = [Row(model="m", target=1.0)] * 300
    assert len(list(account.sending(placed(rows)))) == 300
    account.settle(acked(100))
    account.settle(acked(150, *range(100), count=130))
    assert (account.errors[0].where, account.error_count) == ("row 101", 130)
    account = Account(on_refused=(told := []).append)
    assert len(list(account.sending(placed(rows)))) == 300
    account.settle(acked(150, *range(100), count=130))
    assert (told[100].where, told[100].reason) == ("rows 1 to 150", "UNLISTED")
    assert told[100].message.startswith("30 more")
    assert len(account.errors) == 100
