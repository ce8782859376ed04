"""The result of a check as one page that works without network and script."""

from collections.abc import Iterator
from pathlib import Path

from ...util.files import replacing
from ...util.templates import environment
from .findings import SEVERITIES
from .report import CheckReport
from .tables import INDENT, Table, conflict_table, count_table, piece_table, seen_table

TEMPLATE = "report.html.jinja"


def write_html(report: CheckReport, path: Path) -> None:
    """Write the page.

    report: The result of a check.
    RAISES (UserError): If the file cannot be written.
    """
    with replacing(path) as temporary:
        # A path may hold bytes that are not UTF-8.
        page = render_html(report).encode("utf-8", errors="backslashreplace")
        temporary.write_bytes(page)


def render_html(report: CheckReport) -> str:
    """Make the page.

    report: The result of a check.
    """
    templates = environment(Path(__file__).parent, autoescape=True)
    return templates.get_template(TEMPLATE).render(
        splits=report.splits,
        groups=[(severity, report.of(severity)) for severity in SEVERITIES],
        tables=list(_tables(report)),
        indent=INDENT,
    )


def _tables(report: CheckReport) -> Iterator[Table]:
    yield count_table(report)
    for seen in report.seen:
        if seen.all.entities:
            yield seen_table(seen, report.splits[0].name)
    if report.conflicts.worst:
        yield conflict_table(report)
    if report.pieces:
        yield piece_table(report)
